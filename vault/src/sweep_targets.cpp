#include "sweep_targets.hpp"

#include <algorithm>
#include <set>

#include "base/byte_writer.hpp"
#include "keys/holds.hpp"

namespace quietus {
namespace {

constexpr std::size_t kScopesAtOnce = 512;  // scopes in one snapshot

std::vector<ScopeId> ids_of(std::span<const Prospect> due) {
  std::vector<ScopeId> ids;
  ids.reserve(due.size());
  for (const Prospect& prospect : due) ids.push_back(prospect.scope);
  return ids;
}

// Each of its keys can be found in the tree.
Result<void> check_leaves(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, scope));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  for (const KeyRecord& key : row->keys) {
    if (is_destroyed(key.state)) continue;
    QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(reader, seal, key.id));
    if (!owner) return Error(ErrorCode::kCorrupt, "scope: the leaf of a key is not known");
  }
  return {};
}

class Sorting {
 public:
  Sorting(ControlReader& reader, const RowSeal& seal, UnixMillis now, SweepTargets& targets)
      : reader_(reader), seal_(seal), now_(now), targets_(targets) {}

  // All of them at once; where that does not do, by halves.
  Result<void> sort(std::span<const Prospect> due) {
    if (due.empty()) return {};
    auto checked = check(due);
    if (checked) {
      targets_.due.insert(targets_.due.end(), due.begin(), due.end());
      return {};
    }
    const ErrorCode code = checked.error().code();
    if (code != ErrorCode::kHeld && code != ErrorCode::kCorrupt) return checked;
    if (due.size() == 1) {
      targets_.kept.emplace(due.front().scope,
                            code == ErrorCode::kHeld ? Outlook::kHeld : Outlook::kUnreadable);
      return {};
    }
    QUIETUS_TRY(sort(due.first(due.size() / 2)));
    return sort(due.subspan(due.size() / 2));
  }

  // By a rule, nothing ends with something below it that does not.
  void keep_what_they_lie_in() {
    std::set<ScopeId> above;
    for (const auto& [kept, why] : targets_.kept)
      for (ScopeId scope = kept; scope != kVaultScope;) {
        const auto row = rows::key_row(reader_, seal_, scope);
        if (!row || !*row) break;
        scope = (*row)->parent;
        above.insert(scope);
      }
    std::erase_if(targets_.due, [&](const Prospect& prospect) {
      if (prospect.asked || !above.contains(prospect.scope)) return false;
      targets_.kept.emplace(prospect.scope, Outlook::kWaits);
      return true;
    });
  }

 private:
  Result<void> check(std::span<const Prospect> due) {
    for (const Prospect& prospect : due) QUIETUS_TRY(check_leaves(reader_, seal_, prospect.scope));
    const std::vector<ScopeId> ids = ids_of(due);
    QUIETUS_TRY(scopes_dying_with(reader_, seal_, ids));
    return check_not_held_at(reader_, seal_, ids, now_);
  }

  ControlReader& reader_;
  const RowSeal& seal_;
  UnixMillis now_;
  SweepTargets& targets_;
};

}  // namespace

Result<SweepTargets> sort_out(VaultCore& core, std::span<const Prospect> prospects,
                              UnixMillis now) {
  std::vector<Prospect> due;
  for (const Prospect& prospect : prospects)
    if (prospect.outlook == Outlook::kDue && !prospect.along) due.push_back(prospect);
  SweepTargets targets;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        targets = {};
        const RowSeal seal = scopes.seal();
        Sorting sorting(reader, seal, now, targets);
        QUIETUS_TRY(sorting.sort(due));
        sorting.keep_what_they_lie_in();
        QUIETUS_TRY_AS(targets.dying, dying_with(reader, seal, targets.due));
        return {};
      }));
  return targets;
}

Result<Dying> dying_with(ControlReader& reader, const RowSeal& seal,
                         std::span<const Prospect> due) {
  QUIETUS_TRY_AS(const auto scopes, scopes_dying_with(reader, seal, ids_of(due)));
  ByteWriter ids;
  for (const ScopeId scope : scopes) ids.u64(scope);  // ascending
  return Dying{scopes.size(), sha256(ids.view())};
}

Result<std::vector<ScopeId>> still_alive(VaultCore& core, std::span<const Prospect> due) {
  std::vector<ScopeId> alive;
  for (std::size_t at = 0; at < due.size(); at += kScopesAtOnce) {
    const auto page = due.subspan(at, std::min(kScopesAtOnce, due.size() - at));
    std::vector<ScopeId> found;
    QUIETUS_TRY(
        core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          found.clear();
          for (const Prospect& prospect : page) {
            const auto row = rows::key_row(reader, scopes.seal(), prospect.scope);
            const bool gone = row && *row && is_destroyed((*row)->state);
            if (!gone) found.push_back(prospect.scope);
          }
          return {};
        }));
    alive.insert(alive.end(), found.begin(), found.end());
  }
  return alive;
}

}  // namespace quietus
