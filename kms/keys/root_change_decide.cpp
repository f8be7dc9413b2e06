// T1 and T2: the intent, the decision, and giving up in between.
#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/batch_rows.hpp"
#include "keys/holds.hpp"
#include "keys/key_tree.hpp"
#include "keys/rights.hpp"
#include "keys/root_change.hpp"

namespace quietus {
namespace {

constexpr int kMaxLooks = 5;  // at what an erasure of many scopes rests on

std::vector<LeafRef> leaves_of(const std::vector<std::pair<KeyId, rows::LeafOwner>>& owners) {
  std::vector<LeafRef> leaves;
  leaves.reserve(owners.size());
  for (const auto& [key, owner] : owners) leaves.push_back({key, owner.index});
  return leaves;
}

// What the log says of a decision.
std::string decision_text(const Intent& intent) {
  const EntryHead head = new_entry(intent.committed);
  const std::uint64_t before = intent.generation_before;
  const std::uint64_t after = intent.slot.generation;
  if (intent.kind == ChangeKind::kUnlock) return entry_text(head, UnlockChanged{before, after});
  if (intent.batch)
    return entry_text(head, BatchUnreachable{intent.id, before, after, intent.batch->scopes,
                                             intent.batch->statements});
  std::vector<KeyId> destroyed;
  for (const IntentTarget& target : intent.targets)
    destroyed.insert(destroyed.end(), target.keys.begin(), target.keys.end());
  return entry_text(head, KeysUnreachable{intent.id, before, after, destroyed});
}

// That what a staged erasure rests on has changed is told by this code alone.
bool is_overtaken(const Result<void>& decided) {
  return !decided && decided.error().code() == ErrorCode::kChanged;
}

}  // namespace

// T1: the intent, and a root generation that is burned whatever happens (I-3).
Result<void> RootChange::begin(const RootChangeRequest& request, Intent& intent) {
  QUIETUS_FAILPOINT("change/before-t1");
  bool at_commit = false;
  auto written =
      update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& row) -> Result<void> {
        at_commit = false;
        if (guard_)
          QUIETUS_TRY(
              guard_(writer, scopes.seal(), parts_.clock.now(), RootChangeRequest::Moment::kBegin));
        intent.generation_before = row.generation;
        intent.old_slots = row.slots;
        intent.slot.generation = row.next_generation++;
        random_bytes(intent.slot.id);
        intent.state = IntentState::kBegun;
        QUIETUS_TRY_AS(const TreeHead head, log_head(writer));
        intent.log_index = head.size;
        intent.governed = is_governed(row);
        QUIETUS_TRY(row.begin_attempt({intent.id, intent.slot, intent.batch.has_value()}));
        QUIETUS_TRY(write_reasons(writer, scopes, request));
        QUIETUS_TRY(rows::put_intent(writer, scopes.seal(), intent));
        QUIETUS_TRY(write_root_row(writer, row, keys_->root));
        row_ = row;
        at_commit = true;
        return {};
      });
  QUIETUS_FAILPOINT("change/after-t1");
  if (!written && at_commit && written.error().code() == ErrorCode::kUnavailable)
    return incomplete(written.error());
  return written;
}

Result<void> RootChange::write_reasons(ControlWriter& writer, ScopeTable& scopes,
                                       const RootChangeRequest& request) {
  if (request.reason_text.empty()) return {};
  for (const ScopeId scope : request.scopes) {
    // A scope whose row is damaged has no parent that could be told; its reason is the code alone.
    const auto row = rows::key_row(writer, scopes.seal(), scope);
    if (!row.ok() || !row.value()) continue;
    QUIETUS_TRY_AS(const auto parent, scopes.keys(writer, row.value()->parent));
    QUIETUS_TRY(
        rows::put_reason_text(writer, scopes.seal_under(*parent), scope, request.reason_text));
  }
  return {};
}

// T2, the decision (I-2, I-6). An error before its commit aborts the change; an error from the
// commit leaves the outcome unknown, and then nothing is destroyed.
Result<void> RootChange::decide(Intent& intent, const std::shared_ptr<const RootKey>& new_root) {
  bool at_commit = false;
  intent.committed = std::max(parts_.clock.now(), intent.begun);
  const auto attempt = [&] {
    at_commit = false;
    return parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
      at_commit = false;
      QUIETUS_TRY(decide_in(writer, intent, *new_root));
      at_commit = true;
      return {};
    });
  };
  auto decided = attempt();
  for (int looks = 1; looks < kMaxLooks && is_overtaken(decided); ++looks) {
    decided = stage(intent, *new_root);
    if (decided) decided = attempt();
  }
  if (is_overtaken(decided))
    decided = Error(ErrorCode::kBusy, "holds and keys of what is to be erased keep changing");
  if (!decided && !at_commit) return give_up(intent, std::move(decided).error());
  if (!decided) return incomplete(decided.error());
  decided_ = true;
  row_ = next_row_;
  keys_ = std::make_shared<const VaultKeys>(VaultKeys{intent.slot.generation, new_root->duplicate(),
                                                      keys_->rows.duplicate(),
                                                      keys_->anchor.duplicate()});
  return {};
}

