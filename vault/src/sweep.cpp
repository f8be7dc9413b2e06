// The sweep: everything that is due, in one erasure run, behind the guards of docs/retention.md.
#include <quietus/lifecycle.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "base/failpoint.hpp"
#include "erase_scopes.hpp"
#include "governance/accepted_time.hpp"
#include "keys/backups.hpp"
#include "keys/scope_state.hpp"
#include "retention_plan.hpp"
#include "retire.hpp"
#include "sweep_targets.hpp"

namespace quietus {
namespace {

constexpr int kMaxSweepTries = 3;
constexpr auto kAttention = std::chrono::minutes(50);  // at most; it ends with the sweep
constexpr std::uint64_t kAlwaysAllowed = 10;
constexpr std::uint64_t kUsuallyAllowed = 1000;

std::uint64_t limit_for(const SweepOptions& options, std::uint64_t living) {
  if (options.max_scopes) return *options.max_scopes;
  return std::max(kAlwaysAllowed, std::min(kUsuallyAllowed, living / 10));
}

Error too_many(std::uint64_t due, const SweepReport& report) {
  return {
      ErrorCode::kRefused,
      std::to_string(due) + " scopes are due, and at most " + std::to_string(report.limit) +
          " may end in one sweep of a vault of " + std::to_string(report.plan.living) +
          "; look at them with --dry-run, then allow as many with --max; nothing was destroyed"};
}

class Sweep {
 public:
  Sweep(VaultCore& core, const SweepOptions& options) : core_(core), options_(options) {}

  Result<SweepReport> run() {
    for (int tries = 1;; ++tries) {
      auto done = run_once();
      if (done) {
        done->holds_ended = holds_ended_;
        done->terms_ended = terms_ended_;
      }
      if (done || tries == kMaxSweepTries || !came_between(done.error().code())) return done;
    }
  }

 private:
  // Somebody else decided something, placed a hold, used, made or erased a scope meanwhile.
  static bool came_between(ErrorCode code) {
    return code == ErrorCode::kBusy || code == ErrorCode::kErased || code == ErrorCode::kHeld ||
           code == ErrorCode::kNotFound;
  }

  Result<SweepReport> run_once() {
    SweepReport report;
    now_ = core_.environment.clock.now();
    QUIETUS_TRY(begin());
    const Attention attention(core_);
    QUIETUS_TRY_AS(report.unconfirmed, attention.await_written());
    const Forecast::Request request{now_, now_, report.unconfirmed > 0};
    QUIETUS_TRY_AS(Foreseen foreseen, foresee(core_, request));
    QUIETUS_TRY_AS(const SweepTargets targets, sort_out(core_, foreseen.prospects, now_));
    tell_kept(targets.kept, foreseen);
    report.plan = plan_of(core_, foreseen, request);
    report.limit = limit_for(options_, foreseen.living);
    report.scopes = targets.dying.scopes;
    if (options_.dry_run) return report;
    if (report.scopes > report.limit) return too_many(report.scopes, report);
    QUIETUS_TRY(put_right(foreseen.misdated));
    QUIETUS_FAILPOINT("sweep/before-erasure");
    if (targets.due.empty()) return report;
    QUIETUS_TRY(erase(targets, foreseen, report));
    tell_passed_over(targets, report);
    return report;
  }

  // While a sweep looks, everybody writes down use before it returns.
  class Attention {
   public:
    explicit Attention(VaultCore& core)
        : core_(core), call_(core.holders->call_for_attention(kAttention)) {}
    Attention(const Attention&) = delete;
    Attention& operator=(const Attention&) = delete;
    ~Attention() { core_.holders->end_attention(call_); }
    // How many processes may know of use that is not written down.
    Result<std::uint32_t> await_written() const {
      static_cast<void>(core_.activity->flush());
      return core_.holders->await_written(core_.options.acknowledgement_timeout);
    }

   private:
    VaultCore& core_;
    Holders::Call call_;
  };

  static void tell_kept(const std::map<ScopeId, Outlook>& kept, Foreseen& foreseen) {
    for (Prospect& prospect : foreseen.prospects) {
      const auto found = kept.find(prospect.scope);
      if (found == kept.end() || prospect.outlook != Outlook::kDue) continue;
      prospect.outlook = found->second;
      foreseen.unreadable += found->second == Outlook::kUnreadable ? 1 : 0;
    }
  }

  // What was damaged so that an erasure of many passed it over has not ended.
  void tell_passed_over(const SweepTargets& targets, SweepReport& report) const {
    const auto alive = still_alive(core_, targets.due);
    if (!alive) return;
    const std::set<ScopeId> left(alive->begin(), alive->end());
    for (Prospective& shown : report.plan.scopes) {
      if (!left.contains(shown.scope_id) || shown.outlook != name_of(Outlook::kDue)) continue;
      shown.outlook = std::string(name_of(Outlook::kUnreadable));
      report.scopes -= std::min(report.scopes, 1 + shown.below);
    }
  }

