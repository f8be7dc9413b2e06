#include "keys/root_change.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "keys/erasure_certificate.hpp"
#include "keys/key_tree.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxTargets = 1024;

Error incomplete(const Error& cause) {
  return Error(ErrorCode::kErasureIncomplete,
               "begun and recorded, and will be finished at the next open: " + cause.context());
}

std::vector<LeafRef> leaves_of(const std::vector<std::pair<KeyId, rows::LeafOwner>>& owners) {
  std::vector<LeafRef> leaves;
  for (const auto& [key, owner] : owners) leaves.push_back({key, owner.index});
  return leaves;
}

// Where the leaves of an intent's keys lie now; keys that no row knows are already destroyed.
Result<std::vector<std::pair<KeyId, rows::LeafOwner>>> owners_of(ControlReader& reader,
                                                                 const RowSeal& seal,
                                                                 const Intent& intent) {
  std::vector<std::pair<KeyId, rows::LeafOwner>> owners;
  for (const IntentTarget& target : intent.targets)
    for (const KeyId key : target.keys) {
      QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(reader, seal, key));
      if (owner) owners.emplace_back(key, *owner);
    }
  return owners;
}

// What a key-created entry says; nothing for entries of other kinds.
std::optional<KeyRecord> key_record_of(const LogEntry& entry, std::uint64_t index) {
  const std::string* key = entry.text("key");
  const std::string* line = entry.text("line");
  const std::uint64_t* generation = entry.number("generation");
  const std::string* commitment = entry.text("commitment");
  if (entry.kind() != entry_kinds::kKeyCreated || !key || !line || !generation || !commitment)
    return std::nullopt;
  const auto id = from_hex(*key);
  const auto committed = from_hex(*commitment);
  if (!id || id->size() != 8 || !committed || committed->size() != 32) return std::nullopt;
  KeyRecord record;
  record.id = ByteReader(*id).u64();
  record.line = *line == name_of(KeyLine::kData) ? KeyLine::kData : KeyLine::kLasting;
  record.generation = static_cast<std::uint32_t>(*generation);
  record.created = entry.head().time;
  record.log_index = index;
  std::copy(committed->begin(), committed->end(), record.commitment.begin());
  return record;
}

bool is_committed(const Intent& intent) { return intent.state != IntentState::kBegun; }

}  // namespace

Result<RootChangeOutcome> RootChange::run(const RootChangeRequest& request) {
  RootChangeOutcome outcome;
  std::uint64_t epoch = 0;
  {
    QUIETUS_TRY_AS(const auto lock,
                   RootChangeLock::take(parts_.control_path, LockFile::Mode::kExclusive,
                                        parts_.lock_timeout));
    QUIETUS_TRY_AS(Look seen, store_.look(true));
    std::vector<RootChangeOutcome> earlier;
    QUIETUS_TRY(settle(seen, earlier));
    QUIETUS_TRY_AS(Intent intent, prepare(request));
    const SlotUnlock before = parts_.provider.unlock();
    auto changed = change(request, std::move(intent));
    if (!decided_) parts_.provider.use(before);
    QUIETUS_TRY_AS(outcome, std::move(changed));
    epoch = parts_.holders.epoch();
  }
  QUIETUS_TRY(await_holders(outcome, epoch, parts_.acknowledgement_timeout));
  QUIETUS_TRY(finish(outcome));
  return outcome;
}

Result<void> RootChange::update(KeyStore::WriteWork work) {
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  return parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
    if (!sealed.authentic(keys_->root))
      return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
    ScopeTable scopes(store_.vault_, *keys_, use);
    return work(writer, scopes, sealed.row);
  });
}

// What the request comes to, read on one snapshot; nothing is written yet.
Result<Intent> RootChange::prepare(const RootChangeRequest& request) {
  Intent intent;
  random_bytes(intent.id);
  intent.kind = request.kind;
  intent.begun = parts_.clock.now();
  intent.reason = request.reason;
  if (request.scopes.size() > kMaxTargets)
    return Error(ErrorCode::kInvalidArgument, "at most 1024 scopes in one erasure");
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  ScopeTable scopes(store_.vault_, *keys_, use);
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    for (const ScopeId scope : request.scopes) {
      if (scope == kVaultScope && request.kind == ChangeKind::kErase)
        return Error(ErrorCode::kInvalidArgument, "the vault's own scope cannot be erased");
      QUIETUS_TRY_AS(IntentTarget target, target_of(reader, scopes, scope));
      intent.targets.push_back(std::move(target));
    }
    return {};
  }));
  return intent;
}

