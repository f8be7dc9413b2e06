// audit: log, verify, checkpoint.
#include "attach.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct LogCommand {
  std::uint64_t from = 0;
};

Json head_json(const LogHead& head) {
  return {{"origin", head.origin}, {"size", head.size}, {"root_hash", head.root_hash}};
}

// Every line is JSON already. With --json they become one document; what does not parse, which
// cannot be, stays text.
Result<ExitCode> run_log(const LogCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const LogHead head, vault.log_head());
  Json entries = Json::array();
  for (std::uint64_t index = command.from; index < head.size; ++index) {
    QUIETUS_TRY_AS(const std::string entry,
                   vault.log_entry(index).within("entry " + std::to_string(index)));
    if (!invocation.terminal.json) {
      invocation.terminal.line(entry);
      continue;
    }
    Json parsed = Json::parse(entry, nullptr, false);
    entries.push_back(parsed.is_discarded() ? Json(entry) : std::move(parsed));
  }
  if (!invocation.terminal.json) return ExitCode::kDone;
  Json document = head_json(head);
  document["from"] = command.from;
  document["entries"] = std::move(entries);
  invocation.terminal.document(document);
  return ExitCode::kDone;
}

Result<ExitCode> run_verify(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const LogHead head, vault.verify_log());
  QUIETUS_TRY_AS(const std::string key, vault.log_verifier_key());
  if (invocation.terminal.json) {
    Json document = head_json(head);
    document["verifier_key"] = key;
    document["valid"] = true;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.print(columns({{"valid", counted(head.size, "line")},
                                       {"origin", head.origin},
                                       {"root hash", head.root_hash},
                                       {"verifier key", key}}));
  }
  return ExitCode::kDone;
}

// The signed note as it is: every byte of it counts.
Result<ExitCode> run_checkpoint(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::string checkpoint, vault.log_checkpoint());
  if (!invocation.terminal.json) {
    invocation.terminal.verbatim(checkpoint);
    return ExitCode::kDone;
  }
  QUIETUS_TRY_AS(const std::string key, vault.log_verifier_key());
  invocation.terminal.document({{"checkpoint", checkpoint}, {"verifier_key", key}});
  return ExitCode::kDone;
}

}  // namespace

void attach_audit_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "audit", "The log of what happened to keys");
  auto options = std::make_shared<LogCommand>();
  CLI::App& log = *group.add_subcommand("log", "Print it, one line of JSON per entry");
  // CLI11 reads -1 as a very large unsigned number.
  log.add_option("--from", options->from, "Index of the first entry; the log begins with 0")
      ->check(CLI::NonNegativeNumber);
  on_chosen(log, chosen, std::move(options), run_log);
  plain_command(group, "verify", "Recompute and check all of it", chosen, run_verify);
  plain_command(group, "checkpoint", "Print a signed checkpoint (C2SP)", chosen, run_checkpoint);
}

}  // namespace quietus::cli
