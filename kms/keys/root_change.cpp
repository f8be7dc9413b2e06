#include "keys/root_change.hpp"

#include <algorithm>
#include <set>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/holds.hpp"
#include "keys/key_tree.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxTargets = 1024;

std::vector<LeafRef> leaves_of(const std::vector<std::pair<KeyId, rows::LeafOwner>>& owners) {
  std::vector<LeafRef> leaves;
  leaves.reserve(owners.size());
  for (const auto& [key, owner] : owners) leaves.push_back({key, owner.index});
  return leaves;
}

Result<void> check_request(const RootChangeRequest& request) {
  if (request.scopes.size() > kMaxTargets)
    return Error(ErrorCode::kInvalidArgument, "at most 1024 scopes in one erasure");
  if ((request.kind == ChangeKind::kUnlock) != request.scopes.empty())
    return Error(ErrorCode::kInvalidArgument, "an erasure names scopes, and nothing else does");
  if (!Code::parse(request.reason))
    return Error(ErrorCode::kInvalidArgument, "the reason of a root change is not a code");
  return {};
}

}  // namespace

Result<RootChangeOutcome> RootChange::run(const RootChangeRequest& request) {
  QUIETUS_TRY(check_request(request));
  RootChangeOutcome outcome;
  std::vector<RootChangeOutcome> earlier;
  std::uint64_t epoch = 0;
  prepare_secrets(request);
  {
    QUIETUS_TRY_AS(
        const auto lock,
        RootChangeLock::take(parts_.lock_files, LockFile::Mode::kExclusive, parts_.lock_timeout));
    const RootInHand in_hand(*this);
    QUIETUS_TRY_AS(Look seen, store_.look(true));
    QUIETUS_TRY(settle(seen, earlier));
    if (request.kind == ChangeKind::kDestroyVault) QUIETUS_TRY(require_alone());
    QUIETUS_TRY_AS(Intent intent, prepare(request));
    const SlotUnlock before = parts_.provider.unlock();
    auto changed = change(request, std::move(intent));
    if (!decided_) parts_.provider.use(before);
    QUIETUS_TRY_AS(outcome, std::move(changed));
    epoch = parts_.holders.epoch();
  }
  QUIETUS_TRY(await_holders(outcome, epoch, parts_.acknowledgement_timeout));
  QUIETUS_TRY(finish(outcome));
  // The holders that were waited for answer for earlier changes too.
  recovered_ = true;
  for (RootChangeOutcome& other : earlier) {
    other.holders = outcome.holders;
    if (!finish(other)) break;  // it stays recorded
  }
  return outcome;
}

Result<void> RootChange::update(KeyStore::WriteWork work) {
  QUIETUS_TRY_AS(auto use, parts_.cache.begin());
  use.set_apart();
  return parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
    if (!sealed.authentic(keys_->root))
      return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
    ScopeTable scopes(store_.vault_, *keys_, use);
    return work(writer, scopes, sealed.row);
  });
}

// After the destruction of the vault nothing can be recorded any more, so it must not have to wait
// for another process when it is too late to go back.
Result<void> RootChange::require_alone() {
  QUIETUS_TRY_AS(const std::uint32_t holders, parts_.holders.count());
  if (holders <= 1) return {};
  return Error(ErrorCode::kBusy, std::to_string(holders - 1) +
                                     " other process(es) have the vault open; close it there, "
                                     "then destroy it");
}

// Argon2id takes a second, which nobody should spend under the lock: a process that is stopped
// there keeps everybody else waiting.
void RootChange::prepare_secrets(const RootChangeRequest& request) {
  parts_.provider.prepare_reading();
  if (!request.new_unlock.secret || !request.new_unlock.parameters) return;
  const auto derived = request.new_unlock.secret->key_for(*request.new_unlock.parameters);
  static_cast<void>(derived);  // an error shows when the slot is made
}