// Destroying must work when the scope's own row is damaged: its keys are then found by their leaves.
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
      if (key.state != KeyState::kDestroyed) target.keys.push_back(key.id);
  } else {
    QUIETUS_TRY_AS(target.keys, rows::keys_of(reader, scopes.seal(), scope));
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
  if (auto confirmed = confirm(); !confirmed) return incomplete(confirmed.error());
  QUIETUS_FAILPOINT("change/after-confirm");
  if (auto anchored = write_anchor(); !anchored) return incomplete(anchored.error());
  QUIETUS_FAILPOINT("change/after-anchor");
  parts_.holders.publish();
  QUIETUS_FAILPOINT("change/after-publish");
  RootChangeOutcome outcome;
  outcome.intent = intent;
  auto destroyed = destroy_other_slots({intent});
  if (!destroyed) return incomplete(destroyed.error());
  outcome.destroyed = std::move(destroyed).value();
  QUIETUS_FAILPOINT("change/after-destroy");
  return outcome;
}

// T1: the intent, and a root generation that is burned whatever happens.
Result<void> RootChange::begin(const RootChangeRequest& request, Intent& intent) {
  QUIETUS_FAILPOINT("change/before-t1");
  bool at_commit = false;
  auto written = update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& row) -> Result<void> {
    at_commit = false;
    intent.generation_before = row.generation;
    intent.old_slots = row.slots;
    intent.slot.generation = row.next_generation++;
    random_bytes(intent.slot.id);
    intent.state = IntentState::kBegun;
    row.attempt = intent.slot;
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
    QUIETUS_TRY(rows::put_reason_text(writer, scopes.seal_under(*parent), scope,
                                      request.reason_text));
  }
  return {};
}

// T2, the decision. An error before its commit aborts the change; an error from the commit leaves the
// outcome unknown, and then nothing is destroyed.
Result<void> RootChange::decide(Intent& intent, const std::shared_ptr<const RootKey>& new_root) {
  bool at_commit = false;
  intent.committed = std::max(parts_.clock.now(), intent.begun);
  auto decided = parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    at_commit = false;
    QUIETUS_TRY(decide_in(writer, intent, *new_root));
    at_commit = true;
    return {};
  });
  if (!decided && !at_commit) return abort(intent, std::move(decided).error());
  if (!decided) return incomplete(decided.error());
  decided_ = true;
  keys_ = std::make_shared<const VaultKeys>(VaultKeys{intent.slot.generation, new_root->duplicate(),
                                                      keys_->rows.duplicate(),
                                                      keys_->anchor.duplicate()});
  return {};
}

Result<void> RootChange::decide_in(ControlWriter& writer, Intent& intent, const RootKey& new_root) {
  QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
  if (!sealed.authentic(keys_->root))
    return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
  QUIETUS_TRY(check_fence(writer, intent, sealed.row, new_root));
  QUIETUS_TRY(rekey(writer, intent, new_root));
  QUIETUS_TRY(bury(writer, intent));
  const LogSeal log{keys_->rows, store_.vault_, *context_};
  std::vector<KeyId> destroyed;
  for (const IntentTarget& target : intent.targets)
    destroyed.insert(destroyed.end(), target.keys.begin(), target.keys.end());
  const EntryHead head = new_entry(intent.committed);
  const std::string entry =
      intent.kind == ChangeKind::kUnlock
          ? entry_text(head, UnlockChanged{intent.generation_before, intent.slot.generation})
          : entry_text(head, KeysUnreachable{intent.id, intent.generation_before,
                                             intent.slot.generation, destroyed});
  QUIETUS_TRY_AS(intent.log_index, append_entry(writer, log, as_bytes(entry)));
  intent.state = IntentState::kCommitted;
  QUIETUS_TRY(rows::put_intent(writer, seal(), intent));
  row_ = sealed.row;
  row_.generation = intent.slot.generation;
  row_.attempt.reset();
  row_.confirmed = false;
  row_.slots = {intent.slot};
  if (intent.kind == ChangeKind::kDestroyVault) {
    row_.slots.clear();
    row_.state = VaultState::kDestroying;
  }
  return write_root_row(writer, row_, new_root);
}

