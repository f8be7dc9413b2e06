// Decisions about when single scopes end: what Retention offers, in terms of paths.
#include <quietus/vault.hpp>

#include <algorithm>

#include "governance/policy_rows.hpp"
#include "keys/holds.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_state.hpp"
#include "names.hpp"
#include "reasons.hpp"
#include "refusals.hpp"
#include "scope_paths.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr UnixMillis kEndOfYear9999 = 253'402'300'799'999;
constexpr Period kTenantGrace{7, Period::Unit::kDays};  // without a policy

// A decision about the scope of a path, and what it does to its schedule. `ends_use`: it changes
// what its keys may be used for.
struct Decision {
  std::string_view path;
  Code change = "none";
  UnixMillis when = 0;
  bool ends_use = false;
  bool postpones =
      false;  // a sweep that was begun and is not decided is taken back where it covers it
  bool takes_back = false;  // so is an erasure that was asked for
};

using ScheduleChange = FunctionRef<Result<void>(ScheduleRow&, const InfoRow&)>;

Result<void> decide_in(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                       const Decision& decision, UnixMillis now, ScheduleChange change) {
  QUIETUS_TRY(parse_scope_path(decision.path));
  QUIETUS_TRY_AS(const ScopeId scope, resolve_path(writer, scopes, decision.path));
  QUIETUS_TRY_AS(const InfoRow info, scopes.info(writer, scope));
  QUIETUS_TRY(
      decide_schedule(writer, scopes.seal(),
                      {scope, decision.change, decision.when, "none", now, decision.postpones},
                      [&](ScheduleRow& row) { return change(row, info); }));
  if (!decision.postpones) return {};
  return give_up_begun(writer, scopes, root, {scope, "postponed", now, !decision.takes_back});
}

Result<void> decide(const std::weak_ptr<VaultCore>& vault, const Decision& decision,
                    ScheduleChange change) {
  QUIETUS_TRY_AS(const auto core, open_core(vault));
  const UnixMillis now = core->environment.clock.now();
  const auto work = [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) {
    return decide_in(writer, scopes, root, decision, now, change);
  };
  if (!decision.ends_use) return core->update(work);
  QUIETUS_TRY(core->keys->update_standing(work));
  // So that an older copy of the store, in which it is not decided, is recognised. If the anchor
  // cannot be written, it is merely older than the log.
  static_cast<void>(core->keys->refresh_anchor());
  return {};
}

// A scope that was made while the clock was ahead has no day of its making yet.
Result<void> check_day(const InfoRow& info, UnixMillis when, UnixMillis now) {
  if (when > kEndOfYear9999)
    return Error(ErrorCode::kInvalidArgument, "the day lies beyond the year 9999");
  if (when >= day_of(std::min(info.created, now))) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the day lies before the scope was made, on " + day_text(info.created));
}

// With a clock that is behind what a sweep accepted, a day that is not after it says "now".
Result<UnixMillis> counted_from(VaultCore& core, UnixMillis when) {
  const UnixMillis now = core.environment.clock.now();
  if (when > now) return when;
  UnixMillis counted = now;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(counted, rows::no_earlier_than_accepted(reader, scopes.seal(), now));
        return {};
      }));
  return counted > now ? counted : when;
}

Error nothing_decided(std::string text) {
  return {ErrorCode::kNotFound, std::move(text)};
}

ScheduleInfo info_of(const ScheduleRow& row, std::string path) {
  return {row.scope,   std::move(path), row.terminates,   row.ended,        row.consent_withdrawn,
          row.expires, row.erase_at,    row.erase_reason, row.chosen_period};
}

Result<std::optional<Policy>> policy_in_force(ControlReader& reader, const RowSeal& seal,
                                              UnixMillis now) {
  QUIETUS_TRY_AS(const auto versions, rows::policies(reader, seal));
  const PolicyVersion* version = in_force(versions, now);
  if (version == nullptr) return std::optional<Policy>();
  QUIETUS_TRY_AS(Policy policy, parse_policy(version->text));
  return std::optional(std::move(policy));
}

const ClassPolicy* rules_for(const std::optional<Policy>& policy, const std::string& data_class,
                             bool is_tenant) {
  if (!policy) return nullptr;
  if (is_tenant) return &policy->tenant;
  const auto named = policy->classes.find(data_class);
  return named == policy->classes.end() ? nullptr : &named->second;
}

Period grace_of(const std::optional<Policy>& policy, const std::string& data_class,
                bool is_tenant) {
  if (const ClassPolicy* rules = rules_for(policy, data_class, is_tenant)) return rules->grace;
  return is_tenant && !policy ? kTenantGrace : Period{};
}

bool is_tenant_path(std::string_view path) {
  return path.find('/') == std::string_view::npos;
}

