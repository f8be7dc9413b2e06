// request: what is asked for, verified, approved and done in a governed vault.
#include "attach.hpp"
#include "date_option.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "request_output.hpp"
#include "ssh_keygen.hpp"

#include <nlohmann/json.hpp>

#include "subject_option.hpp"

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxContactFile = 4096;
constexpr std::size_t kMaxSignatureFile = 65536;
constexpr std::size_t kMaxEvidence = std::size_t{1} << 30;

struct RequestCommand {
  std::string id;
  std::string kind;
  std::vector<std::string> scopes;
  std::string reason;
  std::string contact;
  std::string subject;
  std::vector<std::string> records;
  std::string method;
  std::string evidence;
  std::string signature;
  std::string folder;
  std::string until;
  bool agent = false;
  bool all = false;
};

Result<std::string> text_of(const std::string& file, std::size_t limit) {
  QUIETUS_TRY_AS(const Bytes content, read_file(file, limit));
  return std::string(as_text(content));
}

Result<ExitCode> shown(const Result<RequestInfo>& request, Invocation& invocation) {
  if (!request) return request.error();
  print_request(*request, invocation.terminal);
  return ExitCode::kDone;
}

Result<ExitCode> run_open_request(const RequestCommand& command, Invocation& invocation) {
  RequestSpec spec{command.kind, command.scopes, command.reason, {}, command.records};
  if (!command.contact.empty()) {
    QUIETUS_TRY_AS(spec.contact, text_of(command.contact, kMaxContactFile));
  }
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  if (!command.subject.empty()) {
    if (command.scopes.size() != 1)
      return Error(ErrorCode::kInvalidArgument, "--subject is somebody's in one tenant: name that");
    QUIETUS_TRY_AS(spec.scopes, scopes_meant(vault, command.scopes.front(), command.subject));
  }
  return shown(vault.governance().open(spec), invocation);
}

Result<ExitCode> run_verify_request(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Bytes evidence, read_file(command.evidence, kMaxEvidence));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Governance governance = vault.governance();
  QUIETUS_TRY_AS(const std::string statement,
                 governance.verification(command.id, command.method, evidence));
  Terminal::plan(statement);
  QUIETUS_TRY_AS(const std::string signature,
                 sign_with(invocation.options.identity, kVerifyNamespace, statement));
  return shown(governance.verify(command.id, statement, signature), invocation);
}

Result<ExitCode> run_request_plan(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::string plan, vault.governance().plan(command.id));
  if (invocation.terminal.json)
    invocation.terminal.document({{"request", command.id}, {"plan", plan}});
  else
    invocation.terminal.verbatim(plan);
  return ExitCode::kDone;
}

Result<ExitCode> run_approve(const RequestCommand& command, Invocation& invocation) {
  if (command.agent != command.signature.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "give the signature of the plan (--signature FILE), or sign it now (--agent)");
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Governance governance = vault.governance();
  std::string signature;
  if (command.agent) {
    QUIETUS_TRY_AS(const std::string plan, governance.plan(command.id));
    Terminal::plan(plan);
    QUIETUS_TRY_AS(signature, sign_with(invocation.options.identity, kApproveNamespace, plan));
  } else {
    QUIETUS_TRY_AS(signature, text_of(command.signature, kMaxSignatureFile));
  }
  return shown(governance.approve(command.id, signature), invocation);
}

Result<ExitCode> run_reject(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  return shown(vault.governance().reject(command.id, command.reason), invocation);
}

Result<ExitCode> run_cancel(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  return shown(vault.governance().cancel(command.id), invocation);
}

Result<ExitCode> run_extend(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::int64_t until, parse_date(command.until));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  return shown(vault.governance().extend(command.id, until, command.reason), invocation);
}

Result<ExitCode> run_execute(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const RequestInfo request, vault.governance().request(command.id));
  if (request.kind == "access" || request.kind == "portability")
    return Error(ErrorCode::kRefused, "that is done by `export --request " + command.id +
                                          " -o PATH`, which hands it out");
  QUIETUS_TRY_AS(const RequestInfo executed, vault.governance().execute(command.id));
  if (executed.kind != "correction") return shown(executed, invocation);
  return shown(vault.governance().complete(command.id), invocation);
}

