// Custody of the vault's keys: opens the tree from a root slot, hands out scope keys for the length
// of an operation, and changes the root, which is how keys are destroyed. The protocol and its
// numbered invariants are in docs/erasure.md; steps are named after it.
#pragma once

#include <quietus/result.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "evidence/log_store.hpp"
#include "keys/anchor.hpp"
#include "keys/holders.hpp"
#include "keys/key_cache.hpp"
#include "keys/key_tree_copy.hpp"
#include "keys/root_lock.hpp"
#include "keys/root_provider.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

class RowSpool;

// A certificate that was stored.
struct WrittenCertificate {
  CertificateId id{};
  std::string document;
};

// What a root change did, step by step; what a certificate is written from.
struct RootChangeOutcome {
  Intent intent;
  std::vector<SlotDestruction> destroyed;
  HolderCount holders;
  CertificateId certificate{};       // of an erasure that is finished
  std::string certificate_document;  // empty for a changed unlock secret, and of a batch
  std::uint64_t skipped = 0;         // of a batch: scopes that could not be erased so
};

// Chosen by who asks: the commitments to the subjects depend on it.
ErasureId random_erasure_id();

// What certificates say of whose scope it was, without saying it: see evidence/subject.hpp.
struct SubjectClaim {
  std::uint8_t level = 0;  // 1 a tenant, and so on
  Sha256 commitment{};
};

// A root change to be made.
struct RootChangeRequest {
  ErasureId id = random_erasure_id();
  ChangeKind kind = ChangeKind::kErase;
  std::vector<ScopeId> scopes;  // to be erased; never the vault's own
  std::map<ScopeId, SubjectClaim> subjects;
  ClaimedUnreadable unreadable;
  std::string reason;                      // a code
  std::string reason_text;                 // free text, sealed under each scope's parent
  SlotUnlock new_unlock;                   // kUnlock
  UnixMillis unneeded_before = INT64_MAX;  // kRetire: see retirable_keys()
  // Asked in T1 and in T2, on the snapshot that is written to: an error gives the change up. One
  // that a crash interrupted after T1 is given up.
  enum class Moment { kBegin, kDecide };
  std::function<Result<void>(ControlReader&, const RowSeal&, UnixMillis now, Moment)> guard;
};

// A target of an erasure of many scopes, with what its certificate is to say.
struct BatchTarget {
  ScopeId scope = 0;
  std::string reason;  // a code
  std::optional<SubjectClaim> subject;
  ClaimedUnreadable unreadable;
};

// An erasure of any number of scopes in one root change. Certificates are drawn one by one
// (certificate_of).
struct BatchRequest {
  ErasureId id = random_erasure_id();
  std::string reason;  // a code, of the whole
  // Hands out the next targets, at most so many, until there are none. Called outside of any
  // transaction. A scope that it names twice is erased once.
  FunctionRef<Result<std::vector<BatchTarget>>(std::size_t at_most)> next;
  // As that of a RootChangeRequest.
  decltype(RootChangeRequest::guard) guard = {};
  // Refuse everything when one of them is unknown, erased already or damaged; else it is passed
  // over and counted.
  bool all = false;
};

// What opens a copy of the control state: see KeyStore::copy_keys().
struct KeyCopy {
  RootKey root;
  TreeHead log;  // how far it reaches
};

// Reasons of scopes that ended in a copy because their keys were destroyed after it was made: by an
// erasure, and by a purge that gave them keys which the copy does not have.
inline constexpr std::string_view kErasedInCopy = "replayed";
inline constexpr std::string_view kPurgedInCopy = "purged";

// A root change of the vault that a copy was made of, after it was made.
struct ReplayedErasure {
  ErasureId id{};
  UnixMillis time = 0;
  std::vector<KeyId> keys;  // ascending
};

// Another instance of a vault, that is to be made.
struct NewInstance {
  InstanceId id{};
  std::vector<ReplayedErasure> replayed;  // of the one that was copied, since; oldest first
  BackupId backup{};                      // whose records it gets
};