// The whole vault's keys must not outlive the lock here: whoever changes the root next waits for
// Uses only. What is left to do needs the row key alone.
RootChange::RootInHand::~RootInHand() {
  change_.keys_.reset();
  change_.context_->forget();
}

// What the request comes to, read on one snapshot; nothing is written yet.
Result<Intent> RootChange::prepare(const RootChangeRequest& request) {
  Intent intent;
  random_bytes(intent.id);
  intent.kind = request.kind;
  intent.begun = parts_.clock.now();
  intent.reason = request.reason;
  intent.unreadable = request.unreadable;
  const std::set<ScopeId> once(request.scopes.begin(), request.scopes.end());
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  ScopeTable scopes(store_.vault_, *keys_, use);
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    for (const ScopeId scope : once) {
      if (scope == kVaultScope && request.kind == ChangeKind::kErase)
        return Error(ErrorCode::kInvalidArgument, "the vault's own scope cannot be erased");
      QUIETUS_TRY_AS(IntentTarget target, request.kind == ChangeKind::kRetire
                                              ? retired_target_of(reader, scope)
                                              : target_of(reader, scopes, scope));
      if (const auto subject = request.subjects.find(scope); subject != request.subjects.end()) {
        target.level = subject->second.level;
        target.subject = subject->second.commitment;
      }
      intent.targets.push_back(std::move(target));
    }
    return check_not_held(reader, scopes.seal(), {once.begin(), once.end()},
                          request.kind == ChangeKind::kDestroyVault);
  }));
  return intent;
}

// Destroying must work when the scope's own row is damaged: its keys are then found by their leaves
// and in the log. A key that only one of the two knows counts: none may be left over.
Result<IntentTarget> RootChange::target_of(ControlReader& reader, ScopeTable& scopes,
                                           ScopeId scope) {
  IntentTarget target;
  target.scope = scope;
  if (const auto usable = scopes.keys(reader, scope);
      !usable && usable.error().code() != ErrorCode::kCorrupt)
    return usable.error();
  const auto row = rows::key_row(reader, scopes.seal(), scope);
  if (row.ok() && row.value()) {
    for (const KeyRecord& key : row.value()->keys)
      if (!is_destroyed(key.state)) target.keys.push_back(key.id);
  } else {
    QUIETUS_TRY_AS(target.keys, rows::keys_of(reader, scopes.seal(), scope));
    QUIETUS_TRY_AS(const auto logged, keys_from_log(reader, scope));
    for (const KeyRecord& key : logged) target.keys.push_back(key.id);
    std::sort(target.keys.begin(), target.keys.end());
    target.keys.erase(std::unique(target.keys.begin(), target.keys.end()), target.keys.end());
  }
  if (target.keys.empty()) return Error(ErrorCode::kCorrupt, "scope: none of its keys is known");
  return target;
}

Result<RootChangeOutcome> RootChange::change(const RootChangeRequest& request, Intent intent) {
  QUIETUS_TRY(begin(request, intent));
  const auto new_root = std::make_shared<const RootKey>(random_key<RootRole>());
  const bool keeps_slot = intent.kind != ChangeKind::kDestroyVault;
  if (request.new_unlock.secret) parts_.provider.use(request.new_unlock);
  if (keeps_slot) {
    auto made = parts_.provider.create(intent.slot, *new_root);
    if (!made) return abort(intent, std::move(made).error());
  }
  QUIETUS_FAILPOINT("change/after-slot");
  QUIETUS_TRY(decide(intent, new_root));
  QUIETUS_FAILPOINT("change/after-t2");
  auto stands = confirm();
  QUIETUS_FAILPOINT("change/after-confirm");
  if (stands) stands = write_anchor();
  QUIETUS_FAILPOINT("change/after-anchor");
  // Also when something is amiss: what the tree no longer opens is not to be read from memory
  // either.
  parts_.holders.publish();
  if (!stands) return incomplete(stands.error());
  QUIETUS_FAILPOINT("change/after-publish");
  RootChangeOutcome outcome;
  outcome.intent = intent;
  auto destroyed = destroy_other_slots({intent});
  if (!destroyed) return incomplete(destroyed.error());
  outcome.destroyed = std::move(destroyed).value();
  QUIETUS_FAILPOINT("change/after-destroy");
  return outcome;
}

