// When data ends: terminations and other decisions about single scopes, the sweep, its clock.
#include "retention_commands.hpp"

#include "attach.hpp"
#include "date_option.hpp"
#include "plan_output.hpp"
#include "printable_text.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct DecisionCommand {
  std::string scope;
  std::string date;
  std::string period;
  bool cancel = false;
};

std::int64_t now_unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Result<std::int64_t> date_or_now(const std::string& date, std::string_view option) {
  if (date.empty()) return now_unix_ms();
  return parse_date(date).within(option);
}

Json time_or_null(const std::optional<std::int64_t>& unix_ms) {
  return unix_ms ? Json(timestamp(*unix_ms)) : Json(nullptr);
}
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json json_of(const ScheduleInfo& schedule) {
  return {{"scope", text_or_null(schedule.path)},
          {"scope_id", hex16(schedule.scope_id)},
          {"terminates", time_or_null(schedule.terminates)},
          {"ended", schedule.ended},
          {"consent_withdrawn", time_or_null(schedule.consent_withdrawn)},
          {"expires", time_or_null(schedule.expires)},
          {"erase_at", time_or_null(schedule.erase_at)},
          {"erase_reason", text_or_null(schedule.erase_reason)},
          {"chosen_period", text_or_null(schedule.chosen_period)}};
}

std::string to_line(const ScheduleInfo& schedule) {
  std::string text;
  const auto add = [&](std::string part) { text += (text.empty() ? "" : ", ") + std::move(part); };
  if (schedule.terminates)
    add((schedule.ended ? "ended " : "ends ") + timestamp(*schedule.terminates));
  if (schedule.consent_withdrawn)
    add("consent withdrawn " + timestamp(*schedule.consent_withdrawn));
  if (schedule.expires) add("expires " + timestamp(*schedule.expires));
  if (schedule.erase_at)
    add("to be erased " + timestamp(*schedule.erase_at) + " (" + schedule.erase_reason + ")");
  if (!schedule.chosen_period.empty()) add("keeps " + schedule.chosen_period);
  return text.empty() ? "nothing was decided" : text;
}

Result<ExitCode> show_decided(Vault& vault, const std::string& scope, Invocation& invocation) {
  QUIETUS_TRY_AS(const ScheduleInfo schedule, vault.retention().schedule(scope).within(scope));
  if (invocation.terminal.json)
    invocation.terminal.document(json_of(schedule));
  else
    invocation.terminal.line(to_line(schedule));
  return ExitCode::kDone;
}

Error usage(std::string text) {
  return {ErrorCode::kInvalidArgument, std::move(text)};
}

Result<ExitCode> run_terminate(const DecisionCommand& command, Invocation& invocation) {
  if (command.cancel && !command.date.empty())
    return usage("tenant terminate: either --effective or --cancel");
  QUIETUS_TRY_AS(const std::int64_t when, date_or_now(command.date, "--effective"));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Retention retention = vault.retention();
  QUIETUS_TRY((command.cancel ? retention.cancel_termination(command.scope)
                              : retention.terminate(command.scope, when))
                  .within(command.scope));
  return show_decided(vault, command.scope, invocation);
}

Result<ExitCode> run_withdraw(const DecisionCommand& command, Invocation& invocation) {
  if (command.cancel && !command.date.empty())
    return usage("scope withdraw: either --on or --cancel");
  QUIETUS_TRY_AS(const std::int64_t when, date_or_now(command.date, "--on"));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Retention retention = vault.retention();
  QUIETUS_TRY((command.cancel ? retention.restore_consent(command.scope)
                              : retention.withdraw_consent(command.scope, when))
                  .within(command.scope));
  return show_decided(vault, command.scope, invocation);
}

