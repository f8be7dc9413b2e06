// Another instance of a vault: its control state as it stands, under a root key, signing keys and a
// log of its own (attacks C8, I3).
#include <algorithm>
#include <set>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "crypto/row_seal.hpp"
#include "keys/inbox.hpp"
#include "keys/instances.hpp"
#include "keys/key_store.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/key_tree_copy.hpp"
#include "keys/log_change.hpp"
#include "keys/rotation.hpp"
#include "keys/row_loader.hpp"
#include "keys/schedule.hpp"
#include "storage/folder_of.hpp"
#include "storage/row_spool.hpp"

namespace quietus {
namespace {

constexpr int kMaxCopyTries = 16;

// Root row and tree are written anew; signing keys and what witnesses signed are the other
// instance's own. Which keys sign there goes along, as a row of the copy's own.
bool stays_behind(ByteView key) {
  return std::string_view("RNnVW").find(static_cast<char>(key[0])) != std::string_view::npos;
}

// Rows that a copy brings back may be of older generations that nothing needed any more: they are
// moved again before those are destroyed.
Result<void> move_again(ControlWriter& writer, const RowSeal& seal) {
  QUIETUS_TRY_AS(const auto rotations, rows::all_rotations(writer, seal));
  for (RotationRow rotation : rotations) {
    rotation.stage = RotationStage::kMoving;
    rotation.moved = 0;
    QUIETUS_TRY(rows::put_rotation(writer, seal, rotation));
  }
  return {};
}

// The leaf of a key is to go, if it is there: keys that were made after the copy, or destroyed
// before it, have none.
Result<bool> free_in_copy(ControlWriter& writer, const RowSeal& seal, KeyId key,
                          std::vector<LeafRef>& leaves) {
  QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(writer, seal, key));
  if (!owner) return false;
  if (owner->scope == kVaultScope)
    return Error(ErrorCode::kErased, "the log says that the whole vault was destroyed");
  leaves.push_back({key, owner->index});
  QUIETUS_TRY(rows::remove_leaf_owner(writer, key));
  QUIETUS_TRY(rows::put_freed_leaf(writer, seal, owner->index));
  return true;
}

// A scope whose newest data key came after the copy has none in it. What lies below it is lost as
// well, so it ends as an erased one does; but its name may be given out again.
Result<void> forget_name(ControlWriter& writer, const RowSeal& seal, const KeyRow& row) {
  std::vector<rows::ChildName> names;
  QUIETUS_TRY(rows::child_names(writer, seal, {row.parent, 0, {}},
                                [&](const rows::ChildName& name, ScopeId id) -> Result<bool> {
                                  if (id == row.id) names.push_back(name);
                                  return true;
                                }));
  for (const rows::ChildName& name : names) QUIETUS_TRY(rows::remove_child(writer, name));
  return {};
}

struct LivingLines {
  bool data = false;
  bool others = false;
};
LivingLines destroy_in_row(KeyRow& row, const ReplayedErasure& erasure) {
  LivingLines living;
  for (KeyRecord& key : row.keys) {
    if (std::ranges::binary_search(erasure.keys, key.id)) {
      key.state = destroyed_from(key.state);
      key.changed = erasure.time;
      key.wrapped.clear();
    }
    if (is_destroyed(key.state)) continue;
    (key.line == KeyLine::kData ? living.data : living.others) = true;
  }
  return living;
}

// A scope that has no data key left is gone; of one that has, older keys were destroyed.
Result<void> bury_in_copy(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                          const ReplayedErasure& erasure, std::vector<LeafRef>& leaves) {
  QUIETUS_TRY_AS(auto row, rows::key_row(writer, seal, scope));
  if (!row) return Error(ErrorCode::kCorrupt, "copy: the row of a scope is missing");
  const LivingLines living = destroy_in_row(*row, erasure);
  if (living.data) return rows::put_key_row(writer, seal, *row);
  if (living.others) {
    for (const KeyRecord& key : row->keys)
      if (!is_destroyed(key.state)) QUIETUS_TRY(free_in_copy(writer, seal, key.id, leaves));
    QUIETUS_TRY(forget_name(writer, seal, *row));
  }
  const Tombstone burial{erasure.id, erasure.time,
                         std::string(living.others ? kPurgedInCopy : kErasedInCopy)};
  QUIETUS_TRY(rows::remove_rotation(writer, scope));
  QUIETUS_TRY(rows::remove_schedule(writer, scope));
  rows::mark_destroyed(*row, burial);
  QUIETUS_TRY(rows::put_key_row(writer, seal, *row));
  QUIETUS_TRY(rows::remove_info(writer, scope));
  return rows::put_tombstone(writer, seal, scope, burial);
}

// What a newer log says was destroyed since the copy was made is destroyed in it too, before
// anything of it can be read. The leaves of those keys.
Result<std::vector<LeafRef>> bury_replayed(ControlWriter& writer, const RowSeal& seal,
                                           const std::vector<ReplayedErasure>& replayed) {
  std::vector<LeafRef> leaves;
  for (const ReplayedErasure& erasure : replayed) {
    std::set<ScopeId> scopes;
    for (const KeyId key : erasure.keys) {
      QUIETUS_TRY_AS(const auto owner, rows::leaf_owner(writer, seal, key));
      QUIETUS_TRY_AS(const bool freed, free_in_copy(writer, seal, key, leaves));
      if (freed) scopes.insert(owner->scope);
    }
    for (const ScopeId scope : scopes)
      QUIETUS_TRY(bury_in_copy(writer, seal, scope, erasure, leaves));
  }
  return leaves;
}

}  // namespace

