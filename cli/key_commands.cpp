// key: states of keys. hold: legal holds.
#include "attach.hpp"
#include "printable_text.hpp"
#include "request_output.hpp"

#include <nlohmann/json.hpp>

#include "date_option.hpp"
#include "rotation_commands.hpp"
#include "subject_option.hpp"

namespace quietus::cli {
namespace {

Json json_time(std::int64_t unix_ms) {
  return unix_ms == 0 ? Json(nullptr) : Json(timestamp(unix_ms));
}

// ---- key show -----------------------------------------------------------------------------------

struct KeyCommand {
  std::string scope;
  std::string subject;
  std::string reason;
};

Json json_of(const KeyInfo& key) {
  return {{"id", hex16(key.id)},
          {"line", key.line},
          {"generation", key.generation},
          {"state", key.state},
          {"created", json_time(key.created_unix_ms)},
          {"changed", json_time(key.changed_unix_ms)},
          {"commitment", key.commitment}};
}

Json json_of(const KeyReport& report, const std::string& scope) {
  Json keys = Json::array();
  for (const KeyInfo& key : report.keys) keys.push_back(json_of(key));
  return {{"scope", scope},
          {"id", hex16(report.scope_id)},
          {"state", report.state},
          {"changed", json_time(report.changed_unix_ms)},
          {"reason", report.reason.empty() ? Json(nullptr) : Json(report.reason)},
          {"effective", report.effective},
          {"held", report.held},
          {"keys", std::move(keys)}};
}

Result<ExitCode> run_show(const KeyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const KeyReport report,
                 vault.lifecycle().keys(command.scope).within(command.scope));
  if (invocation.terminal.json) {
    invocation.terminal.document(json_of(report, command.scope));
    return ExitCode::kDone;
  }
  invocation.terminal.print(columns({{"scope", command.scope},
                                     {"id", hex16(report.scope_id)},
                                     {"state", report.state},
                                     {"since", timestamp(report.changed_unix_ms)},
                                     {"reason", or_dash(report.reason)},
                                     {"effective", report.effective},
                                     {"held", report.held ? "yes" : "no"}}));
  std::vector<std::vector<std::string>> rows = {
      {"KEY", "LINE", "GENERATION", "STATE", "CREATED", "CHANGED"}};
  for (const KeyInfo& key : report.keys)
    rows.push_back({hex16(key.id), key.line, std::to_string(key.generation), key.state,
                    timestamp(key.created_unix_ms), timestamp(key.changed_unix_ms)});
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// ---- key suspend, resume, deactivate, compromise ------------------------------------------------

using Transition = Result<StandingReport> (Lifecycle::*)(std::string_view, std::string_view);

void tell_unconfirmed(const StandingReport& report) {
  if (report.unconfirmed == 0) return;
  Terminal::message(counted(report.unconfirmed, "process") +
                    " did not confirm in time and may still finish what it had begun");
}

template <Transition kTransition>
Result<ExitCode> run_transition(const KeyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  Lifecycle lifecycle = vault.lifecycle();
  QUIETUS_TRY_AS(const StandingReport report,
                 (lifecycle.*kTransition)(command.scope, command.reason).within(command.scope));
  tell_unconfirmed(report);
  if (!invocation.terminal.json) return ExitCode::kDone;
  QUIETUS_TRY_AS(const KeyReport keys, lifecycle.keys(command.scope).within(command.scope));
  Json document = json_of(keys, command.scope);
  document["acknowledged"] = report.acknowledged;
  document["unconfirmed"] = report.unconfirmed;
  invocation.terminal.document(document);
  return ExitCode::kDone;
}

template <Transition kTransition>
void attach_transition(CLI::App& group, const std::string& name, const std::string& help,
                       Action& chosen) {
  auto options = std::make_shared<KeyCommand>();
  CLI::App& command = *group.add_subcommand(name, help);
  command.add_option("SCOPE", options->scope, "")->required();
  command.add_option("--reason", options->reason, "Why: a code")->required();
  on_chosen(command, chosen, std::move(options), run_transition<kTransition>);
}

// Of a person, in all classes at once.
using SubjectTransition = Result<StandingReport> (Lifecycle::*)(std::span<const std::string>,
                                                                std::string_view);

template <SubjectTransition kTransition>
Result<ExitCode> run_subject_transition(const KeyCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::vector<std::string> scopes,
                 scopes_meant(vault, command.scope, command.subject));
  Lifecycle lifecycle = vault.lifecycle();
  QUIETUS_TRY_AS(const StandingReport report,
                 (lifecycle.*kTransition)(scopes, command.reason).within(command.scope));
  tell_unconfirmed(report);
  if (!invocation.terminal.json) return ExitCode::kDone;
  if (command.subject.empty()) {
    QUIETUS_TRY_AS(const KeyReport keys, lifecycle.keys(command.scope).within(command.scope));
    Json document = json_of(keys, command.scope);
    document["acknowledged"] = report.acknowledged;
    document["unconfirmed"] = report.unconfirmed;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.document({{"scopes", scopes},
                                  {"acknowledged", report.acknowledged},
                                  {"unconfirmed", report.unconfirmed}});
  }
  return ExitCode::kDone;
}

template <SubjectTransition kTransition>
void attach_subject_transition(CLI::App& group, const std::string& name, const std::string& help,
                               Action& chosen) {
  auto options = std::make_shared<KeyCommand>();
  CLI::App& command = *group.add_subcommand(name, help);
  command.add_option("SCOPE", options->scope, "")->required();
  command.add_option("--reason", options->reason, "Why: a code")->required();
  add_subject(command, options->subject);
  on_chosen(command, chosen, std::move(options), run_subject_transition<kTransition>);
}

void attach_key(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "key", "States of a scope's keys (NIST SP 800-57)");
  auto options = std::make_shared<KeyCommand>();
  CLI::App& show = *group.add_subcommand("show", "States, generations and commitments");
  show.add_option("SCOPE", options->scope, "")->required();
  on_chosen(show, chosen, std::move(options), run_show);
  attach_subject_transition<&Lifecycle::suspend>(
      group, "suspend", "Restrict processing (GDPR Art. 18); nothing is lost", chosen);
  attach_subject_transition<&Lifecycle::resume>(group, "resume", "Lift a restriction", chosen);
  attach_transition<&Lifecycle::deactivate>(group, "deactivate", "End writing; reads go on",
                                            chosen);
  attach_transition<&Lifecycle::compromise>(
      group, "compromise", "Others may know the keys: nothing more is written under them", chosen);
  attach_rotate(group, chosen);
}

