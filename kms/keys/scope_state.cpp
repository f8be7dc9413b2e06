#include "keys/scope_state.hpp"

#include <algorithm>

#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/key_store.hpp"
#include "keys/log_change.hpp"
#include "keys/schedule.hpp"

namespace quietus {
namespace {

// The states are codes of the log too.
Code code_of(KeyState state) {
  return *Code::parse(name_of(state));
}

Result<KeyRow> living_row(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  QUIETUS_TRY_AS(auto row, rows::key_row(reader, seal, scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return Error(ErrorCode::kErased, "the scope was erased");
  return std::move(*row);
}

void put_into_state(KeyRecord& key, KeyState state, UnixMillis now) {
  if (!may_become(key.state, state)) return;
  key.state = state;
  key.changed = now;
}

void put_into_state(KeyRow& row, const StateChange& change) {
  row.state = change.to;
  row.changed = change.now;
  row.reason = change.reason.text();
  for (KeyRecord& key : row.keys) {
    const bool newest = &key == row.newest(key.line);
    if (newest || change.to == KeyState::kCompromised) put_into_state(key, change.to, change.now);
  }
}

constexpr std::size_t kLookedAt = 4096;  // scopes; where there are more, it is taken to touch them

// The same for an erasure of many scopes, from the other side: whether anything that depends on the
// scope depends on one that is listed. Where that is hidden, it may.
Result<bool> batch_touches(ControlReader& reader, const RowSeal& seal, const ErasureId& batch,
                           ScopeId held) {
  const auto below = scopes_dying_with(reader, seal, {held});
  if (!below || below->size() > kLookedAt) return true;
  for (const ScopeId scope : *below) {
    const auto above = scopes_above(reader, seal, scope);
    if (!above) return true;
    for (const ScopeId id : *above) {
      QUIETUS_TRY_AS(const bool listed, rows::is_listed(reader, batch, id));
      if (listed) return true;
    }
  }
  return false;
}

Result<bool> touches(ControlReader& reader, const RowSeal& seal, const Intent& intent,
                     ScopeId held) {
  if (intent.kind == ChangeKind::kDestroyVault || held == kVaultScope) return true;
  if (intent.kind == ChangeKind::kUnlock) return false;
  if (intent.batch) return batch_touches(reader, seal, intent.id, held);
  for (const IntentTarget& target : intent.targets) {
    QUIETUS_TRY_AS(const bool covered, hold_covers(reader, seal, held, target.scope));
    if (covered) return true;
  }
  return false;
}

}  // namespace

Result<void> give_up_begun(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                           const Objection& objection) {
  const RowSeal seal = scopes.seal();
  QUIETUS_TRY_AS(const auto pending, KeyStore::pending_in(writer, seal, root));
  bool any = false;
  for (const Intent& intent : pending) {
    if (intent.state != IntentState::kBegun) continue;
    if (objection.to_sweeps_only && !intent.guarded) continue;
    // Of many scopes: it looks at the holds again before it decides.
    if (intent.batch && objection.reason == Code("held")) {
      QUIETUS_TRY(rows::mark_changed(writer, seal, intent.slot.generation));
      continue;
    }
    QUIETUS_TRY_AS(const bool covered, touches(writer, seal, intent, objection.scope));
    if (!covered) continue;
    QUIETUS_TRY(rows::remove_intent(writer, intent.id));
    root.end_attempt(intent.id);
    any = true;
    QUIETUS_TRY(log_change(
        writer, seal,
        entry_text(new_entry(objection.now), ErasureAborted{intent.id, objection.reason})));
  }
  if (!any) return {};
  return scopes.save(writer, root);
}

Result<void> change_state(ControlWriter& writer, const RowSeal& seal, const StateChange& change) {
  QUIETUS_TRY_AS(KeyRow row, living_row(writer, seal, change.scope));
  const KeyState from = row.state;
  if (is_destroyed(change.to) || !may_become(from, change.to))
    return Error(ErrorCode::kRefused, "a key that is " + std::string(name_of(from)) +
                                          " cannot become " + std::string(name_of(change.to)));
  put_into_state(row, change);
  QUIETUS_TRY(rows::put_key_row(writer, seal, row));
  if (change.to == KeyState::kSuspended) QUIETUS_TRY(rows::count_change(writer, seal));
  return log_change(
      writer, seal,
      entry_text(new_entry(change.now),
                 StateChanged{change.scope, code_of(from), code_of(change.to), change.reason}));
}

Result<void> place_hold_in(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                           const NewHold& hold) {
  const RowSeal seal = scopes.seal();
  const auto reason = Code::parse(hold.row.reason);
  if (!reason) return Error(ErrorCode::kInvalidArgument, "the reason of a hold is not a code");
  QUIETUS_TRY_AS(const auto keys, scopes.keys(writer, hold.row.scope));
  QUIETUS_TRY(rows::put_hold(writer, seal, hold.row));
  if (!hold.authority.empty())
    QUIETUS_TRY(rows::put_authority(writer, scopes.seal_under(*keys), hold.row, hold.authority));
  QUIETUS_TRY(log_change(
      writer, seal,
      entry_text(new_entry(hold.row.placed), HoldPlaced{hold.row.scope, hold.row.id, *reason})));
  return give_up_begun(writer, scopes, root, {hold.row.scope, "held", hold.row.placed});
}

Result<void> release_hold_in(ControlWriter& writer, const RowSeal& seal, const HoldRow& hold,
                             UnixMillis now) {
  QUIETUS_TRY_AS(const auto holds, rows::holds_of(writer, seal, hold.scope));
  const bool there = std::any_of(holds.begin(), holds.end(),
                                 [&](const HoldRow& row) { return row.id == hold.id; });
  if (!there) return Error(ErrorCode::kNotFound, "no such hold");
  QUIETUS_TRY(rows::remove_hold(writer, hold));
  return log_change(writer, seal, entry_text(new_entry(now), HoldReleased{hold.scope, hold.id}));
}

}  // namespace quietus
