#include "retention_plan.hpp"

#include <algorithm>
#include <map>

#include "keys/scope_graph.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

// With a damaged row of the clock a plan can be made all the same; a sweep looks at the clock
// first.
Result<std::uint64_t> changes_so_far(ControlReader& reader, const RowSeal& seal) {
  const auto time = rows::time_row(reader, seal);
  if (!time && time.error().code() == ErrorCode::kCorrupt) return std::uint64_t{0};
  QUIETUS_TRY(time);
  return time->changes;
}

constexpr std::size_t kScopesOfPlanAtOnce = 512;  // scopes in one snapshot

std::string path_or_nothing(VaultCore& core, ScopeId scope) {
  std::string path;
  const auto found =
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(path, path_of(reader, scopes, scope));
        return {};
      });
  return found ? path : std::string();
}

}  // namespace

namespace {

struct Horizon {
  const Forecast::Request& request;
  const Policy* trial;
  std::uint64_t most;
};

// One run of the forecast over the whole vault.
Result<Foreseen> look_ahead(VaultCore& core, const Horizon& horizon,
                            std::vector<ScopeId>& restricted) {
  Foreseen foreseen;
  std::optional<PolicyTimeline> policies;
  std::optional<Forecast> forecast;
  const UnixMillis now = horizon.request.now;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(foreseen.changes, changes_so_far(reader, scopes.seal()));
        QUIETUS_TRY_AS(const auto versions, rows::policies(reader, scopes.seal()));
        const PolicyVersion* version = in_force(versions, now);
        foreseen.policy_version = version == nullptr ? 0 : version->version;
        QUIETUS_TRY_AS(policies, PolicyTimeline::from(versions, now, horizon.trial));
        forecast.emplace(horizon.request, *policies);
        QUIETUS_TRY(forecast->note_restricted(reader, scopes, restricted));
        return forecast->note_holds(reader, scopes);
      }));
  for (bool done = false; !done;) {
    QUIETUS_TRY(
        core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(done, forecast->go_on(reader, scopes, kScopesOfPlanAtOnce));
          return {};
        }));
    if (!done && forecast->living() > horizon.most)
      return Error(ErrorCode::kBusy, "there are more scopes than are looked at here");
  }
  foreseen.living = forecast->living();
  foreseen.unreadable = forecast->unreadable();
  foreseen.misdated = forecast->misdated();
  restricted = forecast->restricted_and_derived();
  foreseen.prospects = forecast->take();
  return foreseen;
}

// What was derived from what ends, and has no day of its own before that.
class Derived {
 public:
  Derived(UnixMillis now, const std::vector<Prospect>& prospects) : now_(now) {
    for (const Prospect& prospect : prospects)
      if (prospect.outlook == Outlook::kDue)
        due_.emplace(prospect.scope, std::max(prospect.when, now));
  }

  Result<void> add(ControlReader& reader, ScopeTable& scopes, const Prospect& source) {
    const auto dying = scopes_dying_with(reader, scopes.seal(), {source.scope});
    if (!dying) return {};  // a damaged row hides it; so the sweep leaves it alone
    for (const ScopeId scope : *dying) {
      const UnixMillis when = std::max(source.when, now_);
      if (ends_by_itself(reader, scopes.seal(), scope, when)) continue;
      if (!due_.emplace(scope, when).second) continue;
      const auto info = scopes.info(reader, scope);
      auto path = path_of(reader, scopes, scope);
      if (!info || !path) continue;
      Prospect along;
      along.scope = scope;
      along.path = std::move(path).value();
      along.data_class = info->data_class;
      along.when = source.when;
      along.rule = "derived from " + source.path;
      along.along = true;
      found_.push_back(std::move(along));
    }
    return {};
  }

  std::vector<Prospect> take() { return std::move(found_); }

 private:
  // It, or something that it lies in, is told already.
  bool ends_by_itself(ControlReader& reader, const RowSeal& seal, ScopeId scope, UnixMillis when) {
    while (scope != kVaultScope) {
      const auto told = due_.find(scope);
      if (told != due_.end() && told->second <= when) return true;
      const auto row = rows::key_row(reader, seal, scope);
      if (!row || !*row) return true;
      scope = (*row)->parent;
    }
    return false;
  }

  UnixMillis now_;
  std::map<ScopeId, UnixMillis> due_;
  std::vector<Prospect> found_;
};