// ---- hold ---------------------------------------------------------------------------------------

struct HoldCommand {
  std::string scope;
  std::string subject;
  std::string id;
  std::string reason;
  std::string authority;
  std::string until;
};

Json json_of(const HoldInfo& hold) {
  return {{"hold", hold.id},
          {"scope", hold.path.empty() ? Json(nullptr) : Json(hold.path)},
          {"scope_id", hex16(hold.scope_id)},
          {"placed", json_time(hold.placed_unix_ms)},
          {"until", json_time(hold.until_unix_ms)},
          {"reason", hold.reason},
          {"authority", hold.authority.empty() ? Json(nullptr) : Json(hold.authority)}};
}

Result<ExitCode> run_place(const HoldCommand& command, Invocation& invocation) {
  HoldOptions options;
  options.authority = command.authority;
  if (!command.until.empty()) {
    QUIETUS_TRY_AS(options.until_unix_ms, parse_date(command.until).within("--until"));
  }
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::vector<std::string> scopes,
                 scopes_meant(vault, command.scope, command.subject));
  QUIETUS_TRY_AS(
      const std::vector<HoldInfo> holds,
      vault.lifecycle().place_hold(scopes, command.reason, options).within(command.scope));
  Json list = Json::array();
  for (const HoldInfo& hold : holds) {
    list.push_back(json_of(hold));
    if (!invocation.terminal.json) invocation.terminal.line(hold.id);
  }
  if (invocation.terminal.json)
    invocation.terminal.document(command.subject.empty() ? list.front()
                                                         : Json{{"holds", std::move(list)}});
  return ExitCode::kDone;
}

Result<ExitCode> run_release(const HoldCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const bool governed, vault.governance().governed());
  if (governed) {
    QUIETUS_TRY_AS(const RequestInfo request, vault.governance().propose_release(command.id));
    print_request(request, invocation.terminal);
    return ExitCode::kDone;
  }
  QUIETUS_TRY(vault.lifecycle().release_hold(command.id).within("hold " + command.id));
  if (invocation.terminal.json)
    invocation.terminal.document({{"hold", command.id}, {"released", true}});
  return ExitCode::kDone;
}

Result<ExitCode> run_hold_list(const HoldCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  const std::string of = command.scope.empty() ? "hold list" : command.scope;
  QUIETUS_TRY_AS(const std::vector<HoldInfo> holds,
                 vault.lifecycle().holds(command.scope).within(of));
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const HoldInfo& hold : holds) {
    list.push_back(json_of(hold));
    rows.push_back({hold.id, timestamp(hold.placed_unix_ms),
                    or_dash(hold.until_unix_ms == 0 ? "" : timestamp(hold.until_unix_ms)),
                    hold.reason, or_dash(hold.authority), or_dash(hold.path)});
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"holds", std::move(list)}});
  else
    invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

void attach_hold(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "hold", "Legal holds: what must not be destroyed");
  auto place = std::make_shared<HoldCommand>();
  CLI::App& place_command = *group.add_subcommand(
      "place", "Keep a scope, what lies below it and what it depends on from being destroyed");
  place_command.add_option("SCOPE", place->scope, "")->required();
  place_command.add_option("--reason", place->reason, "Why: a code (litigation, audit, …)")
      ->required();
  place_command.add_option("--authority", place->authority,
                           "Who ordered it and under which reference; kept sealed");
  place_command.add_option("--until", place->until,
                           "YYYY-MM-DD: the day on which a sweep takes it away");
  add_subject(place_command, place->subject);
  on_chosen(place_command, chosen, std::move(place), run_place);

  auto release = std::make_shared<HoldCommand>();
  CLI::App& release_command = *group.add_subcommand("release", "Take a hold away");
  release_command.add_option("HOLD", release->id, "Its id, as `hold list` shows it")->required();
  on_chosen(release_command, chosen, std::move(release), run_release);

  auto list = std::make_shared<HoldCommand>();
  CLI::App& list_command =
      *group.add_subcommand("list", "All holds, or those that cover a scope from above");
  list_command.add_option("SCOPE", list->scope, "");
  on_chosen(list_command, chosen, std::move(list), run_hold_list);
}

}  // namespace

void attach_key_commands(CLI::App& app, Action& chosen) {
  attach_key(app, chosen);
  attach_hold(app, chosen);
}

}  // namespace quietus::cli