// T1: the intent, and a root generation that is burned whatever happens (I-3).
Result<void> RootChange::begin(const RootChangeRequest& request, Intent& intent) {
  QUIETUS_FAILPOINT("change/before-t1");
  bool at_commit = false;
  auto written =
      update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& row) -> Result<void> {
        at_commit = false;
        intent.generation_before = row.generation;
        intent.old_slots = row.slots;
        intent.slot.generation = row.next_generation++;
        random_bytes(intent.slot.id);
        intent.state = IntentState::kBegun;
        QUIETUS_TRY(row.begin_attempt({intent.id, intent.slot}));
        QUIETUS_TRY(write_reasons(writer, scopes, request));
        QUIETUS_TRY(write_salts(writer, scopes, request, intent));
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

// Kept for as long as the tenant lives; a tenant's own goes out with the certificate alone.
Result<void> RootChange::write_salts(ControlWriter& writer, ScopeTable& scopes,
                                     const RootChangeRequest& request, const Intent& intent) {
  for (const auto& [scope, subject] : request.subjects) {
    if (scope == subject.tenant) continue;
    QUIETUS_TRY_AS(const auto tenant, scopes.keys(writer, subject.tenant));
    QUIETUS_TRY(rows::put_salt(writer, scopes.seal_under(*tenant), intent.id,
                               {scope, subject.tenant}, subject.salt));
  }
  return {};
}

// T2, the decision (I-2, I-6). An error before its commit aborts the change; an error from the
// commit leaves the outcome unknown, and then nothing is destroyed.
Result<void> RootChange::decide(Intent& intent, const std::shared_ptr<const RootKey>& new_root) {
  bool at_commit = false;
  intent.committed = std::max(parts_.clock.now(), intent.begun);
  auto decided =
      parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
        at_commit = false;
        QUIETUS_TRY(decide_in(writer, intent, *new_root));
        at_commit = true;
        return {};
      });
  if (!decided && !at_commit) {
    const bool held = decided.error().code() == ErrorCode::kHeld;
    return abort(intent, std::move(decided).error(), held ? Code("held") : Code("not-possible"));
  }
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
  QUIETUS_TRY(check_holds(writer, intent));
  QUIETUS_TRY(check_fence(writer, intent, sealed.row, new_root));
  QUIETUS_TRY(check_retirable(writer, intent));
  QUIETUS_TRY(add_newer_keys(writer, intent));
  QUIETUS_TRY(rekey(writer, intent, new_root));
  QUIETUS_TRY(bury(writer, intent));
  std::vector<KeyId> destroyed;
  for (const IntentTarget& target : intent.targets)
    destroyed.insert(destroyed.end(), target.keys.begin(), target.keys.end());
  const EntryHead head = new_entry(intent.committed);
  const std::string entry =
      intent.kind == ChangeKind::kUnlock
          ? entry_text(head, UnlockChanged{intent.generation_before, intent.slot.generation})
          : entry_text(head, KeysUnreachable{intent.id, intent.generation_before,
                                             intent.slot.generation, destroyed});
  QUIETUS_TRY_AS(intent.log_index, append_entry(writer, log_seal(), as_bytes(entry)));
  intent.state = IntentState::kCommitted;
  QUIETUS_TRY(rows::put_intent(writer, seal(), intent));
  next_row_ = sealed.row;
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
  KeyTree tree(store_.vault_, keys_->root, *context_);
  QUIETUS_TRY_AS(const auto not_owned,
                 tree.destroy(writer, leaves_of(owners), intent.slot.generation, new_root));
  if (!not_owned.empty())
    return Error(ErrorCode::kCorrupt, "key tree: a leaf is not its key's; nothing was destroyed");
  return {};
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