Result<ExitCode> run_expire(const DecisionCommand& command, Invocation& invocation) {
  if (command.cancel == !command.date.empty())
    return usage("scope expire: either --on DATE or --cancel");
  std::optional<std::int64_t> when;
  if (!command.cancel) {
    QUIETUS_TRY_AS(when, parse_date(command.date).within("--on"));
  }
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY(vault.retention().set_expiry(command.scope, when).within(command.scope));
  return show_decided(vault, command.scope, invocation);
}

Result<ExitCode> run_keep(const DecisionCommand& command, Invocation& invocation) {
  if (command.cancel == !command.period.empty())
    return usage("scope keep: either --for PERIOD or --cancel");
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY(vault.retention().choose_period(command.scope, command.period).within(command.scope));
  return show_decided(vault, command.scope, invocation);
}

Result<ExitCode> run_schedule(const DecisionCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  if (!command.scope.empty()) return show_decided(vault, command.scope, invocation);
  QUIETUS_TRY_AS(const std::vector<ScheduleInfo> schedules, vault.retention().schedules());
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const ScheduleInfo& schedule : schedules) {
    list.push_back(json_of(schedule));
    rows.push_back(
        {schedule.path.empty() ? hex16(schedule.scope_id) : schedule.path, to_line(schedule)});
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"schedules", std::move(list)}});
  else
    invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// ---- sweep, clock -------------------------------------------------------------------------------

struct SweepCommand {
  bool dry_run = false;
  std::optional<std::uint64_t> max;
};

Json json_of(const SweepReport& report, bool dry_run) {
  Json document = cli::to_json(report.plan);
  Json erasures = Json::array();
  for (const ErasureReport& erasure : report.erasures) erasures.push_back(cli::to_json(erasure));
  document["dry_run"] = dry_run;
  document["ended"] = report.scopes;
  document["limit"] = report.limit;
  document["erasures"] = std::move(erasures);
  document["holds_ended"] = report.holds_ended;
  document["terms_ended"] = report.terms_ended;
  document["keys_retired"] = report.keys_retired;
  document["keys_kept_because"] = report.keys_kept_because;
  document["unconfirmed"] = report.unconfirmed;
  document["rotations_finished"] = report.rotations_finished;
  return document;
}

Result<ExitCode> run_sweep(const SweepCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  SweepOptions options;
  options.dry_run = command.dry_run;
  options.max_scopes = command.max;
  QUIETUS_TRY_AS(const SweepReport report, vault.retention().sweep(options).within("sweep"));
  if (report.unconfirmed > 0)
    Terminal::message(counted(report.unconfirmed, "program") +
                      " may know of use that is not written down; what is due by its last use "
                      "waits for the next sweep");
  if (!report.keys_kept_because.empty())
    Terminal::message("older keys were not destroyed: " + report.keys_kept_because);
  if (invocation.terminal.json) {
    invocation.terminal.document(json_of(report, command.dry_run));
    return ExitCode::kDone;
  }
  invocation.terminal.print(plan_table(report.plan));
  if (command.dry_run) {
    invocation.terminal.line(counted(report.scopes, "scope") + " would be erased");
    return ExitCode::kDone;
  }
  if (report.terms_ended > 0)
    invocation.terminal.line(counted(report.terms_ended, "term") + " ended");
  if (report.holds_ended > 0)
    invocation.terminal.line(counted(report.holds_ended, "hold") + " ended");
  if (report.keys_retired > 0)
    invocation.terminal.line(counted(report.keys_retired, "older key") + " destroyed");
  invocation.terminal.line(counted(report.scopes, "scope") + " erased");
  for (const ErasureReport& erasure : report.erasures)
    invocation.terminal.line(erasure.certificate_id.empty()
                                 ? "a certificate for each scope: `quietus cert show SCOPE`"
                                 : "certificate " + erasure.certificate_id);
  return ExitCode::kDone;
}

struct ClockCommand {
  bool yes = false;
};