// Nothing half-done is copied: what is left of it belongs to this instance's root slots.
Result<void> KeyStore::check_copyable(ControlReader& reader, const RowSeal& seal,
                                      const RootRow& row) {
  if (row.state != VaultState::kLive)
    return Error(ErrorCode::kErased, "the destruction of the vault was begun");
  QUIETUS_TRY_AS(const auto intents, pending_in(reader, seal, row));
  if (!row.confirmed || !row.attempts.empty() || row.overlay != 0 || row.batch != ErasureId{} ||
      !intents.empty())
    return Error(ErrorCode::kBusy,
                 "an erasure is under way or not finished; `quietus erase --resume` first");
  // What is being purged must not come back first.
  QUIETUS_TRY_AS(const auto rotations, rows::all_rotations(reader, seal));
  for (const RotationRow& rotation : rotations)
    if (rotation.destroys)
      return Error(ErrorCode::kBusy,
                   "a purge is not finished; `quietus key rotate --resume` first");
  return {};
}

// What opens the rows of a store and of its copy.
struct KeyStore::CopyRun {
  ControlReader& reader;
  GcmContext& context;
  RowSink sink;
  const RootKey& root;             // of the copy
  std::optional<RowKey> rows;      // of the copy
  std::optional<RowKey> old_rows;  // of this store
};

// Root row and tree, set aside in `spool`: no key of this store is needed after that but the row
// key, which is no secret from who holds the copy.
Result<void> KeyStore::copy_tree(CopyRun& run, const VaultKeys& keys, RowSpool& spool) {
  QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(run.reader));
  if (sealed.row.generation != keys.generation) return moved_on();
  if (!sealed.authentic(keys.root))
    return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
  QUIETUS_TRY(
      check_copyable(run.reader, {keys.rows, vault_, run.context, sealed.row.batch}, sealed.row));
  RootRow row = sealed.row;
  row.slots.clear();
  QUIETUS_TRY(spool.add(Bytes{'R'}, row.encode(run.root)));
  KeyTree tree(vault_, keys.root, run.context, sealed.row.overlay);
  const LeafKey control = random_key<LeafRole>();
  const auto add = [&](ByteView key, ByteView value) { return spool.add(key, value); };
  QUIETUS_TRY(TreeCopy(tree, run.reader, add).run(run.root, kControlLeaf, control));
  run.rows.emplace(derive(edges::kControlRows, control));
  QUIETUS_TRY_AS(const LeafKey old, tree.leaf(run.reader, kControlLeaf));
  run.old_rows.emplace(derive(edges::kControlRows, old));
  return {};
}