Result<std::vector<ErasureAppointment>> appointments_in(ControlReader& reader, ScopeTable& scopes,
                                                        std::span<const std::string> paths,
                                                        UnixMillis now) {
  QUIETUS_TRY_AS(const auto policy, policy_in_force(reader, scopes.seal(), now));
  QUIETUS_TRY_AS(const UnixMillis counted,
                 rows::no_earlier_than_accepted(reader, scopes.seal(), now));
  std::vector<ErasureAppointment> found;
  for (const std::string& path : paths) {
    QUIETUS_TRY(parse_scope_path(path));
    QUIETUS_TRY_AS(const ScopeId scope, resolve_for_erasure(reader, scopes, path));
    // A scope that cannot be read any more has no class that would say how long to wait.
    const auto info = scopes.info(reader, scope);
    const Period grace =
        info.ok() ? grace_of(policy, info->data_class, is_tenant_path(path)) : Period{};
    found.push_back({path, after(counted, grace), to_text(grace)});
  }
  return found;
}

}  // namespace

Retention Vault::retention() {
  return Retention(core_);
}

Result<void> Retention::terminate(std::string_view path, std::int64_t effective_unix_ms) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "a termination"));
  QUIETUS_TRY_AS(effective_unix_ms, counted_from(*core, effective_unix_ms));
  QUIETUS_TRY_AS(const UnixMillis now, counted_from(*core, core->environment.clock.now()));
  const bool at_once = effective_unix_ms <= now;
  return decide(core_, {path, "termination-set", effective_unix_ms, at_once, true},
                [&](ScheduleRow& row, const InfoRow& info) -> Result<void> {
                  QUIETUS_TRY(check_day(info, effective_unix_ms, core->environment.clock.now()));
                  if (row.ended)
                    return Error(ErrorCode::kRefused, "it has ended already, on " +
                                                          day_text(row.terminates.value_or(0)));
                  row.terminates = effective_unix_ms;
                  row.ended = at_once;
                  return {};
                });
}

Result<void> Retention::cancel_termination(std::string_view path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const UnixMillis now = core->environment.clock.now();
  return decide(core_, {path, "termination-cancelled", now, true, true},
                [](ScheduleRow& row, const InfoRow&) -> Result<void> {
                  if (!row.terminates) return nothing_decided("it has no termination");
                  row.terminates.reset();
                  row.ended = false;
                  return {};
                });
}

Result<void> Retention::withdraw_consent(std::string_view path, std::int64_t when_unix_ms) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "a withdrawal of consent"));
  QUIETUS_TRY_AS(when_unix_ms, counted_from(*core, when_unix_ms));
  return decide(core_, {path, "consent-withdrawn", when_unix_ms, false, true},
                [&](ScheduleRow& row, const InfoRow& info) -> Result<void> {
                  QUIETUS_TRY(check_day(info, when_unix_ms, core->environment.clock.now()));
                  row.consent_withdrawn = when_unix_ms;
                  return {};
                });
}

Result<void> Retention::restore_consent(std::string_view path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return decide(core_, {path, "consent-restored", core->environment.clock.now(), false, true},
                [](ScheduleRow& row, const InfoRow&) -> Result<void> {
                  if (!row.consent_withdrawn) return nothing_decided("no consent was withdrawn");
                  row.consent_withdrawn.reset();
                  return {};
                });
}

Result<void> Retention::set_expiry(std::string_view path,
                                   std::optional<std::int64_t> when_unix_ms) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "a day of expiry"));
  if (when_unix_ms) {
    QUIETUS_TRY_AS(*when_unix_ms, counted_from(*core, *when_unix_ms));
  }
  const UnixMillis when = when_unix_ms.value_or(core->environment.clock.now());
  return decide(
      core_, {path, when_unix_ms ? Code("expiry-set") : Code("expiry-removed"), when, false, true},
      [&](ScheduleRow& row, const InfoRow& info) -> Result<void> {
        if (!when_unix_ms && !row.expires) return nothing_decided("it has no expiry");
        if (when_unix_ms)
          QUIETUS_TRY(check_day(info, *when_unix_ms, core->environment.clock.now()));
        row.expires = when_unix_ms;
        return {};
      });
}

Result<void> Retention::choose_period(std::string_view path, std::string_view period) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "another period"));
  const auto parsed = parse_period(period);
  if (!parsed && !period.empty())
    return Error(ErrorCode::kInvalidArgument, "a period is for example 30d, 6m or 7y");
  const UnixMillis now = core->environment.clock.now();
  std::optional<Policy> policy;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(policy, policy_in_force(reader, scopes.seal(), now));
        return {};
      }));
  return decide(
      core_, {path, parsed ? Code("period-chosen") : Code("period-removed"), now, false, true},
      [&](ScheduleRow& row, const InfoRow& info) -> Result<void> {
        const ClassPolicy* rules = rules_for(policy, info.data_class, is_tenant_path(path));
        const bool in_bounds = rules != nullptr && rules->override_bounds && parsed &&
                               never_longer(rules->override_bounds->least, *parsed) &&
                               never_longer(*parsed, rules->override_bounds->most);
        if (parsed && !in_bounds)
          return Error(ErrorCode::kRefused,
                       "the policy in force does not let its class choose that");
        row.chosen_period = parsed ? to_text(*parsed) : std::string();
        return {};
      });
}

