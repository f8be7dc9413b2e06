#include "retire.hpp"

#include <algorithm>
#include <optional>

#include "keys/holds.hpp"
#include "keys/rotation.hpp"

namespace quietus {
namespace {

constexpr std::size_t kRetiredLooksAt = 1024;  // in one snapshot
// In one root change: its intent is one row, and names the keys in one entry of the log.
constexpr std::size_t kMaxScopes = 1024;
constexpr std::size_t kMaxKeys = 2048;
constexpr int kMaxRetireTries = 3;

// What one root change retires, and what was passed over on the way.
struct RetireBatch {
  std::vector<ScopeId> scopes;
  std::uint64_t keys = 0;
  std::vector<ScopeId> held;
  std::uint64_t damaged = 0;
  std::optional<ScopeId> next;  // where the next one begins

  bool full() const {
    return std::max(scopes.size(), held.size()) >= kMaxScopes || keys + kMaxOlderKeys > kMaxKeys;
  }
};

class Retirement {
 public:
  Retirement(VaultCore& core, UnixMillis unneeded_before, const RetireGuard& guard)
      : core_(core), unneeded_before_(unneeded_before), guard_(guard) {}

  Result<RetireReport> run(bool dry_run) {
    std::optional<ScopeId> from = 0;
    while (from) {
      QUIETUS_TRY_AS(const RetireBatch batch, dry_run ? collect(*from) : retire_from(*from));
      note(batch);
      from = batch.next;
    }
    return report_;
  }

 private:
  // A hold, a rotation or an erasure may come in between: then it is looked again.
  Result<RetireBatch> retire_from(ScopeId from) {
    for (int tries = 1;; ++tries) {
      QUIETUS_TRY_AS(RetireBatch batch, collect(from));
      if (batch.scopes.empty()) return batch;
      RootChangeRequest request;
      request.kind = ChangeKind::kRetire;
      request.scopes = batch.scopes;
      request.reason = "rotated";
      request.unneeded_before = unneeded_before_;
      request.guard = guard_;
      const auto outcome = core_.keys->change_root(request);
      if (outcome) {
        batch.keys = 0;
        for (const IntentTarget& target : outcome->intent.targets) batch.keys += target.keys.size();
        ++report_.root_changes;
        return batch;
      }
      const ErrorCode code = outcome.error().code();
      const bool came_between =
          code == ErrorCode::kHeld || code == ErrorCode::kBusy || code == ErrorCode::kRefused;
      if (!came_between || tries == kMaxRetireTries) return outcome.error();
    }
  }

  Result<RetireBatch> collect(ScopeId from) {
    RetireBatch batch;
    batch.next = from;
    while (batch.next && !batch.full()) {
      RetireBatch more;
      QUIETUS_TRY(core_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
        more = batch;
        return look_at_some(reader, scopes, more);
      }));
      batch = std::move(more);
    }
    return batch;
  }

  Result<void> look_at_some(ControlReader& reader, ScopeTable& scopes, RetireBatch& batch) {
    std::size_t looked_at = 0;
    const ScopeId from = *batch.next;
    batch.next.reset();
    return rows::rotations_from(reader, scopes.seal(), from,
                                [&](ScopeId scope, const RotationRow* row) -> Result<bool> {
                                  if (batch.full() || ++looked_at > kRetiredLooksAt) {
                                    batch.next = scope;
                                    return false;
                                  }
                                  if (row == nullptr) {
                                    ++batch.damaged;
                                  } else if (row->stage == RotationStage::kMoved) {
                                    QUIETUS_TRY(look_at(reader, scopes, scope, batch));
                                  }
                                  return true;
                                });
  }

  Result<void> look_at(ControlReader& reader, ScopeTable& scopes, ScopeId scope,
                       RetireBatch& batch) const {
    const auto keys = retirable_keys(reader, scopes.seal(), scope, unneeded_before_);
    if (keys && keys->empty()) return {};
    // Under a newest key that does not open, an older one is not given up.
    const auto usable =
        keys ? scopes.keys(reader, scope) : Result<std::shared_ptr<const ScopeKeys>>(keys.error());
    if (!usable) {
      if (usable.error().code() == ErrorCode::kErased) return {};
      if (usable.error().code() != ErrorCode::kCorrupt) return usable.error();
      ++batch.damaged;
      return {};
    }
    auto free = check_not_held(reader, scopes.seal(), {scope});
    if (!free) {
      if (free.error().code() != ErrorCode::kHeld) return free;
      batch.held.push_back(scope);
      return {};
    }
    batch.scopes.push_back(scope);
    batch.keys += keys->size();
    return {};
  }

  void note(const RetireBatch& batch) {
    report_.scopes += batch.scopes.size();
    report_.keys += batch.keys;
    report_.held += batch.held.size();
    report_.damaged += batch.damaged;
    for (const ScopeId scope : batch.held)
      if (report_.held_scopes.size() < RetireReport::kMaxTold) report_.held_scopes.push_back(scope);
  }

  VaultCore& core_;
  UnixMillis unneeded_before_;
  const RetireGuard& guard_;
  RetireReport report_;
};

}  // namespace

Result<RetireReport> retire_older_keys(VaultCore& core, UnixMillis unneeded_before, bool dry_run,
                                       const RetireGuard& guard) {
  if (core.options.read_only && !dry_run)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return Retirement(core, unneeded_before, guard).run(dry_run);
}

}  // namespace quietus
