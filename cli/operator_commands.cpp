// operator: the people of a governed vault.
#include "attach.hpp"
#include "date_option.hpp"
#include "input_file.hpp"
#include "printable_text.hpp"
#include "request_output.hpp"
#include "ssh_keygen.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxKeysFile = 65536;  // bytes
constexpr std::size_t kMaxReview = std::size_t{4} << 20;

Json operator_json(const OperatorInfo& person) {
  Json keys = Json::array();
  for (const OperatorKeyInfo& key : person.keys)
    keys.push_back({{"type", key.type},
                    {"fingerprint", key.fingerprint},
                    {"second_factor", key.second_factor},
                    {"added", timestamp(key.added_unix_ms)},
                    {"used", time_or_null(key.used_unix_ms)}});
  return {{"id", person.id},
          {"name", person.name},
          {"roles", person.roles},
          {"from", timestamp(person.from_unix_ms)},
          {"until", time_or_null(person.until_unix_ms)},
          {"added", timestamp(person.added_unix_ms)},
          {"used", time_or_null(person.used_unix_ms)},
          {"removed", time_or_null(person.removed_unix_ms)},
          {"keys", std::move(keys)}};
}

// ---- add, remove ------------------------------------------------------------------------------

struct OperatorCommand {
  std::string name;
  std::vector<std::string> roles;
  std::string keys;
  std::string from;
  std::string until;
  bool yes = false;
};

Result<OperatorSpec> spec_of(const OperatorCommand& command) {
  OperatorSpec spec{command.name, command.roles, {}, 0, 0};
  QUIETUS_TRY_AS(const Bytes keys, read_file(command.keys, kMaxKeysFile));
  spec.keys = as_text(keys);
  if (!command.from.empty()) {
    QUIETUS_TRY_AS(spec.from_unix_ms, parse_date(command.from));
  }
  if (!command.until.empty()) {
    QUIETUS_TRY_AS(spec.until_unix_ms, parse_date(command.until));
  }
  return spec;
}

Result<ExitCode> run_add(const OperatorCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const OperatorSpec spec, spec_of(command));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const GovernanceStatus status, vault.governance().status());
  if (status.governed) {
    QUIETUS_TRY_AS(const RequestInfo request, vault.governance().propose_operator(spec));
    print_request(request, invocation.terminal);
    return ExitCode::kDone;
  }
  if (!command.yes) {
    Terminal::plan(
        "From now on nothing is erased, released, exported or changed in this vault "
        "without requests that\nothers approve. There is no way back.\n");
    QUIETUS_TRY(Terminal::confirm("Make it governed?", "govern"));
  }
  QUIETUS_TRY_AS(const OperatorInfo first, vault.governance().govern(spec));
  if (invocation.terminal.json)
    invocation.terminal.document({{"operator", operator_json(first)}, {"governed", true}});
  else
    invocation.terminal.line("the vault is governed from now on, and " + first.name +
                             " is its first admin");
  return ExitCode::kDone;
}

Result<ExitCode> run_remove(const OperatorCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const RequestInfo request, vault.governance().propose_removal(command.name));
  print_request(request, invocation.terminal);
  return ExitCode::kDone;
}

Result<ExitCode> run_break_glass(const OperatorCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(OperatorSpec spec, spec_of(command));
  spec.roles = {"admin"};
  QUIETUS_TRY_AS(Vault vault, open_without_actor(invocation.options));
  QUIETUS_TRY_AS(const std::int64_t when, vault.governance().break_glass(spec));
  if (invocation.terminal.json)
    invocation.terminal.document({{"admin", command.name}, {"from", time_or_null(when)}});
  else if (when == 0)
    invocation.terminal.line(command.name + " is an admin");
  else
    invocation.terminal.line("begun, and logged; do it again from " + timestamp(when) +
                             " on. It ends when an admin acts before");
  return ExitCode::kDone;
}

// ---- list -------------------------------------------------------------------------------------

