// Recovery: what a crash left of root changes, brought to an end.
#include <algorithm>
#include <iterator>
#include <optional>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "keys/root_change.hpp"

namespace quietus {
namespace {

bool is_committed(const Intent& intent) {
  return intent.state != IntentState::kBegun;
}

}  // namespace

// Brings store, anchor and slots together under the exclusive lock: steps 1 to 4 of recovery. The
// intents that are left, oldest first.
Result<std::vector<Intent>> RootChange::settle(Look& seen,
                                               std::vector<RootChangeOutcome>& outcomes) {
  keys_ = seen.keys;
  row_key_ = keys_->rows.duplicate();
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
  // What was decided stands, and the rest waits.
  auto treated = destroy_other_slots(committed);
  if (!treated) return incomplete(treated.error());
  const std::vector<SlotDestruction> destroyed = std::move(treated).value();
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

Result<std::vector<RootChangeOutcome>> RootChange::recover(std::chrono::milliseconds patience) {
  std::vector<RootChangeOutcome> outcomes;
  std::optional<Error> failure;
  std::uint64_t epoch = 0;
  prepare_secrets({});
  {
    QUIETUS_TRY_AS(
        const auto lock,
        RootChangeLock::take(parts_.lock_files, LockFile::Mode::kExclusive, parts_.lock_timeout));
    const RootInHand in_hand(*this);
    QUIETUS_TRY_AS(Look seen, store_.look(true));
    QUIETUS_TRY_AS(const auto begun, settle(seen, outcomes));
    if (auto resumed = resume_begun(begun, outcomes); !resumed)
      failure = std::move(resumed).error();
    epoch = outcomes.empty() ? parts_.holders.epoch() : parts_.holders.publish();
  }
  recovered_ = true;
  std::vector<RootChangeOutcome> finished;
  for (RootChangeOutcome& outcome : outcomes) {
    auto done = await_holders(outcome, epoch, patience);
    if (done) done = finish(outcome);
    if (done)
      finished.push_back(std::move(outcome));
    else
      failure = std::move(done).error();
  }
  if (failure) return *failure;
  return finished;
}

// Step 5. One that cannot be resumed does not hold up the others.
Result<void> RootChange::resume_begun(const std::vector<Intent>& begun,
                                      std::vector<RootChangeOutcome>& outcomes) {
  std::optional<Error> failure;
  for (const Intent& intent : begun) {
    gave_up_ = false;
    auto resumed = resume(intent, outcomes);
    if (resumed) continue;
    // After a commit of unknown outcome nothing more is begun.
    if (!gave_up_) return resumed;
    if (!failure) failure = std::move(resumed).error();
  }
  if (failure) return *failure;
  return {};
}

Result<void> RootChange::drop_interrupted(const Intent& intent, const Code& why) {
  Error given_up = abort(intent, Error(ErrorCode::kRefused, "interrupted before it began"), why);
  if (given_up.code() == ErrorCode::kErasureIncomplete) return given_up;
  return {};
}

// A begun erasure is made again with a new slot and generation; a begun change of the unlock secret
// is given up, because the new secret is not known here.
Result<void> RootChange::resume(Intent intent, std::vector<RootChangeOutcome>& outcomes) {
  const auto settled = was_settled(intent);
  if (!settled) {
    gave_up_ = true;
    return incomplete(settled.error());
  }
  if (*settled) intent.targets.clear();
  if (*settled) intent.batch.reset();
  const bool of_keys = intent.kind == ChangeKind::kErase || intent.kind == ChangeKind::kRetire;
  if (of_keys) QUIETUS_TRY(drop_destroyed(intent));
  // What a guard allowed when it was begun, it might not now: the next sweep begins anew.
  const bool has_targets = intent.batch || !intent.targets.empty();
  resuming_ = of_keys && has_targets && !intent.guarded;
  const Code why = of_keys && !has_targets ? Code("already-erased") : "interrupted";
  if (!resuming_) return drop_interrupted(intent, why);
  auto changed = change({}, std::move(intent));
  // A hold was placed after prepare() looked and before T1: T2 saw it, and the erasure is given up.
  if (!changed && changed.error().code() == ErrorCode::kHeld) return {};
  if (!changed && changed.error().code() == ErrorCode::kErased && gave_up_) return {};
  QUIETUS_TRY_AS(RootChangeOutcome outcome, std::move(changed));
  // Before the next one's slot takes the place of what was destroyed, and the evidence with it.
  QUIETUS_TRY(remember_destroyed(outcome));
  outcomes.push_back(std::move(outcome));
  return {};
}

// Whether the log says, after it was begun, that it was given up or decided: then the rows that
// call it begun are old copies (I-21). The log is under the anchor, they are not.
Result<bool> RootChange::was_settled(const Intent& intent) {
  const std::string id = to_hex(intent.id);
  bool settled = false;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
    for (std::uint64_t index = intent.log_index; index < head.size && !settled; ++index) {
      QUIETUS_TRY_AS(const Bytes text, read_entry(reader, log_seal(), index));
      QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
      const bool ends = entry.kind() == entry_kinds::kErasureAborted ||
                        entry.kind() == entry_kinds::kKeysUnreachable ||
                        entry.kind() == entry_kinds::kBatchUnreachable;
      const std::string* erasure = entry.text("erasure");
      settled = ends && erasure != nullptr && *erasure == id;
    }
    return {};
  }));
  return settled;
}

// Takes out what another erasure destroyed, and certified, since.
Result<void> RootChange::drop_destroyed(Intent& intent) {
  return parts_.control.read([&](ControlReader& reader) -> Result<void> {
    std::erase_if(intent.targets, [&](IntentTarget& target) {
      const auto row = rows::key_row(reader, seal(), target.scope);
      if (!row.ok() || !*row) return false;
      if (is_destroyed((*row)->state)) return true;
      for (const KeyRecord& key : (*row)->keys)
        if (is_destroyed(key.state)) std::erase(target.keys, key.id);
      return target.keys.empty();
    });
    return {};
  });
}

}  // namespace quietus