  // What needs no root change. A dry run looks at the clock alone.
  Result<void> begin() {
    const UnixMillis now = now_;
    std::uint64_t holds_ended = 0;
    if (options_.dry_run)
      return core_.read(
          [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
            QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, scopes.seal()));
            return check_clock(time, now);
          });
    QUIETUS_TRY(
        core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          holds_ended = 0;
          QUIETUS_TRY(accept_time(writer, scopes.seal(), now));
          QUIETUS_TRY_AS(const auto holds, rows::all_holds(writer, scopes.seal()));
          for (const HoldRow& hold : holds) {
            if (hold.until == 0 || hold.until > now) continue;
            QUIETUS_TRY(release_hold_in(writer, scopes.seal(), hold, now));
            ++holds_ended;
          }
          return {};
        }));
    if (holds_ended > 0) core_.holders->publish();
    holds_ended_ += holds_ended;
    return end_terms(now);
  }

  Result<void> end_terms(UnixMillis now) {
    std::vector<ScopeId> over;
    std::vector<ScopeId> dead;  // erased with something above
    QUIETUS_TRY(
        core_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          over.clear();
          dead.clear();
          QUIETUS_TRY_AS(const auto schedules, rows::all_schedules(reader, scopes.seal()));
          for (const ScheduleRow& row : schedules) {
            const auto keys = scopes.keys(reader, row.scope);
            if (!keys && keys.error().code() == ErrorCode::kErased) dead.push_back(row.scope);
            const bool has_come = row.terminates && *row.terminates <= now && !row.ended;
            if (keys && has_come) over.push_back(row.scope);
          }
          return {};
        }));
    QUIETUS_TRY(forget(dead));
    if (over.empty()) return {};
    std::uint64_t ended = 0;
    QUIETUS_TRY(core_.keys->update_standing(
        [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          ended = 0;
          for (const ScopeId scope : over) QUIETUS_TRY(end_term(writer, scopes, scope, now, ended));
          return {};
        }));
    terms_ended_ += ended;
    return {};
  }

  Result<void> forget(const std::vector<ScopeId>& dead) {
    if (dead.empty()) return {};
    return core_.update([&](ControlWriter& writer, ScopeTable&, RootRow&) -> Result<void> {
      for (const ScopeId scope : dead) QUIETUS_TRY(rows::remove_schedule(writer, scope));
      return {};
    });
  }

  static Result<void> end_term(ControlWriter& writer, ScopeTable& scopes, ScopeId scope,
                               UnixMillis now, std::uint64_t& count) {
    QUIETUS_TRY_AS(const auto row, rows::schedule(writer, scopes.seal(), scope));
    if (!row || row->ended || !row->terminates || *row->terminates > now) return {};
    auto ended = decide_schedule(writer, scopes.seal(),
                                 {scope, "term-ended", *row->terminates, "contract-ended", now},
                                 [](ScheduleRow& schedule) -> Result<void> {
                                   schedule.ended = true;
                                   return {};
                                 });
    // Erased meanwhile, or damaged, as the forecast then tells.
    if (!ended &&
        (ended.error().code() == ErrorCode::kErased || ended.error().code() == ErrorCode::kCorrupt))
      return {};
    if (ended) ++count;
    return ended;
  }

  // A clock that was ahead for a while noted days that have not come: they would keep a scope for
  // as long as it was wrong. They count from now.
  Result<void> put_right(const std::vector<ScopeId>& misdated) {
    if (misdated.empty()) return {};
    return core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
      for (const ScopeId scope : misdated) QUIETUS_TRY(put_one_right(writer, scopes, scope));
      return {};
    });
  }

  Result<void> put_one_right(ControlWriter& writer, ScopeTable& scopes, ScopeId scope) const {
    const auto keys = scopes.keys(writer, scope);
    auto info = scopes.info(writer, scope);
    const auto day = rows::last_activity(writer, scopes.seal(), scope);
    if (!keys || !info || !day) return {};  // erased meanwhile, or damaged
    if (*day && **day > now_) QUIETUS_TRY(rows::put_activity(writer, scopes.seal(), scope, now_));
    if (info->created <= now_) return {};
    info->created = now_;
    return rows::put_info(writer, scopes.seal_under(**keys), scope, *info);
  }

  Result<void> erase(const SweepTargets& targets, const Foreseen& foreseen, SweepReport& report) {
    std::vector<DueErasure> due;
    for (const Prospect& prospect : targets.due) due.push_back({prospect.scope, prospect.reason});
    // Also of what is taken along by something else.
    std::map<ScopeId, UnixMillis> by_activity;
    for (const Prospect& prospect : foreseen.prospects)
      if (prospect.outlook == Outlook::kDue && prospect.activity)
        by_activity.emplace(prospect.scope, *prospect.activity);
    const auto guard = [&](ControlReader& reader, const RowSeal& seal, UnixMillis now,
                           RootChangeRequest::Moment moment) -> Result<void> {
      QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, seal));
      QUIETUS_TRY(check_clock(time, now));
      if (now < now_ - kClockMayGoBack)
        return Error(ErrorCode::kBusy, "the clock was set back meanwhile; try again");
      // After T1 whoever postpones an erasure, or makes a scope that would die, takes it back.
      if (moment == RootChangeRequest::Moment::kBegin)
        QUIETUS_TRY(check_unchanged(reader, seal, time.changes == foreseen.changes, targets));
      return by_activity.empty() ? Result<void>() : check_unused(reader, seal, by_activity);
    };
    QUIETUS_TRY_AS(report.erasures, erase_scopes(core_, due, guard));
    return {};
  }

  static Result<void> check_unchanged(ControlReader& reader, const RowSeal& seal,
                                      bool nothing_postponed, const SweepTargets& targets) {
    if (!nothing_postponed)
      return Error(ErrorCode::kBusy, "what is due was changed meanwhile; try again");
    QUIETUS_TRY_AS(const Dying dying, dying_with(reader, seal, targets.due));
    if (dying != targets.dying)
      return Error(ErrorCode::kBusy, "scopes were made meanwhile below what is due; try again");
    return {};
  }

  // On the snapshot that is written to: nobody has used them since the forecast.
  Result<void> check_unused(ControlReader& reader, const RowSeal& seal,
                            const std::map<ScopeId, UnixMillis>& by_activity) const {
    QUIETUS_TRY_AS(const std::uint32_t returned,
                   core_.holders->unwritten(Holders::Unwritten::kReturned));
    if (returned > 0 || !core_.holders->attention())
      return Error(ErrorCode::kBusy, "not all use is known; try again");
    for (const auto& [scope, day] : by_activity) {
      QUIETUS_TRY_AS(const auto last, rows::last_activity(reader, seal, scope));
      if (last.value_or(0) != day)
        return Error(ErrorCode::kBusy, "a scope that was due was used meanwhile; try again");
    }
    return {};
  }

  VaultCore& core_;
  const SweepOptions& options_;
  UnixMillis now_ = 0;  // of the forecast
  std::uint64_t holds_ended_ = 0;
  std::uint64_t terms_ended_ = 0;
};

}  // namespace

