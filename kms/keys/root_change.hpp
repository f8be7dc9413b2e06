// One change of the root, from intent to certificate, and the recovery of what a crash interrupted.
// The steps T1, slot, T2, confirm, anchor, revoke, destroy, acknowledge, T3 are those of
// docs/erasure.md; the numbered invariants there say what must hold after each.
#pragma once

#include <optional>

#include "keys/batch_rows.hpp"
#include "keys/inbox.hpp"
#include "keys/key_store.hpp"

namespace quietus {

class RootChange {
 public:
  explicit RootChange(KeyStore& store) : store_(store), parts_(store.parts_) {}

  Result<RootChangeOutcome> run(const RootChangeRequest& request);
  Result<RootChangeOutcome> run(const BatchRequest& request);
  Result<std::vector<RootChangeOutcome>> recover(std::chrono::milliseconds patience);

 private:
  using Look = KeyStore::Look;

  // Lets the root key go, whichever way the lock is given up. To be declared after the lock.
  class RootInHand {
   public:
    explicit RootInHand(RootChange& change) : change_(change) {}
    RootInHand(const RootInHand&) = delete;
    RootInHand& operator=(const RootInHand&) = delete;
    ~RootInHand();

   private:
    RootChange& change_;
  };

  Result<RootChangeOutcome> carry_out(const RootChangeRequest& request,
                                      FunctionRef<Result<Intent>()> prepared);
  void prepare_secrets(const RootChangeRequest& request);
  // A transaction under the lock, with the keys of the root that stands.
  Result<void> update(KeyStore::WriteWork work);

  // T1 to the destroyed slot, under the lock.
  Result<RootChangeOutcome> change(const RootChangeRequest& request, Intent intent);
  Result<void> require_alone();
  Result<Intent> prepare(const RootChangeRequest& request);
  Result<void> add_targets(const RootChangeRequest& request, Intent& intent);
  Result<IntentTarget> target_of(ControlReader& reader, ScopeTable& scopes, ScopeId scope);
  Result<IntentTarget> retired_target_of(ControlReader& reader, ScopeId scope,
                                         UnixMillis unneeded_before);
  Result<void> check_retirable(ControlReader& reader, const Intent& intent);
  Result<void> begin(const RootChangeRequest& request, Intent& intent);
  Result<void> write_reasons(ControlWriter& writer, ScopeTable& scopes,
                             const RootChangeRequest& request);
  Result<void> decide(Intent& intent, const std::shared_ptr<const RootKey>& new_root);
  Result<void> decide_in(ControlWriter& writer, Intent& intent, const RootKey& new_root);
  Result<void> check_holds(ControlReader& reader, const Intent& intent);
  Result<void> check_fence(ControlWriter& writer, const Intent& intent, const RootRow& row,
                           const RootKey& new_root);
  Result<void> add_newer_keys(ControlReader& reader, Intent& intent);
  Result<void> rekey(ControlWriter& writer, const Intent& intent, const RootKey& new_root);
  Result<void> bury(ControlWriter& writer, const Intent& intent);
  Result<void> bury_retired(ControlWriter& writer, const Intent& intent,
                            const IntentTarget& target);
  Result<void> forget_lost_names(ControlWriter& writer, const KeyRow& parent);
  // Every key of a scope that the log knows and that no erasure named yet.
  Result<std::vector<KeyRecord>> keys_from_log(ControlReader& reader, ScopeId scope);
  Error give_up(const Intent& intent, Error reason);
  Error abort(const Intent& intent, Error reason, Code why = "not-possible");

