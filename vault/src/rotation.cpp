// Rotation and purge: what Lifecycle offers, from the new generation to the destroyed old one.
#include <quietus/vault.hpp>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "evidence/log_store.hpp"
#include "keys/holds.hpp"
#include "keys/rotation.hpp"
#include "reasons.hpp"
#include "record_mover.hpp"
#include "refusals.hpp"
#include "scope_paths.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// Everything that one rotation needs from its publication on. Run again after a crash, it begins
// there too.
class Rotation {
 public:
  Rotation(VaultCore& core, RotationRow row) : core_(core), row_(std::move(row)) {}

  Result<RotationReport> finish(const RotationOptions& options) {
    report_.generation = row_.generation;
    if (row_.stage == RotationStage::kMoving) QUIETUS_TRY(move_everything(options));
    if (row_.destroys) QUIETUS_TRY(retire());
    return report_;
  }

 private:
  Result<void> move_everything(const RotationOptions& options) {
    QUIETUS_TRY(rewrap());
    RecordMover mover(*core_.keys, *core_.record_store, row_.scope, row_.generation,
                      core_.records->token());
    RecordMover::GiveUp give_up;
    if (options.sacrifice_unreadable)
      give_up = [this](std::span<const Bytes> keys) { return log_given_up(keys); };
    QUIETUS_TRY_AS(const MovedRecords moved, mover.run(options.progress, give_up));
    report_.records = moved.records;
    report_.bytes = moved.bytes;
    report_.given_up = moved.given_up;
    if (moved.damaged > 0)
      return Error(ErrorCode::kCorrupt,
                   std::to_string(moved.damaged) +
                       " record(s) do not open and keep the old key alive; `check` names them, a "
                       "purge can give them up");
    const UnixMillis now = core_.environment.clock.now();
    return core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
      return finish_moving(writer, scopes.seal(), row_, now);
    });
  }

  // The log gets numbers only: it cannot forget.
  Result<void> log_given_up(std::span<const Bytes> keys) {
    const UnixMillis now = core_.environment.clock.now();
    QUIETUS_TRY(
        core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          const RecordsGivenUp entry{row_.scope, row_.generation, keys.size(), "unreadable"};
          QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context},
                                   as_bytes(entry_text(new_entry(now), entry))));
          return {};
        }));
    for (const Bytes& key : keys)
      if (report_.given_up_records.size() < kMaxNamed)
        report_.given_up_records.push_back(to_hex(key));
    return {};
  }

  Result<void> rewrap() {
    RewrapCursor at;
    while (at.stage != RewrapCursor::Stage::kDone) {
      RewrapCursor next;
      QUIETUS_TRY(
          core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
            QUIETUS_TRY_AS(next, rewrap_some(writer, scopes, row_.scope, at));
            return {};
          }));
      at = next;
    }
    report_.scopes_rewrapped = at.moved;
    return {};
  }

  Result<void> retire() {
    RootChangeRequest request;
    request.kind = ChangeKind::kRetire;
    request.scopes = {row_.scope};
    request.reason = row_.reason;
    QUIETUS_TRY_AS(const RootChangeOutcome outcome, core_.keys->change_root(request));
    for (const IntentTarget& target : outcome.intent.targets)
      report_.keys_destroyed += target.keys.size();
    report_.root_generation = outcome.intent.slot.generation;
    return {};
  }

  static constexpr std::size_t kMaxNamed = 1000;

  VaultCore& core_;
  RotationRow row_;
  RotationReport report_;
};

Result<std::vector<RotationRow>> begun_rotations(VaultCore& core) {
  std::vector<RotationRow> rotations;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(rotations, rows::all_rotations(reader, scopes.seal()));
        return {};
      }));
  return rotations;
}

// A rotation of a scope that is erased by now has nothing left to do.
Result<void> forget(VaultCore& core, ScopeId scope) {
  return core.update([&](ControlWriter& writer, ScopeTable&, RootRow&) {
    return rows::remove_rotation(writer, scope);
  });
}

}  // namespace

Result<RotationReport> Lifecycle::rotate(std::string_view path, std::string_view reason,
                                         const RotationOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const Code why, parse_state_reason(reason));
  if (options.sacrifice_unreadable && !options.destroy_old)
    return Error(ErrorCode::kInvalidArgument,
                 "a rotation that keeps the old key gives up no record");
  const UnixMillis now = core->environment.clock.now();
  RotationRow row;
  ScopeId scope = kVaultScope;
  const auto begun =
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        QUIETUS_TRY(parse_scope_path(path));
        QUIETUS_TRY_AS(scope, resolve_path(writer, scopes, path));
        QUIETUS_TRY_AS(
            row, begin_rotation(writer, scopes, root, {scope, why, options.destroy_old, now}));
        return {};
      });
  if (!begun && begun.error().code() == ErrorCode::kHeld)
    note_refused(*core->keys, scope, "purge", now);
  QUIETUS_TRY(begun);
  QUIETUS_FAILPOINT("rotate/before-publish");
  core->holders->publish();
  return Rotation(*core, row).finish(options);
}

Result<RotationReport> Lifecycle::purge(std::string_view path, std::string_view reason,
                                        RotationOptions options) {
  options.destroy_old = true;
  return rotate(path, reason, options);
}

Result<std::vector<RotationInfo>> Lifecycle::rotations() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<RotationInfo> found;
  QUIETUS_TRY(core->read([&](ControlReader& reader, ScopeTable& scopes,
                             const RootRow&) -> Result<void> {
    found.clear();
    QUIETUS_TRY_AS(const auto rows, rows::all_rotations(reader, scopes.seal()));
    for (const RotationRow& row : rows) {
      auto path = path_of(reader, scopes, row.scope);
      found.push_back({row.scope, path ? std::move(path).value() : std::string(), row.generation,
                       row.stage == RotationStage::kMoved, row.destroys, row.begun});
    }
    return {};
  }));
  return found;
}

Result<std::uint64_t> Lifecycle::resume_rotations() {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const auto rotations, begun_rotations(*core));
  std::uint64_t finished = 0;
  // Whoever was killed between commit and publication left processes that know only the old key.
  if (!rotations.empty()) core->holders->publish();
  // One that cannot be finished does not hold up the others.
  std::optional<Error> failure;
  for (const RotationRow& row : rotations) {
    if (row.stage == RotationStage::kMoved && !row.destroys) continue;
    const auto done = Rotation(*core, row).finish({});
    if (done) {
      ++finished;
    } else if (done.error().code() == ErrorCode::kErased) {
      QUIETUS_TRY(forget(*core, row.scope));
    } else if (!failure) {
      failure = done.error();
    }
  }
  if (failure) return *failure;
  return finished;
}

}  // namespace quietus