class KeyStore {
 public:
  // Everything is borrowed and outlives the store.
  struct Parts {
    RootLockFiles lock_files;
    ControlStore& control;
    RootProvider& provider;
    AnchorFile& anchor;
    Holders& holders;
    KeyCache& cache;
    const Clock& clock;
    std::string tool;    // name and version, for certificates
    std::string origin;  // of the log
    InstanceId instance{};
    std::chrono::milliseconds lock_timeout{10000};
    std::chrono::milliseconds acknowledgement_timeout{5000};
    bool read_only = false;
    FileSystem* files = &posix_file_system();  // where the inbox of the recovery site lies
    std::size_t batch_step = 500;  // scopes, or twice as many nodes, in one transaction of a batch
  };
  explicit KeyStore(Parts parts) : parts_(std::move(parts)) {}

  // Writes the first root row, tree, vault scope, signing keys and log into an empty control store,
  // with the root key in a slot of the provider; then the anchor. Durable on return.
  Result<void> create(const VaultId& vault);

  // Hands out the control state, as one snapshot shows it, as rows that open under a new root key:
  // every node of the tree under a new key, the vault's rows under a new row key (I-26). Of signing
  // keys there are the public halves in it, and no more. Root changes of others wait while the tree
  // is read, not while `sink` takes the rows. From the beginning on there is a second holder of all
  // keys: whoever calls this has said so in this store's log before. kBusy while a root change is
  // under way or not finished.
  Result<KeyCopy> copy_keys(RowSink sink);
  // In a store whose empty control store got the rows of a copy that others may open too: gives it
  // new keys everywhere, so that it shares none but those of leaves with it. Its root key.
  // kCorrupt.
  Result<RootKey> renew_copy(const RootKey& copied);
  // Makes this store, whose empty control store got the rows of a copy, an instance of its own:
  // under a new root key, in a slot of its own provider, with signing keys of its own, and with a
  // log that goes on by itself where the copy's ends. Durable on return; after an error the store
  // is to be thrown away. kCorrupt: the rows are not of that copy.
  Result<void> become_instance(const RootKey& copied, const NewInstance& instance);
  // Both at once; how far this one's log is copied: the copy holds no key that is logged after
  // that.
  Result<std::uint64_t> copy_into(KeyStore& fresh, const NewInstance& instance);

  // The rules of opening (docs/erasure.md section 3): looks for signs of a rollback, opens the
  // root node, and finishes what a crash interrupted, unless the store is read-only.
  struct Opened {
    bool recovery_pending = false;  // something is left to be done by a writable opener
    std::vector<RootChangeOutcome> finished;
  };
  Result<Opened> open(const VaultId& vault);

  const VaultId& vault_id() const noexcept { return vault_; }

  // Runs `work` with the keys of a scope, inside one Use, if they may be used so. When a root
  // change is published meanwhile, `work` is run again with new keys: whatever it produced before
  // must be overwritten. The same when it says that the keys are outdated, but not for ever: then
  // its result counts. Work that writes calls Use::set_committed() after its commit, and is then
  // not run again. Errors of ScopeTable::keys and check_allowed.
  using ScopeWork = FunctionRef<Result<void>(const ScopeKeys&, const KeyCache::Use&)>;
  Result<void> with_scope(const ScopeAccess& access, KeyUse wanted, ScopeWork work);
  // The same with the keys of the scope's lasting line.
  using LastingWork = FunctionRef<Result<void>(const LastingKeys&, const KeyCache::Use&)>;
  Result<void> with_lasting(const ScopeAccess& access, KeyUse wanted, LastingWork work);

  // Runs `work` on a snapshot of the control store.
  using ReadWork = FunctionRef<Result<void>(ControlReader&, ScopeTable&, const RootRow&)>;
  Result<void> read(ReadWork work);
  // Runs `work` in a durable transaction of the control store, with scopes as that transaction
  // shows them. It waits for a root change under way.
  using WriteWork = FunctionRef<Result<void>(ControlWriter&, ScopeTable&, RootRow&)>;
  Result<void> update(WriteWork work);
  // As update(), for changes of what keys may be used for: no operation of any process goes on with
  // what it knew before. How many processes have confirmed that; `missing` of them have not within
  // the acknowledgement timeout, and finish what they are doing under the old rules. The change
  // stands in any case.
  Result<HolderCount> update_standing(WriteWork work);