Result<bool> anything_derived(ControlReader& reader) {
  bool any = false;
  QUIETUS_TRY(reader.scan(Bytes{'D'}, {}, [&](ByteView, ByteView) -> Result<bool> {
    any = true;
    return false;
  }));
  return any;
}

Result<void> add_derived(VaultCore& core, UnixMillis now, std::vector<Prospect>& prospects) {
  bool any = false;
  QUIETUS_TRY(core.read([&](ControlReader& reader, ScopeTable&, const RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(any, anything_derived(reader));
    return {};
  }));
  if (!any) return {};
  Derived derived(now, prospects);
  for (const Prospect& prospect : prospects)
    if (prospect.outlook == Outlook::kDue)
      QUIETUS_TRY(core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
        return derived.add(reader, scopes, prospect);
      }));
  for (Prospect& along : derived.take()) prospects.push_back(std::move(along));
  return {};
}

void sort_by_time(std::vector<Prospect>& prospects) {
  std::stable_sort(prospects.begin(), prospects.end(), [](const Prospect& a, const Prospect& b) {
    return a.when != b.when ? a.when < b.when : a.path < b.path;
  });
}

}  // namespace

Result<Foreseen> foresee(VaultCore& core, const Forecast::Request& request, const Policy* trial,
                         std::uint64_t most) {
  const Horizon horizon{request, trial, most};
  std::vector<ScopeId> restricted;
  QUIETUS_TRY_AS(Foreseen foreseen, look_ahead(core, horizon, restricted));
  // Seldom: what they were derived from must be known from the beginning.
  if (!restricted.empty()) {
    const std::uint64_t changes = foreseen.changes;
    QUIETUS_TRY_AS(foreseen, look_ahead(core, horizon, restricted));
    foreseen.changes = changes;  // what was restricted in between is not known to either
  }
  sort_by_time(foreseen.prospects);
  QUIETUS_TRY(add_derived(core, request.now, foreseen.prospects));
  sort_by_time(foreseen.prospects);
  return foreseen;
}

RetentionPlan plan_of(VaultCore& core, const Foreseen& foreseen, const Forecast::Request& request) {
  RetentionPlan plan{request.now, request.until,   foreseen.policy_version,
                     {},          foreseen.living, foreseen.unreadable};
  plan.scopes.reserve(foreseen.prospects.size());
  for (const Prospect& prospect : foreseen.prospects) {
    Prospective shown{prospect.scope,
                      prospect.path,
                      prospect.data_class,
                      prospect.when,
                      prospect.rule,
                      std::string(name_of(prospect.outlook)),
                      {},
                      prospect.below};
    if (prospect.waits_for != 0) shown.waits_for = path_or_nothing(core, prospect.waits_for);
    plan.scopes.push_back(std::move(shown));
  }
  return plan;
}

Result<RetentionPlan> Retention::plan(std::int64_t until_unix_ms, std::string_view trial) {
  const auto core = core_.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  std::optional<Policy> tried;
  if (!trial.empty()) {
    QUIETUS_TRY_AS(tried, parse_policy(trial));
  }
  // Not to see less than a sweep of this process would.
  if (!core->options.read_only) static_cast<void>(core->activity->flush());
  const Forecast::Request request{core->environment.clock.now(), until_unix_ms};
  QUIETUS_TRY_AS(const Foreseen foreseen, foresee(*core, request, tried ? &*tried : nullptr));
  return plan_of(*core, foreseen, request);
}

Result<RetentionStatus> Retention::status() {
  constexpr std::uint64_t kLookedAt = 20000;
  constexpr UnixMillis kEndOfTime = UnixMillis{1} << 60;
  const auto core = core_.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  const UnixMillis now = core->environment.clock.now();
  RetentionStatus status;
  const auto foreseen = foresee(*core, {now, kEndOfTime}, nullptr, kLookedAt);
  if (!foreseen) return status;
  status.known = foreseen->unreadable == 0;
  for (const Prospect& prospect : foreseen->prospects) {
    const bool has_come = prospect.when <= now;
    if (prospect.outlook != Outlook::kDue) {
      status.kept += has_come && prospect.outlook != Outlook::kWaits ? 1 : 0;
    } else if (has_come) {
      status.due_now += 1 + prospect.below;
      if (prospect.when <= now - kDayMillis) status.overdue += 1 + prospect.below;
    } else if (!status.next_due || prospect.when < *status.next_due) {
      status.next_due = prospect.when;
    }
  }
  return status;
}

}  // namespace quietus