Result<ExitCode> run_operator_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const auto people, vault.governance().operators());
  if (invocation.terminal.json) {
    Json list = Json::array();
    for (const OperatorInfo& person : people) list.push_back(operator_json(person));
    invocation.terminal.document({{"operators", std::move(list)}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "ROLES", "KEYS", "LAST USED", "UNTIL"}};
  for (const OperatorInfo& person : people) {
    std::string until = person.until_unix_ms == 0 ? "-" : timestamp(person.until_unix_ms);
    if (person.removed_unix_ms != 0) until = "removed " + timestamp(person.removed_unix_ms);
    rows.push_back({person.name, with_commas(person.roles), std::to_string(person.keys.size()),
                    person.used_unix_ms == 0 ? "never" : timestamp(person.used_unix_ms),
                    std::move(until)});
  }
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// ---- review -----------------------------------------------------------------------------------

struct ReviewCommand {
  bool sign = false;
  std::string text;
  std::string signature;
};

Result<ExitCode> run_review(const ReviewCommand& command, Invocation& invocation) {
  if (command.text.empty() != command.signature.empty())
    return Error(ErrorCode::kInvalidArgument, "--text and --signature go together");
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Governance governance = vault.governance();
  std::string text;
  if (command.text.empty()) {
    QUIETUS_TRY_AS(text, governance.review());
  } else {
    QUIETUS_TRY_AS(const Bytes given, read_file(command.text, kMaxReview));
    text = as_text(given);
  }
  std::string signature;
  if (command.sign) {
    QUIETUS_TRY_AS(signature, sign_with(invocation.options.identity, kReviewNamespace, text));
  } else if (!command.signature.empty()) {
    QUIETUS_TRY_AS(const Bytes given, read_file(command.signature, kMaxKeysFile));
    signature = as_text(given);
  }
  if (!signature.empty()) QUIETUS_TRY(governance.sign_review(text, signature));
  if (invocation.terminal.json)
    invocation.terminal.document({{"review", text}, {"signed", !signature.empty()}});
  else if (signature.empty())
    invocation.terminal.verbatim(text);
  else
    invocation.terminal.line("the access review is signed, and in the log");
  return ExitCode::kDone;
}

}  // namespace

void attach_operator_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "operator", "Who may do what to a governed vault");

  auto added = std::make_shared<OperatorCommand>();
  CLI::App& add = *group.add_subcommand(
      "add", "The first admin, who makes the vault governed for ever; or ask for another operator");
  add.add_option("NAME", added->name, "As it stands on plans")->required();
  add.add_option("--role", added->roles, "admin, operator, approver, verifier, auditor")
      ->required();
  add.add_option("--key", added->keys,
                 "A file of SSH public keys: .pub, authorized_keys or allowed_signers")
      ->required();
  add.add_option("--from", added->from, "YYYY-MM-DD: may act from then on");
  add.add_option("--until", added->until, "YYYY-MM-DD: and before that day");
  add.add_flag("--yes", added->yes, "Do not ask");
  on_chosen(add, chosen, std::move(added), run_add);

  auto removed = std::make_shared<OperatorCommand>();
  CLI::App& remove = *group.add_subcommand("remove", "Ask that somebody may do nothing any more");
  remove.add_option("NAME", removed->name, "")->required();
  on_chosen(remove, chosen, std::move(removed), run_remove);

  auto broken = std::make_shared<OperatorCommand>();
  CLI::App& glass = *group.add_subcommand(
      "break-glass", "When no admin can act any more: another one, after seven days");
  glass.add_option("NAME", broken->name, "")->required();
  glass.add_option("--key", broken->keys, "A file of SSH public keys")->required();
  on_chosen(glass, chosen, std::move(broken), run_break_glass);

  plain_command(group, "list", "Every operator, and when they acted last", chosen,
                run_operator_list);

  auto reviewed = std::make_shared<ReviewCommand>();
  CLI::App& review =
      *group.add_subcommand("review", "Print who can do what; signed, it closes the quarter");
  auto* sign = review.add_flag("--sign", reviewed->sign, "Sign it now, with --identity");
  review.add_option("--text", reviewed->text, "One that was printed before")->excludes(sign);
  review.add_option("--signature", reviewed->signature, "Its signature, by ssh-keygen -Y sign")
      ->excludes(sign);
  on_chosen(review, chosen, std::move(reviewed), run_review);
}

}  // namespace quietus::cli