// A row that does not open under the vault's row key is sealed under a scope's, or damaged: it is
// copied as it is.
Result<void> KeyStore::copy_other_rows(CopyRun& run) {
  return run.reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (stays_behind(key)) return true;
    const auto content = open_row(run.context, *run.old_rows, vault_, key, value);
    if (content)
      QUIETUS_TRY(run.sink(key, seal_row(run.context, *run.rows, vault_, key, *content)));
    else
      QUIETUS_TRY(run.sink(key, value));
    return true;
  });
}

// A snapshot may be opened more than once, and kept: what comes of it shares no key with it either.
Result<RootKey> KeyStore::renew_copy(const RootKey& copied) {
  const auto context = openssl_engine().make_context();
  RootKey root = random_key<RootRole>();
  QUIETUS_TRY_AS(RowSpool spool, RowSpool::in(folder_of(parts_.lock_files.control_store)));
  const auto add = [&](ByteView key, ByteView value) { return spool.add(key, value); };
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
    if (!sealed.authentic(copied))
      return Error(ErrorCode::kCorrupt, "root row of the copy: does not authenticate");
    vault_ = sealed.row.vault;
    KeyTree tree(vault_, copied, *context);
    QUIETUS_TRY_AS(const LeafKey control, tree.leaf(reader, kControlLeaf));
    RootKey again = RootKey::make([&](MutableBytes out) {
      copied.expose([&](ByteView from) { std::ranges::copy(from, out.begin()); });
    });
    const VaultKeys keys = derive_vault_keys(sealed.row.generation, std::move(again), control);
    CopyRun run{reader, *context, add, root, {}, {}};
    QUIETUS_TRY(copy_tree(run, keys, spool));
    return copy_other_rows(run);
  }));
  RowLoader loader(parts_.control);
  QUIETUS_TRY(spool.replay([&](ByteView key, ByteView value) { return loader.add(key, value); }));
  QUIETUS_TRY(loader.flush());
  return root;
}

// So that who gets the copy knows who may sign for this instance.
Result<void> KeyStore::copy_public_keys(CopyRun& run) {
  const RowSeal old{*run.old_rows, vault_, run.context};
  QUIETUS_TRY_AS(const SigningKey log, rows::signing_key(run.reader, old, kLogKey));
  QUIETUS_TRY_AS(const SigningKey issuing, rows::signing_key(run.reader, old, kIssuingKey));
  const auto [key, value] = rows::sealed_origin_keys(
      {*run.rows, vault_, run.context}, {ed25519_public_key(log), ed25519_public_key(issuing)});
  return run.sink(key, value);
}

Result<KeyCopy> KeyStore::copy_keys(RowSink sink) {
  // A copy has no staged nodes and no rows that wait to be cleaned; what cannot be cleaned now is
  // told below.
  static_cast<void>(clean_all());
  const auto context = openssl_engine().make_context();
  for (int tries = 0; tries < kMaxCopyTries; ++tries) {
    QUIETUS_TRY_AS(RowSpool spool, RowSpool::in(folder_of(parts_.lock_files.control_store)));
    QUIETUS_TRY_AS(auto begun, parts_.cache.begin());
    std::optional<KeyCache::Use> use(std::move(begun));
    std::shared_ptr<const VaultKeys> keys;
    QUIETUS_TRY_AS(keys, fresh_vault_keys(*use));
    KeyCopy made{random_key<RootRole>(), {}};
    const auto copied = parts_.control.read([&](ControlReader& reader) -> Result<void> {
      CopyRun run{reader, *context, sink, made.root, {}, {}};
      QUIETUS_TRY(copy_tree(run, *keys, spool));
      if (!use->current()) return moved_on();
      // From here on nobody who destroys keys waits for this: `sink` may be slow.
      context->forget();
      keys.reset();
      use.reset();
      QUIETUS_TRY_AS(made.log, quietus::log_head(reader));
      QUIETUS_TRY(spool.replay(sink));
      QUIETUS_TRY(copy_other_rows(run));
      return copy_public_keys(run);
    });
    if (is_moved_on(copied)) continue;
    QUIETUS_TRY(copied);
    return made;
  }
  return keeps_changing();
}

