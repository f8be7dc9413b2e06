// escrow: telling the recovery site of erasures on the way, and what it finds in its inbox.
#include "attach.hpp"
#include "inbox_output.hpp"
#include "printable_text.hpp"
#include "trust_file.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

Result<ExitCode> show(const InboxInfo& inbox, Terminal& terminal) {
  if (terminal.json) {
    terminal.document(inbox_json(inbox));
    return ExitCode::kDone;
  }
  if (inbox.folder.empty()) {
    terminal.line("no inbox: the site is not told of erasures");
    return ExitCode::kDone;
  }
  terminal.print(columns({{"inbox", inbox.folder},
                          {"told", "of the log up to entry " + grouped(inbox.told)},
                          {"waiting", counted(inbox.waiting, "erasure")}}));
  return ExitCode::kDone;
}

struct InboxCommand {
  std::string folder;
  bool none = false;
};

Result<ExitCode> run_inbox(const InboxCommand& command, Invocation& invocation) {
  if (command.folder.empty() && !command.none) {
    QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
    QUIETUS_TRY_AS(const InboxInfo inbox, vault.escrow().inbox());
    return show(inbox, invocation.terminal);
  }
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const InboxInfo inbox, vault.escrow().set_inbox(command.folder));
  return show(inbox, invocation.terminal);
}

Result<ExitCode> run_tell(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const InboxInfo inbox, vault.escrow().tell());
  return show(inbox, invocation.terminal);
}

struct ReceiveCommand {
  std::string folder;
  std::string trust;
};

Result<ExitCode> run_receive(const ReceiveCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Trust trust, read_trust(command.trust));
  QUIETUS_TRY_AS(Vault site, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const InboxReceipt receipt, site.escrow().receive(command.folder, trust));
  if (invocation.terminal.json) {
    invocation.terminal.document({{"notices", receipt.notices},
                                  {"erasures", receipt.erasures},
                                  {"logs", receipt.logs},
                                  {"problems", receipt.problems}});
  } else {
    std::vector<std::vector<std::string>> rows = {{"new notices", grouped(receipt.notices)},
                                                  {"erasures", grouped(receipt.erasures)}};
    for (const std::string& log : receipt.logs) rows.push_back({"of log", log});
    invocation.terminal.print(columns(rows));
  }
  for (const std::string& problem : receipt.problems) Terminal::message(problem);
  return receipt.problems.empty() ? ExitCode::kDone : ExitCode::kIntegrity;
}

}  // namespace

void attach_inbox_commands(CLI::App& group, Action& chosen) {
  auto inbox = std::make_shared<InboxCommand>();
  CLI::App& set =
      *group.add_subcommand("inbox", "In the vault: tell the site of each erasure, in this folder");
  set.add_option("FOLDER", inbox->folder, "That the site reads; none: show what there is");
  set.add_flag("--none", inbox->none, "Tell it no more")->excludes("FOLDER");
  on_chosen(set, chosen, std::move(inbox), run_inbox);

  plain_command(group, "tell", "In the vault: tell the site what it was not told yet", chosen,
                run_tell);

  auto receive = std::make_shared<ReceiveCommand>();
  CLI::App& read =
      *group.add_subcommand("receive", "At the site: note the erasures that its inbox tells of");
  read.add_option("FOLDER", receive->folder, "The inbox")->required();
  read.add_option("--trust", receive->trust, "A trust file that names the logs of the vaults")
      ->required();
  on_chosen(read, chosen, std::move(receive), run_receive);
}

}  // namespace quietus::cli