Result<ExitCode> run_request_list(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(auto requests, vault.governance().requests());
  if (!command.all)
    std::erase_if(requests, [](const RequestInfo& one) { return one.ended_unix_ms != 0; });
  if (invocation.terminal.json) {
    Json list = Json::array();
    for (const RequestInfo& request : requests) list.push_back(request_json(request));
    invocation.terminal.document({{"requests", std::move(list)}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"REQUEST", "KIND", "STATE", "OPENED", "DEADLINE"}};
  for (const RequestInfo& request : requests) {
    std::string deadline =
        request.deadline_unix_ms == 0 ? "-" : timestamp(request.deadline_unix_ms);
    if (request.overdue) deadline += " OVERDUE";
    rows.push_back({request.id, request.kind, request.state, timestamp(request.opened_unix_ms),
                    std::move(deadline)});
  }
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// NUMBER-NAME.txt and .txt.sig, as ssh-keygen -Y verify wants them.
Result<void> write_signatures(const std::vector<SignedText>& signatures,
                              const std::filesystem::path& folder) {
  std::size_t number = 0;
  for (const SignedText& one : signatures) {
    const std::string name = std::to_string(++number) + ".txt";
    for (const auto& [file, text] :
         {std::pair(name, one.text), std::pair(name + ".sig", one.signature)}) {
      QUIETUS_TRY_AS(OutputFile out, OutputFile::create(folder / file));
      QUIETUS_TRY(out.write(as_bytes(text)));
      QUIETUS_TRY(out.commit());
    }
  }
  return {};
}

Result<ExitCode> run_request_show(const RequestCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const RequestInfo request, vault.governance().request(command.id));
  QUIETUS_TRY_AS(const auto signatures, vault.governance().signatures(command.id));
  if (!command.folder.empty()) QUIETUS_TRY(write_signatures(signatures, command.folder));
  if (invocation.terminal.json) {
    Json document = request_json(request);
    document["contact"] = request.contact.empty() ? Json(nullptr) : Json(request.contact);
    document["records"] = request.records;
    document["signatures"] = Json::array();
    for (const SignedText& one : signatures)
      document["signatures"].push_back(
          {{"name", one.name}, {"text", one.text}, {"signature", one.signature}});
    invocation.terminal.document(document);
    return ExitCode::kDone;
  }
  print_request(request, invocation.terminal);
  return ExitCode::kDone;
}

CLI::App& command_with_id(CLI::App& group, const std::string& name, const std::string& help,
                          RequestCommand& command) {
  CLI::App& made = *group.add_subcommand(name, help);
  made.add_option("ID", command.id, "As `request list` shows it")->required();
  return made;
}

void attach_open(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RequestCommand>();
  CLI::App& open = *group.add_subcommand("open", "Ask for something");
  open.add_option("KIND", options->kind,
                  "termination, deletion, restriction, access, portability, correction, "
                  "consent-withdrawal")
      ->required();
  open.add_option("SCOPE", options->scopes, "What it is about")->required();
  add_subject(open, options->subject);
  open.add_option("--reason", options->reason, "A code, such as deletion-request")->required();
  open.add_option("--contact-file", options->contact,
                  "How to answer who asked; sealed under the first scope. - for standard input");
  open.add_option("--record", options->records,
                  "Of a correction: the name of a record, as often as needed; sealed likewise");
  on_chosen(open, chosen, std::move(options), run_open_request);
}

void attach_verify_request(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RequestCommand>();
  CLI::App& verify =
      command_with_id(group, "verify", "State who asked is who they say, and sign it", *options);
  verify.add_option("--method", options->method, "A code, such as identity-card")->required();
  verify
      .add_option("--evidence", options->evidence,
                  "A file that stays with you; its SHA-256 is noted")
      ->required();
  on_chosen(verify, chosen, std::move(options), run_verify_request);
}

void attach_approve(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<RequestCommand>();
  CLI::App& approve = command_with_id(group, "approve", "Add an approval of the plan", *options);
  approve.add_option("--signature", options->signature,
                     "Of the plan: ssh-keygen -Y sign -n approve@quietus");
  approve.add_flag("--agent", options->agent, "Show the plan, and sign it now with --identity");
  on_chosen(approve, chosen, std::move(options), run_approve);
}

void attach_endings(CLI::App& group, Action& chosen) {
  auto rejected = std::make_shared<RequestCommand>();
  CLI::App& reject = command_with_id(group, "reject", "Say no", *rejected);
  reject.add_option("--reason", rejected->reason, "A code; its hash is in the log")->required();
  on_chosen(reject, chosen, std::move(rejected), run_reject);

  auto cancelled = std::make_shared<RequestCommand>();
  CLI::App& cancel = command_with_id(group, "cancel", "It is not asked for any more", *cancelled);
  on_chosen(cancel, chosen, std::move(cancelled), run_cancel);

  auto extended = std::make_shared<RequestCommand>();
  CLI::App& extend = command_with_id(group, "extend", "Another deadline", *extended);
  extend.add_option("--until", extended->until, "YYYY-MM-DD")->required();
  extend.add_option("--reason", extended->reason, "A code")->required();
  on_chosen(extend, chosen, std::move(extended), run_extend);
}

}  // namespace

void attach_request_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "request", "What is asked for, verified, approved and done");
  attach_open(group, chosen);
  attach_verify_request(group, chosen);

  auto planned = std::make_shared<RequestCommand>();
  CLI::App& plan =
      command_with_id(group, "plan", "Print what would be done, to be read and signed", *planned);
  on_chosen(plan, chosen, std::move(planned), run_request_plan);

  attach_approve(group, chosen);
  attach_endings(group, chosen);

  auto executed = std::make_shared<RequestCommand>();
  CLI::App& execute = command_with_id(group, "execute", "Do what was approved", *executed);
  on_chosen(execute, chosen, std::move(executed), run_execute);

  auto listed = std::make_shared<RequestCommand>();
  CLI::App& list = *group.add_subcommand("list", "Requests that have not ended");
  list.add_flag("--all", listed->all, "The ended ones too");
  on_chosen(list, chosen, std::move(listed), run_request_list);

  auto seen = std::make_shared<RequestCommand>();
  CLI::App& show = command_with_id(group, "show", "All about one", *seen);
  show.add_option("--signatures", seen->folder,
                  "Write each signed text and its signature into this folder");
  on_chosen(show, chosen, std::move(seen), run_request_show);
}

}  // namespace quietus::cli
