#include "keys/root_change.hpp"

#include <algorithm>
#include <set>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/holds.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxTargets = 1024;

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

ErasureId random_erasure_id() {
  ErasureId id{};
  random_bytes(id);
  return id;
}

Result<RootChangeOutcome> RootChange::run(const RootChangeRequest& request) {
  QUIETUS_TRY(check_request(request));
  return carry_out(request, [&] { return prepare(request); });
}

Result<RootChangeOutcome> RootChange::carry_out(const RootChangeRequest& request,
                                                FunctionRef<Result<Intent>()> prepared) {
  RootChangeOutcome outcome;
  std::vector<RootChangeOutcome> earlier;
  std::uint64_t epoch = 0;
  prepare_secrets(request);
  guard_ = request.guard;
  {
    QUIETUS_TRY_AS(
        const auto lock,
        RootChangeLock::take(parts_.lock_files, LockFile::Mode::kExclusive, parts_.lock_timeout));
    const RootInHand in_hand(*this);
    QUIETUS_TRY_AS(Look seen, store_.look(true));
    QUIETUS_TRY(settle(seen, earlier));
    if (request.kind == ChangeKind::kDestroyVault) QUIETUS_TRY(require_alone());
    QUIETUS_TRY_AS(Intent intent, prepared());
    const SlotUnlock before = parts_.provider.unlock();
    auto changed = change(request, std::move(intent));
    if (!decided_) parts_.provider.use(before);
    QUIETUS_TRY_AS(outcome, std::move(changed));
    epoch = parts_.holders.epoch();
  }
  QUIETUS_TRY(complete(outcome, earlier, epoch));
  return outcome;
}

// From the destroyed slot to the end; what was left of earlier changes is finished with it.
Result<void> RootChange::complete(RootChangeOutcome& outcome,
                                  std::vector<RootChangeOutcome>& earlier, std::uint64_t epoch) {
  QUIETUS_TRY(await_holders(outcome, epoch, parts_.acknowledgement_timeout));
  if (outcome.intent.kind != ChangeKind::kUnlock) tell_site();
  QUIETUS_FAILPOINT("change/site-told");
  QUIETUS_TRY(finish(outcome));
  // The holders that were waited for answer for earlier changes too.
  recovered_ = true;
  for (RootChangeOutcome& other : earlier) {
    other.holders = outcome.holders;
    if (!finish(other)) break;  // it stays recorded
  }
  return {};
}

Result<void> RootChange::update(KeyStore::WriteWork work) {
  QUIETUS_TRY_AS(auto use, parts_.cache.begin());
  use.set_apart();
  return parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
    if (!sealed.authentic(keys_->root))
      return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
    ScopeTable scopes(store_.vault_, *keys_, use, sealed.row);
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
  intent.id = request.id;
  intent.kind = request.kind;
  intent.begun = parts_.clock.now();
  intent.reason = request.reason;
  intent.guarded = static_cast<bool>(request.guard);
  intent.unreadable = request.unreadable;
  const std::set<ScopeId> once(request.scopes.begin(), request.scopes.end());
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  ScopeTable scopes(store_.vault_, *keys_, use, row_);
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    for (const ScopeId scope : once) {
      if (scope == kVaultScope && request.kind == ChangeKind::kErase)
        return Error(ErrorCode::kInvalidArgument, "the vault's own scope cannot be erased");
      QUIETUS_TRY_AS(IntentTarget target,
                     request.kind == ChangeKind::kRetire
                         ? retired_target_of(reader, scope, request.unneeded_before)
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
  if (intent.batch) {
    auto staged = stage(intent, *new_root);
    if (!staged) return give_up(intent, std::move(staged).error());
    QUIETUS_FAILPOINT("batch/after-staging");
  }
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

}  // namespace quietus