  // Of an erasure of many scopes (root_change_batch.cpp, root_change_staging.cpp).
  Result<std::uint64_t> list(const BatchRequest& request);
  Result<void> list_target(ControlWriter& writer, ScopeTable& scopes, const ErasureId& id,
                           const BatchTarget& target);
  Result<BatchStatement> statement_of(ControlReader& reader, ScopeTable& scopes,
                                      const BatchTarget& target);
  Result<void> check_listed_holds(const ErasureId& id);
  Result<void> check_room();
  Result<void> stage(Intent& intent, const RootKey& new_root);
  Result<bool> look_at_list(Intent& intent);
  Result<bool> look_at_page(Intent& intent, ScopeId& from, bool& renewed);
  Result<void> renew_statement(ControlWriter& writer, const ErasureId& id, ScopeId scope);
  Result<void> stage_tree(const Intent& intent, const RootKey& new_root);
  Result<void> carry_added(const Intent& intent, const RootKey& new_root);
  Result<std::size_t> carry_some(ControlWriter& writer, const Intent& intent,
                                 const RootKey& new_root, std::size_t limit);
  Result<void> put_in_force(ControlWriter& writer, const Intent& intent, const RootKey& new_root);
  Result<void> finish_batch(ControlWriter& writer, const RootChangeOutcome& outcome,
                            std::uint64_t destroyed_index, UnixMillis destroyed_time);
  Result<bool> batch_is_finished(ControlReader& reader, const Intent& intent);

  // From a committed root on.
  Result<void> confirm();
  Result<void> write_anchor();
  Result<std::vector<SlotDestruction>> destroy_other_slots(const std::vector<Intent>& committed);
  Result<void> await_holders(RootChangeOutcome& outcome, std::uint64_t epoch,
                             std::chrono::milliseconds patience);
  Result<void> remember_destroyed(RootChangeOutcome& outcome);
  Result<void> complete(RootChangeOutcome& outcome, std::vector<RootChangeOutcome>& earlier,
                        std::uint64_t epoch);
  Result<void> finish(RootChangeOutcome& outcome);
  void tell_site();
  Result<void> finish_in(ControlWriter& writer, RootChangeOutcome& outcome);
  Result<void> find_certificate(ControlReader& reader, RootChangeOutcome& outcome);
  Result<void> free_leaves(ControlWriter& writer, const Intent& intent);

  Result<std::vector<Intent>> settle(Look& seen, std::vector<RootChangeOutcome>& outcomes);
  Result<void> resume_begun(const std::vector<Intent>& begun,
                            std::vector<RootChangeOutcome>& outcomes);
  Result<void> resume(Intent intent, std::vector<RootChangeOutcome>& outcomes);
  Result<void> drop_interrupted(const Intent& intent, const Code& why);
  Result<bool> was_settled(const Intent& intent);
  Result<void> drop_destroyed(Intent& intent);

  // The leaves of an intent's keys. kCorrupt when one is not known.
  Result<std::vector<std::pair<KeyId, rows::LeafOwner>>> owners_of(ControlReader& reader,
                                                                   const Intent& intent);
  static Error incomplete(const Error& cause);
  RowSeal seal() const { return {*row_key_, store_.vault_, *context_, row_.batch}; }
  LogSeal log_seal() const { return {*row_key_, store_.vault_, *context_}; }

  KeyStore& store_;
  const KeyStore::Parts& parts_;
  decltype(RootChangeRequest::guard) guard_;
  std::unique_ptr<GcmContext> context_ = openssl_engine().make_context();
  std::shared_ptr<const VaultKeys> keys_;  // of the root that stands now; only under the lock
  std::optional<RowKey> row_key_;          // outlives every root
  RootRow row_;
  RootRow next_row_;          // what T2 writes; stands once that is committed
  std::optional<Told> told_;  // what the site's inbox was told
  bool decided_ = false;      // T2 was committed for certain
  bool gave_up_ = false;      // nothing was decided, for certain
  std::uint64_t staged_ = 0;  // root generation that the whole tree is staged for; 0: none
  bool resuming_ = false;     // an erasure that was begun before: it is not given up
  bool recovered_ = false;    // what is finished may have been finished, and certified, before
};

}  // namespace quietus