namespace {

// What rotations left: interrupted ones go on. One that is stuck is no reason to call a sweep a
// failure; `key rotate --resume` says what is the matter with it.
void finish_rotations(const std::shared_ptr<VaultCore>& core, SweepReport& report) {
  const auto finished = Lifecycle(core).resume_rotations();
  if (finished) report.rotations_finished = *finished;
}

constexpr Period kBackupRetention{30, Period::Unit::kDays};  // without a policy

// No earlier than so long before `now`, whatever months and years lie in between.
UnixMillis surely_before(UnixMillis now, const Period& period) {
  const UnixMillis days = period.unit == Period::Unit::kDays     ? 1
                          : period.unit == Period::Unit::kMonths ? 31
                                                                 : 366;
  return now - static_cast<UnixMillis>(period.count) * days * kDayMillis;
}

// Keys that no live row needs any more, and no backup of the inventory that has not expired. As
// long as the policy keeps backups, they are kept in any case: a copy may have been made by other
// means. Asked in T1 and T2: the clock.
Result<void> retire_keys(VaultCore& core, SweepReport& report) {
  const UnixMillis now = core.environment.clock.now();
  Period kept = kBackupRetention;
  std::optional<UnixMillis> oldest;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        kept = kBackupRetention;
        QUIETUS_TRY_AS(oldest, oldest_backup(reader, scopes.seal(), now));
        QUIETUS_TRY_AS(const auto versions, rows::policies(reader, scopes.seal()));
        const PolicyVersion* version = in_force(versions, now);
        if (version == nullptr) return {};
        QUIETUS_TRY_AS(const Policy policy, parse_policy(version->text));
        kept = policy.backup_retention;
        return {};
      }));
  const RetireGuard guard = [](ControlReader& reader, const RowSeal& seal, UnixMillis at,
                               RootChangeRequest::Moment) -> Result<void> {
    QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, seal));
    return check_clock(time, at);
  };
  UnixMillis unneeded_before = surely_before(now, kept);
  if (oldest) unneeded_before = std::min(unneeded_before, *oldest);
  QUIETUS_TRY_AS(const RetireReport retired,
                 retire_older_keys(core, unneeded_before, false, guard));
  report.keys_retired = retired.keys;
  return {};
}

}  // namespace

Result<SweepReport> Retention::sweep(const SweepOptions& options) {
  const auto core = core_.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  if (core->options.read_only && !options.dry_run)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  QUIETUS_TRY_AS(SweepReport report, Sweep(*core, options).run());
  if (options.dry_run) return report;
  finish_rotations(core, report);
  // What was erased was erased.
  if (const auto retired = retire_keys(*core, report); !retired)
    report.keys_kept_because = retired.error().context();
  return report;
}

Result<void> Retention::accept_clock() {
  const auto core = core_.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  const UnixMillis now = core->environment.clock.now();
  return core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return vouch_for_clock(writer, scopes.seal(), now);
  });
}

}  // namespace quietus