Result<void> RootChange::decide_in(ControlWriter& writer, Intent& intent, const RootKey& new_root) {
  QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
  if (!sealed.authentic(keys_->root))
    return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
  // What is left of a batch may have been cleaned up since T1.
  row_.overlay = sealed.row.overlay;
  row_.batch = sealed.row.batch;
  if (guard_)
    QUIETUS_TRY(guard_(writer, seal(), parts_.clock.now(), RootChangeRequest::Moment::kDecide));
  if (!intent.batch) QUIETUS_TRY(check_holds(writer, intent));
  QUIETUS_TRY(check_fence(writer, intent, sealed.row, new_root));
  if (intent.batch) {
    QUIETUS_TRY(put_in_force(writer, intent, new_root));
  } else {
    QUIETUS_TRY(check_retirable(writer, intent));
    QUIETUS_TRY(add_newer_keys(writer, intent));
    QUIETUS_TRY(rekey(writer, intent, new_root));
    QUIETUS_TRY(bury(writer, intent));
  }
  QUIETUS_TRY_AS(intent.log_index,
                 append_entry(writer, log_seal(), as_bytes(decision_text(intent))));
  intent.state = IntentState::kCommitted;
  QUIETUS_TRY(rows::put_intent(writer, seal(), intent));
  next_row_ = sealed.row;
  if (intent.batch) {
    next_row_.overlay = intent.slot.generation;
    next_row_.batch = intent.id;
  }
  next_row_.generation = intent.slot.generation;
  next_row_.end_attempt(intent.id);
  next_row_.confirmed = false;
  next_row_.slots = {intent.slot};
  if (intent.kind == ChangeKind::kDestroyVault) {
    next_row_.slots.clear();
    next_row_.state = VaultState::kDestroying;
  }
  return write_root_row(writer, next_row_, new_root);
}

// Again, on the snapshot that is written to: a hold that was placed meanwhile counts (I-22).
Result<void> RootChange::check_holds(ControlReader& reader, const Intent& intent) {
  if (intent.kind == ChangeKind::kUnlock) return {};
  std::vector<ScopeId> targets;
  for (const IntentTarget& target : intent.targets) targets.push_back(target.scope);
  return check_not_held(reader, seal(), targets, intent.kind == ChangeKind::kDestroyVault);
}

// Whether the decision may still be taken (I-4): nobody aborted the intent or changed the root, and
// the new slot, read again, holds the key that the tree will be sealed under.
Result<void> RootChange::check_fence(ControlWriter& writer, const Intent& intent,
                                     const RootRow& row, const RootKey& new_root) {
  QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), intent.id));
  if (!stored || stored->state != IntentState::kBegun ||
      !row.attempts_change(intent.id, intent.slot) || row.generation != intent.generation_before)
    return Error(ErrorCode::kBusy, "another root change came in between; try again");
  if (intent.kind == ChangeKind::kDestroyVault) return {};
  QUIETUS_TRY_AS(const RootKey back, parts_.provider.read(intent.slot));
  const bool same = back.expose([&](ByteView a) {
    return new_root.expose([&](ByteView b) { return equal_constant_time(a, b); });
  });
  if (!same) return Error(ErrorCode::kIo, "root slot: reads back differently");
  return {};
}

Result<void> RootChange::rekey(ControlWriter& writer, const Intent& intent,
                               const RootKey& new_root) {
  QUIETUS_TRY_AS(const auto owners, owners_of(writer, intent));
  KeyTree tree(store_.vault_, keys_->root, *context_, row_.overlay);
  QUIETUS_TRY_AS(const auto not_owned,
                 tree.destroy(writer, leaves_of(owners), intent.slot.generation, new_root));
  if (!not_owned.empty())
    return Error(ErrorCode::kCorrupt, "key tree: a leaf is not its key's; nothing was destroyed");
  return {};
}

Error RootChange::give_up(const Intent& intent, Error reason) {
  const ErrorCode code = reason.code();
  if (code == ErrorCode::kErased) {
    // Of a batch that was begun before: another erasure took all of it since.
    resuming_ = false;
    return abort(intent, std::move(reason), "already-erased");
  }
  return abort(intent, std::move(reason),
               code == ErrorCode::kHeld ? Code("held") : Code("not-possible"));
}

// Takes back what T1 and the slot step did; nothing was destroyed. The reason when that worked, and
// kErasureIncomplete when it could not even be recorded.
Error RootChange::abort(const Intent& intent, Error reason, Code why) {
  gave_up_ = true;
  // An old copy of an intent's row may name the slot that stands now: that one is never touched.
  const bool stands =
      std::find(row_.slots.begin(), row_.slots.end(), intent.slot) != row_.slots.end();
  if (!stands) {
    const auto removed = parts_.provider.destroy(intent.slot);
    if (!removed || !removed->gone) return incomplete(reason);
  }
  // Whoever was told that it will be finished must not find it given up, unless by a hold.
  if (resuming_ && reason.code() != ErrorCode::kHeld) return incomplete(reason);
  const auto recorded =
      parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
        QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
        if (!sealed.authentic(keys_->root))
          return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
        QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), intent.id));
        if (!stored) return {};
        QUIETUS_TRY(rows::remove_intent(writer, intent.id));
        const std::string entry =
            entry_text(new_entry(parts_.clock.now()), ErasureAborted{intent.id, why});
        QUIETUS_TRY(append_entry(writer, log_seal(), as_bytes(entry)));
        sealed.row.end_attempt(intent.id);
        return write_root_row(writer, sealed.row, keys_->root);
      });
  if (!recorded) return incomplete(reason);
  // So that the begun change cannot be brought back with an older store. If that fails, the anchor
  // is merely older than the log.
  const auto anchored = write_anchor();
  static_cast<void>(anchored);
  return reason;
}

}  // namespace quietus