// Whether the decision may still be taken: nobody aborted the intent or changed the root, and the new
// slot, read again, holds the key that the tree will be sealed under.
Result<void> RootChange::check_fence(ControlWriter& writer, const Intent& intent,
                                     const RootRow& row, const RootKey& new_root) {
  QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), intent.id));
  if (!stored || stored->state != IntentState::kBegun || row.attempt != intent.slot ||
      row.generation != intent.generation_before)
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
  QUIETUS_TRY_AS(const auto owners, owners_of(writer, seal(), intent));
  KeyTree tree(store_.vault_, keys_->root, *context_);
  QUIETUS_TRY_AS(const auto not_owned,
                 tree.destroy(writer, leaves_of(owners), intent.slot.generation, new_root));
  if (!not_owned.empty())
    return Error(ErrorCode::kCorrupt, "key tree: a leaf is not its key's; nothing was destroyed");
  return {};
}

// Marks keys and scopes as destroyed and writes tombstones.
Result<void> RootChange::bury(ControlWriter& writer, const Intent& intent) {
  for (const IntentTarget& target : intent.targets) {
    const auto stored = rows::key_row(writer, seal(), target.scope);
    KeyRow row;
    row.id = target.scope;
    if (stored.ok() && stored.value()) {
      row = *stored.value();
    } else {
      QUIETUS_TRY_AS(row.keys, keys_from_log(writer, target));
    }
    row.state = KeyState::kDestroyed;
    row.changed = intent.committed;
    for (KeyRecord& key : row.keys) {
      key.state = KeyState::kDestroyed;
      key.wrapped.clear();
    }
    QUIETUS_TRY(rows::put_key_row(writer, seal(), row));
    QUIETUS_TRY(rows::remove_info(writer, target.scope));
    QUIETUS_TRY(rows::put_tombstone(writer, seal(), target.scope,
                                    {intent.id, intent.committed, intent.reason}));
  }
  return {};
}

// The facts that a certificate needs, when the scope's own row is damaged: the log has them too.
Result<std::vector<KeyRecord>> RootChange::keys_from_log(ControlReader& reader,
                                                         const IntentTarget& target) {
  std::vector<KeyRecord> found;
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  for (std::uint64_t index = 0; index < head.size; ++index) {
    QUIETUS_TRY_AS(const Bytes text,
                   read_entry(reader, {keys_->rows, store_.vault_, *context_}, index));
    QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
    auto record = key_record_of(entry, index);
    if (record && std::find(target.keys.begin(), target.keys.end(), record->id) != target.keys.end())
      found.push_back(std::move(*record));
  }
  return found;
}

// Takes back what T1 and the slot step did; nothing was destroyed. The reason when that worked, and
// kErasureIncomplete when it could not even be recorded.
Error RootChange::abort(const Intent& intent, Error reason) {
  const auto removed = parts_.provider.destroy(intent.slot);
  if (!removed || !removed->gone) return incomplete(reason);
  const auto recorded = parts_.control.update(
      WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
        QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
        if (sealed.row.attempt != intent.slot) return {};
        sealed.row.attempt.reset();
        QUIETUS_TRY(rows::remove_intent(writer, intent.id));
        const std::string entry =
            entry_text(new_entry(parts_.clock.now()), ErasureAborted{intent.id, "not-possible"});
        QUIETUS_TRY(append_entry(writer, {keys_->rows, store_.vault_, *context_}, as_bytes(entry)));
        return write_root_row(writer, sealed.row, keys_->root);
      });
  if (!recorded) return incomplete(reason);
  return reason;
}

Result<void> RootChange::confirm() { return store_.confirm_root(*keys_); }

Result<void> RootChange::write_anchor() {
  QUIETUS_TRY_AS(const TreeHead head, store_.log_head());
  Anchor anchor;
  anchor.vault = store_.vault_;
  anchor.generation = row_.generation;
  anchor.log_size = head.size;
  anchor.log_root = head.root;
  return parts_.anchor.write(anchor, keys_->anchor);
}

