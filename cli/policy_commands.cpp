// policy: the retention policy of the vault.
#include "attach.hpp"
#include "date_option.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "plan_output.hpp"
#include "printable_text.hpp"
#include "request_output.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kMaxPolicyFile = std::size_t{64} * 1024;

struct PolicyCommand {
  std::string file;
  std::uint32_t version = 0;
  std::string before;
  std::string after;
  std::string until;
  std::string page;
};

Json json_of(const PolicyInfo& policy) {
  return {{"version", policy.version},
          {"applied", timestamp(policy.applied_unix_ms)},
          {"effective", timestamp(policy.effective_unix_ms)},
          {"in_force", policy.in_force}};
}

Result<std::string> read_policy(const std::string& path) {
  QUIETUS_TRY_AS(const Bytes bytes, read_file(path, kMaxPolicyFile));
  return std::string(as_text(bytes));
}

Result<ExitCode> run_check(const PolicyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::string text, read_policy(command.file));
  QUIETUS_TRY(check_policy(text).within(command.file));
  if (invocation.terminal.json)
    invocation.terminal.document({{"file", command.file}, {"valid", true}});
  else
    invocation.terminal.line("valid");
  return ExitCode::kDone;
}

Result<ExitCode> run_apply(const PolicyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::string text, read_policy(command.file));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const bool governed, vault.governance().governed());
  if (governed) {
    QUIETUS_TRY_AS(const RequestInfo request,
                   vault.governance().propose_policy(text).within(command.file));
    print_request(request, invocation.terminal);
    return ExitCode::kDone;
  }
  QUIETUS_TRY_AS(const PolicyInfo applied,
                 vault.retention().apply_policy(text).within(command.file));
  if (invocation.terminal.json)
    invocation.terminal.document(json_of(applied));
  else
    invocation.terminal.print(columns({{"version", std::to_string(applied.version)},
                                       {"effective", timestamp(applied.effective_unix_ms)}}));
  return ExitCode::kDone;
}

Result<PolicyInfo> find_version(Vault& vault, std::uint32_t version) {
  QUIETUS_TRY_AS(std::vector<PolicyInfo> policies, vault.retention().policies());
  if (policies.empty()) return Error(ErrorCode::kNotFound, "no policy was applied yet");
  for (PolicyInfo& policy : policies)
    if (policy.version == version || (version == 0 && policy.in_force)) return std::move(policy);
  return Error(ErrorCode::kNotFound,
               version == 0 ? std::string("no version of the policy is in force yet")
                            : "there is no version " + std::to_string(version) + " of the policy");
}

Result<ExitCode> run_show(const PolicyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const PolicyInfo policy, find_version(vault, command.version));
  if (invocation.terminal.json) {
    Json document = json_of(policy);
    document["text"] = policy.text;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.verbatim(policy.text);
  }
  return ExitCode::kDone;
}

Result<ExitCode> run_policy_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::vector<PolicyInfo> policies, vault.retention().policies());
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const PolicyInfo& policy : policies) {
    list.push_back(json_of(policy));
    rows.push_back({std::to_string(policy.version), "applied " + timestamp(policy.applied_unix_ms),
                    "effective " + timestamp(policy.effective_unix_ms),
                    policy.in_force ? "in force" : ""});
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"policies", std::move(list)}});
  else
    invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

bool is_version(const std::string& name) {
  return !name.empty() && name.size() <= 9 &&
         name.find_first_not_of("0123456789") == std::string::npos;
}

// A number is a version of the vault's, which is opened for it; anything else is a file.
Result<std::string> policy_text(const GlobalOptions& options, const std::string& name) {
  if (!is_version(name)) return read_policy(name);
  QUIETUS_TRY_AS(Vault vault, open_for_reading(options));
  QUIETUS_TRY_AS(PolicyInfo policy,
                 find_version(vault, static_cast<std::uint32_t>(std::stoul(name))));
  return std::move(policy.text);
}

Result<ExitCode> run_diff(const PolicyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::string before, policy_text(invocation.options, command.before));
  QUIETUS_TRY_AS(const std::string after, policy_text(invocation.options, command.after));
  QUIETUS_TRY(check_policy(before).within(command.before));
  QUIETUS_TRY(check_policy(after).within(command.after));
  QUIETUS_TRY_AS(const std::vector<std::string> lines, policy_differences(before, after));
  if (invocation.terminal.json) {
    invocation.terminal.document({{"differences", lines}});
    return ExitCode::kDone;
  }
  for (const std::string& line : lines) invocation.terminal.line(line);
  return ExitCode::kDone;
}

// The end of the day.
Result<std::int64_t> last_moment_of(const std::string& date) {
  constexpr std::int64_t kDay = 86'400'000;
  QUIETUS_TRY_AS(const std::int64_t begin, parse_date(date).within("--until"));
  return begin + kDay - 1;
}

Result<void> write_page(const std::string& path, const std::string& page) {
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  QUIETUS_TRY(file.write(as_bytes(page)));
  return file.commit();
}

Result<ExitCode> run_plan(const PolicyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const std::int64_t until, last_moment_of(command.until));
  std::string trial;
  if (!command.file.empty()) {
    QUIETUS_TRY_AS(trial, read_policy(command.file));
    QUIETUS_TRY(check_policy(trial).within(command.file));
  }
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const RetentionPlan plan, vault.retention().plan(until, trial));
  if (!command.page.empty()) QUIETUS_TRY(write_page(command.page, plan_page(plan, command.file)));
  if (invocation.terminal.json)
    invocation.terminal.document(cli::to_json(plan));
  else
    invocation.terminal.print(plan.scopes.empty() ? "nothing is due until then\n"
                                                  : plan_table(plan));
  return ExitCode::kDone;
}

}  // namespace

void attach_policy_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "policy", "The retention policy: what is kept how long");
  auto checked = std::make_shared<PolicyCommand>();
  CLI::App& check = *group.add_subcommand("check", "Whether a file is a policy; needs no vault");
  check.add_option("FILE", checked->file, "TOML, as docs/policy.md explains")->required();
  on_chosen(check, chosen, std::move(checked), run_check);

  auto applied = std::make_shared<PolicyCommand>();
  CLI::App& apply = *group.add_subcommand("apply", "Make a file the newest version of the policy");
  apply.add_option("FILE", applied->file, "")->required();
  on_chosen(apply, chosen, std::move(applied), run_apply);

  auto shown = std::make_shared<PolicyCommand>();
  CLI::App& show = *group.add_subcommand("show", "Print the version in force, or another");
  show.add_option("--version", shown->version, "Its number, as `policy list` shows it");
  on_chosen(show, chosen, std::move(shown), run_show);

  plain_command(group, "list", "All versions that were ever applied", chosen, run_policy_list);

  auto compared = std::make_shared<PolicyCommand>();
  CLI::App& diff = *group.add_subcommand("diff", "What differs between two versions or files");
  diff.add_option("BEFORE", compared->before, "A version's number, or a file")->required();
  diff.add_option("AFTER", compared->after, "")->required();
  on_chosen(diff, chosen, std::move(compared), run_diff);

  auto planned = std::make_shared<PolicyCommand>();
  CLI::App& plan = *group.add_subcommand("plan", "What will be erased when, and by which rule");
  plan.add_option("--until", planned->until, "YYYY-MM-DD, that day included")->required();
  plan.add_option("--policy", planned->file, "As if this file were applied as the newest version");
  plan.add_option("--html", planned->page, "Write a page with a chart to this file");
  on_chosen(plan, chosen, std::move(planned), run_plan);
}

}  // namespace quietus::cli