  // T1 to T3. kErasureIncomplete: begun and recorded, it will resume; every other error: nothing
  // was destroyed. On success the old slots are gone, and every holder has dropped the keys. After
  // a kDestroyVault the store is unusable.
  Result<RootChangeOutcome> change_root(const RootChangeRequest& request);
  // The same for any number of scopes. Nothing is held in memory that grows with it; others read
  // and write meanwhile, but the root-change lock is held while the tree is staged. kHeld when a
  // hold is in the way of any of them: then nothing was destroyed. kNotFound when no scope is left
  // to erase; kBusy when another one is under way or not finished yet, or when holds and keys of
  // its scopes keep changing.
  Result<RootChangeOutcome> erase_batch(const BatchRequest& request);
  // The certificate of one scope of a batch that is finished; made, stored and logged when it is
  // asked for the first time. kNotFound; kErasureIncomplete when the batch is not finished.
  Result<WrittenCertificate> certificate_of(const ErasureId& batch, ScopeId scope);
  // Cleans up what batches left, in at most so many transactions: rows of erased scopes, staged
  // nodes, lists that came to nothing. True when nothing is left. What it has not got to is read
  // right all the same.
  Result<bool> clean(std::size_t steps);
  // Finishes everything that is pending; waits so long for holders.
  Result<std::vector<RootChangeOutcome>> recover(std::chrono::milliseconds patience);
  // Brings the anchor up to date with the log (clean close). Skipped when somebody changes the
  // root.
  Result<void> refresh_anchor();
  // Makes the anchor anew from what the store says, after the operator vouched for it. Logged.
  Result<void> rewrite_anchor(const VaultId& vault);

  // Root changes that are not finished. A begun one that the root row does not know was given up or
  // finished long ago, and an old copy of its row was put back: it does not count (I-21).
  static Result<std::vector<Intent>> pending_in(ControlReader& reader, const RowSeal& seal,
                                                const RootRow& row);
  Result<std::vector<Intent>> pending();
  Result<TreeHead> log_head();

 private:
  friend class RootChange;
  // Opening does not wait long for a holder that does not answer: it serves, and says what is
  // pending.
  static constexpr auto kOpenPatience = std::chrono::milliseconds(500);
  // What a look at store, slots and anchor showed.
  struct Look {
    RootRow row;
    std::optional<Anchor> anchor;  // authenticated; none: missing or damaged
    std::vector<SlotName> slots;   // every slot the provider lists
    std::shared_ptr<const VaultKeys> keys;
    std::vector<Intent> intents;
  };
  // Requires the root-change lock. kRolledBack, kCorrupt and all errors of reading a slot.
  Result<Look> look(bool anchor_required);
  static bool settled(const Look& seen);
  static Anchor anchor_for(const RootRow& row, const TreeHead& head);
  Error slots_missing() const;
  Error destroyed_error(const std::vector<SlotName>& slots) const;
  static Result<void> check_rollback(ControlReader& reader, const RootRow& row,
                                     const std::optional<Anchor>& anchor,
                                     const std::vector<SlotName>& slots);
  Result<std::shared_ptr<const VaultKeys>> load_vault_keys(ControlReader& reader,
                                                           GcmContext& context);
  Result<std::shared_ptr<const VaultKeys>> vault_keys(const KeyCache::Use& use);
  Result<std::shared_ptr<const VaultKeys>> fresh_vault_keys(const KeyCache::Use& use);
  Result<void> read_in(const KeyCache::Use& use, ReadWork work);
  Result<void> write_first_rows(ControlWriter& writer, const KeyCache::Use& use,
                                const VaultKeys& keys, const LeafKey& control, RootRow& row,
                                UnixMillis now);
  Result<void> recover_for_writer();
  Result<void> make_room_for_batch();
  Result<bool> has_to_clean();
  void clean_a_little();
  bool clean_all();
  Result<void> confirm_root(const VaultKeys& keys);
  static Result<void> check_copyable(ControlReader& reader, const RowSeal& seal,
                                     const RootRow& row);
  struct CopyRun;
  Result<void> copy_tree(CopyRun& run, const VaultKeys& keys, RowSpool& spool);
  Result<void> copy_other_rows(CopyRun& run);
  Result<void> copy_public_keys(CopyRun& run);
  struct InstanceRoot {
    const RootRow& row;
    const NewInstance& instance;
    const RootKey& root;
  };
  Result<void> write_instance_rows(ControlWriter& writer, GcmContext& context,
                                   const RootKey& copied, const InstanceRoot& next);

  Parts parts_;
  VaultId vault_{};
};

}  // namespace quietus
