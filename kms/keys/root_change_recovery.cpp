// Recovery: what a crash left of root changes, brought to an end.
#include <algorithm>
#include <iterator>
#include <optional>

#include "base/failpoint.hpp"
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

Result<std::vector<RootChangeOutcome>> RootChange::recover(std::chrono::milliseconds patience) {
  std::vector<RootChangeOutcome> outcomes;
  std::uint64_t epoch = 0;
  {
    QUIETUS_TRY_AS(
        const auto lock,
        RootChangeLock::take(parts_.control_path, LockFile::Mode::kExclusive, parts_.lock_timeout));
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
    if (done)
      finished.push_back(std::move(outcome));
    else
      failure = std::move(done).error();
  }
  if (failure) return *failure;
  return finished;
}

// Step 5: a begun erasure is made again with a new slot and generation; a begun change of the
// unlock secret is given up, because the new secret is not known here.
Result<void> RootChange::resume_begun(const std::vector<Intent>& begun,
                                      std::vector<RootChangeOutcome>& outcomes) {
  for (const Intent& intent : begun) {
    if (intent.kind != ChangeKind::kErase) {
      resuming_ = false;
      Error given_up = abort(intent, Error(ErrorCode::kRefused, "interrupted before it began"));
      if (given_up.code() == ErrorCode::kErasureIncomplete) return given_up;
      continue;
    }
    resuming_ = true;
    QUIETUS_TRY_AS(RootChangeOutcome outcome, change({}, intent));
    outcomes.push_back(std::move(outcome));
  }
  return {};
}

}  // namespace quietus