Result<std::vector<ScheduleInfo>> Retention::schedules() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<ScheduleInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::all_schedules(reader, scopes.seal()));
        for (const ScheduleRow& row : all) {
          auto path = path_of(reader, scopes, row.scope);
          // What was below an erased scope is gone with it.
          if (!path && path.error().code() == ErrorCode::kErased) continue;
          found.push_back(info_of(row, path.ok() ? std::move(path).value() : std::string()));
        }
        return {};
      }));
  std::sort(found.begin(), found.end(),
            [](const ScheduleInfo& a, const ScheduleInfo& b) { return a.path < b.path; });
  return found;
}

Result<ScheduleInfo> Retention::schedule(std::string_view path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  ScheduleInfo info;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY(parse_scope_path(path));
        QUIETUS_TRY_AS(const ScopeId scope, resolve_path(reader, scopes, path));
        QUIETUS_TRY_AS(auto row, rows::schedule(reader, scopes.seal(), scope));
        if (!row) row.emplace().scope = scope;
        info = info_of(*row, std::string(path));
        return {};
      }));
  return info;
}

Result<std::vector<ErasureAppointment>> Retention::appointments(
    std::span<const std::string> paths) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const UnixMillis now = core->environment.clock.now();
  std::vector<ErasureAppointment> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(found, appointments_in(reader, scopes, paths, now));
        return {};
      }));
  return found;
}

Result<std::vector<ErasureAppointment>> Retention::schedule_erasure(
    std::span<const std::string> paths, std::string_view reason) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "an erasure"));
  QUIETUS_TRY_AS(const ErasureReason why, parse_erasure_reason(reason));
  const UnixMillis now = core->environment.clock.now();
  std::vector<ErasureAppointment> made;
  std::vector<ScopeId> targets;
  const auto ask = [&](ControlWriter& writer, ScopeTable& scopes, const std::string& path,
                       UnixMillis when) -> Result<void> {
    QUIETUS_TRY_AS(const ScopeId scope, resolve_path(writer, scopes, path));
    QUIETUS_TRY_AS(const auto row, rows::key_row(writer, scopes.seal(), scope));
    if (!why.text.empty() && row) {
      QUIETUS_TRY_AS(const auto parent, scopes.keys(writer, row->parent));
      QUIETUS_TRY(rows::put_reason_text(writer, scopes.seal_under(*parent), scope, why.text));
    }
    targets.push_back(scope);
    return decide_schedule(
        writer, scopes.seal(), {scope, "erasure-scheduled", when, *Code::parse(why.code), now},
        [&](ScheduleRow& schedule) -> Result<void> {
          if (schedule.erase_at)
            return Error(ErrorCode::kAlreadyExists, "its erasure was asked for already, for " +
                                                        format_utc(*schedule.erase_at));
          schedule.erase_at = when;
          schedule.erase_reason = why.code;
          return {};
        });
  };
  const auto scheduled = core->keys->update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        targets.clear();
        QUIETUS_TRY_AS(made, appointments_in(writer, scopes, paths, now));
        for (const ErasureAppointment& appointment : made)
          QUIETUS_TRY(ask(writer, scopes, appointment.path, appointment.when_unix_ms));
        return check_not_held(writer, scopes.seal(), targets);
      });
  if (!scheduled && scheduled.error().code() == ErrorCode::kHeld)
    for (const ScopeId scope : targets) note_refused(*core->keys, scope, "erase", now);
  QUIETUS_TRY(scheduled);
  static_cast<void>(core->keys->refresh_anchor());
  return made;
}

Result<void> Retention::cancel_erasure(std::span<const std::string> paths) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  if (paths.empty()) return Error(ErrorCode::kInvalidArgument, "no scope to keep");
  const UnixMillis now = core->environment.clock.now();
  const auto take_back = [](ScheduleRow& row, const InfoRow&) -> Result<void> {
    if (!row.erase_at) return nothing_decided("no erasure of it was asked for");
    row.erase_at.reset();
    row.erase_reason.clear();
    return {};
  };
  QUIETUS_TRY(core->keys->update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        for (const std::string& path : paths) {
          const Decision decision{path, "erasure-cancelled", now, true, true, true};
          QUIETUS_TRY(decide_in(writer, scopes, root, decision, now, take_back).within(path));
          // What was said about why goes too.
          QUIETUS_TRY_AS(const ScopeId scope, resolve_path(writer, scopes, path));
          QUIETUS_TRY(rows::remove_reason_text(writer, scope));
        }
        return {};
      }));
  static_cast<void>(core->keys->refresh_anchor());
  return {};
}

}  // namespace quietus