// Every slot that the root row does not name, older, newer and torn ones, and the old slots of the
// committed intents even when they are no longer listed: they are looked for again.
Result<std::vector<SlotDestruction>> RootChange::destroy_other_slots(
    const std::vector<Intent>& committed) {
  QUIETUS_TRY_AS(std::vector<SlotName> others, parts_.provider.list());
  for (const Intent& intent : committed)
    others.insert(others.end(), intent.old_slots.begin(), intent.old_slots.end());
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  std::erase_if(others, [&](const SlotName& slot) {
    return std::find(row_.slots.begin(), row_.slots.end(), slot) != row_.slots.end();
  });
  std::vector<SlotDestruction> destroyed;
  for (const SlotName& slot : others) {
    QUIETUS_TRY_AS(SlotDestruction done, parts_.provider.destroy(slot));
    destroyed.push_back(done);
  }
  QUIETUS_TRY_AS(const auto left, parts_.provider.list());
  if (left != row_.slots)
    return Error(ErrorCode::kIo, "root slots: the provider lists others than the root row names");
  return destroyed;
}

Result<void> RootChange::await_holders(RootChangeOutcome& outcome, std::uint64_t epoch,
                                       std::chrono::milliseconds patience) {
  auto counted = parts_.holders.await(epoch, patience);
  if (counted && counted->missing == 0) {
    outcome.holders = *counted;
    return {};
  }
  // The old slot is gone; what is left is to hear from the holders.
  QUIETUS_TRY(remember_destroyed(outcome));
  if (!counted) return incomplete(counted.error());
  return Error(ErrorCode::kErasureIncomplete,
               "the old root slot is destroyed, but " + std::to_string(counted->missing) +
                   " process(es) that may hold the keys in memory have not confirmed; it will be "
                   "finished when they do or end");
}

Result<void> RootChange::remember_destroyed(RootChangeOutcome& outcome) {
  outcome.intent.state = IntentState::kSlotDestroyed;
  outcome.intent.destroyed = outcome.destroyed;
  const auto written = parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) {
    return rows::put_intent(writer, seal(), outcome.intent);
  });
  if (!written) return incomplete(written.error());
  return {};
}

// T3: the slot is gone and nobody holds the keys.
Result<void> RootChange::finish(RootChangeOutcome& outcome) {
  QUIETUS_FAILPOINT("change/before-t3");
  auto finished = parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) {
    return finish_in(writer, outcome);
  });
  if (!finished) return incomplete(finished.error());
  QUIETUS_FAILPOINT("change/after-t3");
  return {};
}

Result<void> RootChange::finish_in(ControlWriter& writer, RootChangeOutcome& outcome) {
  const Intent& intent = outcome.intent;
  // Another process may have finished it meanwhile.
  QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), intent.id));
  if (!stored) return {};
  std::vector<SlotId> slots;
  for (const SlotDestruction& slot : outcome.destroyed) slots.push_back(slot.slot.id);
  const UnixMillis now = std::max(parts_.clock.now(), intent.committed);
  const std::string entry =
      entry_text(new_entry(now), SlotDestroyed{intent.id, slots, "overwrite-in-place",
                                               outcome.holders.acknowledged, outcome.holders.ended});
  QUIETUS_TRY_AS(const std::uint64_t index,
                 append_entry(writer, {keys_->rows, store_.vault_, *context_}, as_bytes(entry)));
  QUIETUS_TRY(free_leaves(writer, intent));
  QUIETUS_TRY(rows::remove_intent(writer, intent.id));
  if (intent.kind == ChangeKind::kUnlock) return {};
  const RowSeal rows_seal = seal();
  QUIETUS_TRY_AS(WrittenCertificate certificate,
                 write_certificate({writer, rows_seal, outcome, parts_, index, now}));
  outcome.certificate = certificate.id;
  outcome.certificate_document = std::move(certificate.document);
  return {};
}

