// From a committed root to the certificate: confirm, anchor, destroy, acknowledge, T3.
#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/erasure_certificate.hpp"
#include "keys/inbox.hpp"
#include "keys/root_change.hpp"

namespace quietus {

Error RootChange::incomplete(const Error& cause) {
  return Error(ErrorCode::kErasureIncomplete,
               "begun and recorded, and will be finished at the next open: " + cause.context());
}

Result<void> RootChange::confirm() {
  return store_.confirm_root(*keys_);
}

Result<void> RootChange::write_anchor() {
  QUIETUS_TRY_AS(const TreeHead head, store_.log_head());
  return parts_.anchor.write(KeyStore::anchor_for(row_, head), keys_->anchor);
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
  if (outcome.destroyed.size() > kMaxDestroyedSlots)
    return incomplete(
        Error(ErrorCode::kFull, "more root slots were destroyed than fit into a row"));
  outcome.intent.state = IntentState::kSlotDestroyed;
  outcome.intent.destroyed = outcome.destroyed;
  const auto written =
      parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
        // Another process may have finished it meanwhile: it must not come back.
        QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), outcome.intent.id));
        if (!stored) return {};
        return rows::put_intent(writer, seal(), outcome.intent);
      });
  if (!written) return incomplete(written.error());
  return {};
}

// T3: the slot is gone and nobody holds the keys (I-8, I-9).
Result<void> RootChange::finish(RootChangeOutcome& outcome) {
  QUIETUS_FAILPOINT("change/before-t3");
  auto finished = parts_.control.update(
      WriteClass::kErasure, [&](ControlWriter& writer) { return finish_in(writer, outcome); });
  if (!finished) return incomplete(finished.error());
  QUIETUS_FAILPOINT("change/after-t3");
  return {};
}

// What cannot be told now is told by the next erasure, or when somebody asks for it; the
// certificate says so. Nobody waits for it under a lock.
void RootChange::tell_site() {
  const auto read = [&](FunctionRef<Result<void>(ControlReader&, const RowSeal&)> work) {
    return parts_.control.read([&](ControlReader& reader) { return work(reader, seal()); });
  };
  auto told = tell_inbox(read, *parts_.files, parts_.origin);
  if (told) told_ = *std::move(told);
}

Result<void> RootChange::finish_in(ControlWriter& writer, RootChangeOutcome& outcome) {
  const Intent& intent = outcome.intent;
  if (told_) QUIETUS_TRY(rows::note_told(writer, seal(), *told_));
  // Another process may have finished it meanwhile, and certified it.
  QUIETUS_TRY_AS(const auto stored, rows::intent(writer, seal(), intent.id));
  if (!stored) return find_certificate(writer, outcome);
  if (recovered_) {
    // An old copy of the intent's row may have been put back (I-21).
    QUIETUS_TRY(find_certificate(writer, outcome));
    QUIETUS_TRY_AS(const bool finished, batch_is_finished(writer, intent));
    if (finished || !outcome.certificate_document.empty())
      return rows::remove_intent(writer, intent.id);
  }
  std::vector<SlotId> slots;
  for (const SlotDestruction& slot : outcome.destroyed) slots.push_back(slot.slot.id);
  const UnixMillis now = std::max(parts_.clock.now(), intent.committed);
  const std::string entry = entry_text(
      new_entry(now), SlotDestroyed{intent.id, slots, "overwrite-in-place",
                                    outcome.holders.acknowledged, outcome.holders.ended});
  QUIETUS_TRY_AS(const std::uint64_t index, append_entry(writer, log_seal(), as_bytes(entry)));
  QUIETUS_TRY(rows::remove_intent(writer, intent.id));
  if (intent.batch) return finish_batch(writer, outcome, index, now);
  QUIETUS_TRY(free_leaves(writer, intent));
  if (intent.kind == ChangeKind::kUnlock || intent.kind == ChangeKind::kRetire) return {};
  const RowSeal rows_seal = seal();
  QUIETUS_TRY_AS(WrittenCertificate certificate,
                 write_certificate({writer, rows_seal, outcome, parts_, index, now,
                                    parts_.provider.assurance()}));
  outcome.certificate = certificate.id;
  outcome.certificate_document = std::move(certificate.document);
  return {};
}

Result<void> RootChange::find_certificate(ControlReader& reader, RootChangeOutcome& outcome) {
  if (outcome.intent.batch) return {};  // it has one for each scope, drawn when it is asked for
  QUIETUS_TRY_AS(const auto id, rows::certificate_of(reader, seal(), outcome.intent.id));
  if (!id) return {};
  QUIETUS_TRY_AS(auto document, rows::certificate(reader, seal(), *id));
  outcome.certificate = *id;
  outcome.certificate_document = std::move(document).value_or("");
  return {};
}

// Only now may the indices be used again (I-16).
Result<void> RootChange::free_leaves(ControlWriter& writer, const Intent& intent) {
  if (intent.kind != ChangeKind::kErase && intent.kind != ChangeKind::kRetire) return {};
  for (const IntentTarget& target : intent.targets)
    for (const KeyId key : target.keys) {
      QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(writer, seal(), key));
      if (!owner) continue;
      QUIETUS_TRY(rows::remove_leaf_owner(writer, key));
      QUIETUS_TRY(rows::put_freed_leaf(writer, seal(), owner->index));
    }
  return {};
}

// Where the leaves of an intent's keys lie. A key whose leaf is not known cannot be destroyed, so
// it must not pass for destroyed (I-8).
Result<std::vector<std::pair<KeyId, rows::LeafOwner>>> RootChange::owners_of(ControlReader& reader,
                                                                             const Intent& intent) {
  std::vector<std::pair<KeyId, rows::LeafOwner>> owners;
  for (const IntentTarget& target : intent.targets)
    for (const KeyId key : target.keys) {
      QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(reader, seal(), key));
      if (!owner)
        return Error(ErrorCode::kCorrupt,
                     "control store: the leaf of a key is not known; nothing was destroyed");
      owners.emplace_back(key, *owner);
    }
  return owners;
}

}  // namespace quietus