Result<ExitCode> run_clock_accept(const ClockCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  const std::string now = timestamp(now_unix_ms());
  Terminal::plan("The clock shows " + now +
                 ". From now on the sweep erases what is due by it, if it was refused before or "
                 "not.\n");
  if (!command.yes) QUIETUS_TRY(Terminal::confirm("Is that right?", now.substr(0, 10)));
  QUIETUS_TRY(vault.retention().accept_clock());
  if (invocation.terminal.json)
    invocation.terminal.document({{"accepted", now}});
  else
    invocation.terminal.line("accepted " + now);
  return ExitCode::kDone;
}

}  // namespace

void attach_terminate(CLI::App& tenant, Action& chosen) {
  auto options = std::make_shared<DecisionCommand>();
  CLI::App& command = *tenant.add_subcommand(
      "terminate", "The agreement ends: writes end then, and rules that count from it begin");
  command.add_option("NAME", options->scope, "")->required();
  command.add_option("--effective", options->date, "YYYY-MM-DD; without, now");
  command.add_flag("--cancel", options->cancel, "Take it back");
  on_chosen(command, chosen, std::move(options), run_terminate);
}

void attach_decisions(CLI::App& scope, Action& chosen) {
  auto withdrawn = std::make_shared<DecisionCommand>();
  CLI::App& withdraw = *scope.add_subcommand("withdraw", "Consent was withdrawn, or an opt-out");
  withdraw.add_option("SCOPE", withdrawn->scope, "")->required();
  withdraw.add_option("--on", withdrawn->date, "YYYY-MM-DD; without, now");
  withdraw.add_flag("--cancel", withdrawn->cancel, "Consent was given again");
  on_chosen(withdraw, chosen, std::move(withdrawn), run_withdraw);

  auto expired = std::make_shared<DecisionCommand>();
  CLI::App& expire = *scope.add_subcommand("expire", "Give a scope a day on which it is erased");
  expire.add_option("SCOPE", expired->scope, "")->required();
  expire.add_option("--on", expired->date, "YYYY-MM-DD");
  expire.add_flag("--cancel", expired->cancel, "Take it back");
  on_chosen(expire, chosen, std::move(expired), run_expire);

  auto kept = std::make_shared<DecisionCommand>();
  CLI::App& keep =
      *scope.add_subcommand("keep", "Choose a period in place of the policy's, within its bounds");
  keep.add_option("SCOPE", kept->scope, "")->required();
  keep.add_option("--for", kept->period, "30d, 6m, 7y");
  keep.add_flag("--cancel", kept->cancel, "As the policy says");
  on_chosen(keep, chosen, std::move(kept), run_keep);

  auto shown = std::make_shared<DecisionCommand>();
  CLI::App& schedule =
      *scope.add_subcommand("schedule", "What was decided about when a scope ends, or about all");
  schedule.add_option("SCOPE", shown->scope, "");
  on_chosen(schedule, chosen, std::move(shown), run_schedule);
}

void attach_sweep_commands(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<SweepCommand>();
  CLI::App& sweep = *app.add_subcommand("sweep", "Erase everything that is due, in one run");
  sweep.add_flag("--dry-run", options->dry_run, "Say what would be erased, and erase nothing");
  // A negative number would wrap to one that lets everything end.
  sweep
      .add_option("--max", options->max,
                  "How many scopes may end; by default a tenth of all, "
                  "at most 1,000 and always 10")
      ->check(CLI::NonNegativeNumber);
  on_chosen(sweep, chosen, std::move(options), run_sweep);

  auto accepted = std::make_shared<ClockCommand>();
  CLI::App& clock = group_of(app, "clock", "The clock that the sweep goes by");
  CLI::App& accept =
      *clock.add_subcommand("accept", "Vouch for the clock after it stopped the sweep");
  accept.add_flag("--yes", accepted->yes, "Do not ask");
  on_chosen(accept, chosen, std::move(accepted), run_clock_accept);
}

}  // namespace quietus::cli