Result<std::uint64_t> KeyStore::copy_into(KeyStore& fresh, const NewInstance& instance) {
  RowLoader loader(fresh.parts_.control);
  QUIETUS_TRY_AS(const KeyCopy copy,
                 copy_keys([&](ByteView key, ByteView value) { return loader.add(key, value); }));
  QUIETUS_TRY(loader.flush());
  QUIETUS_TRY(fresh.become_instance(copy.root, instance));
  return copy.log.size;
}

// Under a root key of its own, in a slot of its own provider.
Result<void> KeyStore::become_instance(const RootKey& copied, const NewInstance& instance) {
  const auto context = openssl_engine().make_context();
  RootRow row;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(reader));
    if (!sealed.authentic(copied))
      return Error(ErrorCode::kCorrupt, "root row of the copy: does not authenticate");
    row = std::move(sealed.row);
    return {};
  }));
  vault_ = row.vault;
  SlotName slot{row.next_generation, {}};
  random_bytes(slot.id);
  row.generation = slot.generation;
  row.next_generation = slot.generation + 1;
  row.overlay = 0;
  row.slots = {slot};
  row.confirmed = false;
  row.provider = parts_.provider.kind();
  RootKey root = random_key<RootRole>();
  QUIETUS_TRY(parts_.provider.create(slot, root));
  QUIETUS_FAILPOINT("instance/after-slot");
  QUIETUS_TRY(parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return write_instance_rows(writer, *context, copied, {row, instance, root});
  }));
  QUIETUS_FAILPOINT("instance/after-rows");
  std::optional<VaultKeys> keys;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const LeafKey control,
                   KeyTree(vault_, root, *context).leaf(reader, kControlLeaf));
    keys.emplace(derive_vault_keys(row.generation, std::move(root), control));
    return {};
  }));
  QUIETUS_TRY(confirm_root(*keys));
  QUIETUS_TRY_AS(const TreeHead head, log_head());
  return parts_.anchor.create(anchor_for(row, head), keys->anchor);
}

Result<void> KeyStore::write_instance_rows(ControlWriter& writer, GcmContext& context,
                                           const RootKey& copied, const InstanceRoot& next) {
  const UnixMillis now = parts_.clock.now();
  KeyTree tree(vault_, copied, context);
  QUIETUS_TRY_AS(const LeafKey control, tree.leaf(writer, kControlLeaf));
  const RowKey row_key = derive(edges::kControlRows, control);
  const RowSeal seal{row_key, vault_, context};
  QUIETUS_TRY_AS(const auto leaves, bury_replayed(writer, seal, next.instance.replayed));
  QUIETUS_TRY_AS(const auto others, tree.destroy(writer, leaves, next.row.generation, next.root));
  if (!others.empty())
    return Error(ErrorCode::kCorrupt, "copy: a leaf belongs to another key than its row says");
  QUIETUS_TRY_AS(const TreeHead origin, quietus::log_head(writer));
  QUIETUS_TRY_AS(const OriginKeys signs, rows::origin_keys(writer, seal));
  QUIETUS_TRY(rows::remove_origin_keys(writer));
  QUIETUS_TRY(rows::put_signing_key(writer, seal, kIssuingKey, random_key<SigningRole>()));
  QUIETUS_TRY(rows::put_signing_key(writer, seal, kLogKey, random_key<SigningRole>()));
  QUIETUS_TRY(move_again(writer, seal));
  QUIETUS_TRY(rows::tell_anew(writer, seal));
  // The one that was copied holds the same keys.
  QUIETUS_TRY(rows::put_instance(writer, seal,
                                 {next.row.instance, now, origin.size, signs.log, signs.issuing}));
  QUIETUS_TRY(rows::remove_instance(writer, next.instance.id));
  const InstanceBegun entry{next.instance.id, origin.size, origin.root, next.instance.backup};
  QUIETUS_TRY(log_change(writer, seal, entry_text(new_entry(now), entry)));
  RootRow row = next.row;
  row.instance = next.instance.id;
  return write_root_row(writer, row, next.root);
}

}  // namespace quietus