// Only now may the indices be used again.
Result<void> RootChange::free_leaves(ControlWriter& writer, const Intent& intent) {
  if (intent.kind != ChangeKind::kErase) return {};
  QUIETUS_TRY_AS(const auto owners, owners_of(writer, seal(), intent));
  for (const auto& [key, owner] : owners) {
    QUIETUS_TRY(rows::remove_leaf_owner(writer, key));
    QUIETUS_TRY(rows::put_freed_leaf(writer, seal(), owner.index));
  }
  return {};
}

// Brings store, anchor and slots together under the exclusive lock: steps 1 to 4 of recovery. The
// intents that are left, oldest first.
Result<std::vector<Intent>> RootChange::settle(Look& seen,
                                               std::vector<RootChangeOutcome>& outcomes) {
  keys_ = seen.keys;
  row_ = seen.row;
  if (KeyStore::settled(seen)) return std::vector<Intent>();
  QUIETUS_FAILPOINT("recover/before-confirm");
  QUIETUS_TRY(confirm());
  row_.confirmed = true;
  QUIETUS_TRY(write_anchor());
  QUIETUS_FAILPOINT("recover/after-anchor");
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const auto again, store_.load_vault_keys(reader, *context_));
    return {};
  }));
  std::vector<Intent> committed;
  std::copy_if(seen.intents.begin(), seen.intents.end(), std::back_inserter(committed),
               [](const Intent& intent) { return intent.state == IntentState::kCommitted; });
  QUIETUS_TRY_AS(const auto destroyed, destroy_other_slots(committed));
  QUIETUS_FAILPOINT("recover/after-destroy");
  for (const Intent& intent : seen.intents) {
    if (!is_committed(intent)) continue;
    RootChangeOutcome outcome;
    outcome.intent = intent;
    outcome.destroyed = intent.destroyed;
    if (intent.state == IntentState::kCommitted)
      std::copy_if(destroyed.begin(), destroyed.end(), std::back_inserter(outcome.destroyed),
                   [&](const SlotDestruction& slot) {
                     return slot.slot.generation < intent.slot.generation;
                   });
    if (intent.state == IntentState::kCommitted) QUIETUS_TRY(remember_destroyed(outcome));
    outcomes.push_back(std::move(outcome));
  }
  std::vector<Intent> begun;
  std::copy_if(seen.intents.begin(), seen.intents.end(), std::back_inserter(begun),
               [](const Intent& intent) { return intent.state == IntentState::kBegun; });
  return begun;
}

Result<std::vector<RootChangeOutcome>> RootChange::recover(
    std::chrono::milliseconds patience) {
  std::vector<RootChangeOutcome> outcomes;
  std::uint64_t epoch = 0;
  {
    QUIETUS_TRY_AS(const auto lock,
                   RootChangeLock::take(parts_.control_path, LockFile::Mode::kExclusive,
                                        parts_.lock_timeout));
    QUIETUS_TRY_AS(Look seen, store_.look(true));
    QUIETUS_TRY_AS(const auto begun, settle(seen, outcomes));
    QUIETUS_TRY(resume_begun(begun, outcomes));
    epoch = outcomes.empty() ? parts_.holders.epoch() : parts_.holders.publish();
  }
  std::optional<Error> failure;
  std::vector<RootChangeOutcome> finished;
  for (RootChangeOutcome& outcome : outcomes) {
    auto done = await_holders(outcome, epoch, patience);
    if (done) done = finish(outcome);
    if (done) finished.push_back(std::move(outcome));
    else failure = std::move(done).error();
  }
  if (failure) return *failure;
  return finished;
}

// Step 5: a begun erasure is made again with a new slot and generation; a begun change of the unlock
// secret is given up, because the new secret is not known here.
Result<void> RootChange::resume_begun(const std::vector<Intent>& begun,
                                      std::vector<RootChangeOutcome>& outcomes) {
  for (const Intent& intent : begun) {
    if (intent.kind != ChangeKind::kErase) {
      Error given_up = abort(intent, Error(ErrorCode::kRefused, "interrupted before it began"));
      if (given_up.code() == ErrorCode::kErasureIncomplete) return given_up;
      continue;
    }
    RootChangeRequest request;
    QUIETUS_TRY_AS(RootChangeOutcome outcome, change(request, intent));
    outcomes.push_back(std::move(outcome));
  }
  return {};
}

}  // namespace quietus
