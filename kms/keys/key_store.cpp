#include "keys/key_store.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/key_tree.hpp"
#include "keys/root_change.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_table.hpp"

namespace quietus {
namespace {

constexpr int kMaxTries = 16;
constexpr int kMaxReloads = 2;  // of keys that are said to be outdated

}  // namespace

Result<void> KeyStore::create(const VaultId& vault) {
  vault_ = vault;
  const UnixMillis now = parts_.clock.now();
  RootRow row;
  row.vault = vault;
  row.instance = parts_.instance;
  row.generation = 1;
  row.next_generation = 2;
  row.height = kTreeHeight;
  row.next_leaf = 1;
  row.provider = parts_.provider.kind();
  SlotName slot{1, {}};
  random_bytes(slot.id);
  row.slots = {slot};
  RootKey root = random_key<RootRole>();
  QUIETUS_FAILPOINT("create/before-slot");
  QUIETUS_TRY(parts_.provider.create(slot, root));
  QUIETUS_FAILPOINT("create/after-slot");
  const LeafKey control = random_key<LeafRole>();
  const auto keys =
      std::make_shared<const VaultKeys>(derive_vault_keys(1, std::move(root), control));
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  QUIETUS_TRY(parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    RootRow fresh = row;
    return write_first_rows(writer, use, *keys, control, fresh, now);
  }));
  QUIETUS_FAILPOINT("create/after-rows");
  QUIETUS_TRY(confirm_root(*keys));
  QUIETUS_TRY_AS(const TreeHead head, log_head());
  QUIETUS_FAILPOINT("create/before-anchor");
  return parts_.anchor.create(anchor_for(row, head), keys->anchor);
}

Result<void> KeyStore::write_first_rows(ControlWriter& writer, const KeyCache::Use& use,
                                        const VaultKeys& keys, const LeafKey& control, RootRow& row,
                                        UnixMillis now) {
  KeyTree tree(vault_, keys.root, use.context());
  QUIETUS_TRY(tree.create(writer, row.generation));
  QUIETUS_TRY(tree.add(writer, kControlLeaf, control));
  ScopeTable scopes(vault_, keys, use, row);
  QUIETUS_TRY(rows::put_leaf_owner(writer, scopes.seal(), kControlKeyId, {0, kVaultScope}));
  QUIETUS_TRY(rows::put_signing_key(writer, scopes.seal(), kIssuingKey, random_key<SigningRole>()));
  QUIETUS_TRY(rows::put_signing_key(writer, scopes.seal(), kLogKey, random_key<SigningRole>()));
  QUIETUS_TRY(rows::put_time_row(writer, {keys.rows, vault_, use.context()}, {now, 0}));
  const std::string entry = entry_text(new_entry(now), VaultCreated{vault_});
  QUIETUS_TRY(append_entry(writer, {keys.rows, vault_, use.context()}, as_bytes(entry)));
  return scopes.create_vault_scope(writer, row, now);
}

// The second synced transaction that names the root (I-1).
Result<void> KeyStore::confirm_root(const VaultKeys& keys) {
  return parts_.control.update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
    if (!sealed.authentic(keys.root)) return moved_on();
    sealed.row.confirmed = true;
    return write_root_row(writer, sealed.row, keys.root);
  });
}

Result<std::shared_ptr<const VaultKeys>> KeyStore::load_vault_keys(ControlReader& reader,
                                                                   GcmContext& context) {
  QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
  Error failure(ErrorCode::kCorrupt, "root row: names no slot");
  for (const SlotName& slot : sealed.row.slots) {
    auto root = parts_.provider.read(slot);
    if (!root) {
      failure = std::move(root).error();
      continue;
    }
    if (!sealed.authentic(*root))
      return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
    KeyTree tree(sealed.row.vault, *root, context, sealed.row.overlay);
    QUIETUS_TRY(tree.open_root(reader));
    QUIETUS_TRY_AS(const LeafKey control, tree.leaf(reader, kControlLeaf));
    return std::make_shared<const VaultKeys>(
        derive_vault_keys(sealed.row.generation, std::move(root).value(), control));
  }
  if (failure.code() == ErrorCode::kNotFound) return slots_missing();
  return failure;
}

Error KeyStore::slots_missing() const {
  return {ErrorCode::kUnavailable, "the root slot is not at " + parts_.provider.location() +
                                       "; put the folder back; nothing was touched"};
}

// The vault's keys of the newest root, kept for this Use. Waits while a root change is under way.
Result<std::shared_ptr<const VaultKeys>> KeyStore::fresh_vault_keys(const KeyCache::Use& use) {
  parts_.provider.prepare_reading();
  QUIETUS_TRY_AS(const auto lock, RootChangeLock::take(parts_.lock_files, LockFile::Mode::kShared,
                                                       parts_.lock_timeout));
  std::shared_ptr<const VaultKeys> keys;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(keys, load_vault_keys(reader, use.context()));
    return {};
  }));
  if (use.current()) use.keep(keys);
  return keys;
}

Result<std::shared_ptr<const VaultKeys>> KeyStore::vault_keys(const KeyCache::Use& use) {
  if (auto cached = use.vault()) return cached;
  return fresh_vault_keys(use);
}

Result<void> KeyStore::read(ReadWork work) {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
    auto result = read_in(use, work);
    if (!is_moved_on(result) && use.current()) return result;
  }
  return keeps_changing();
}

// One snapshot inside a Use that the caller holds; its keys are loaded again once when they are of
// another root generation than the snapshot.
Result<void> KeyStore::read_in(const KeyCache::Use& use, ReadWork work) {
  QUIETUS_TRY_AS(auto keys, vault_keys(use));
  for (int tries = 0;; ++tries) {
    auto result = parts_.control.read([&](ControlReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
      if (sealed.row.generation != keys->generation) return moved_on();
      if (!sealed.authentic(keys->root))
        return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
      ScopeTable scopes(vault_, *keys, use, sealed.row);
      return work(reader, scopes, sealed.row);
    });
    if (!is_moved_on(result) || tries > 0) return result;
    QUIETUS_TRY_AS(keys, fresh_vault_keys(use));
  }
}

// That an erasure still waits for a holder is not an ordinary write's concern.
Result<void> KeyStore::recover_for_writer() {
  auto recovered = recover(kOpenPatience);
  if (recovered || recovered.error().code() == ErrorCode::kErasureIncomplete) return {};
  return std::move(recovered).error();
}

Result<void> KeyStore::update(WriteWork work) {
  if (parts_.read_only) return Error(ErrorCode::kRefused, "the vault is open for reading only");
  for (int tries = 0; tries < kMaxTries; ++tries) {
    bool unconfirmed = false;
    Result<void> result;
    {
      QUIETUS_TRY_AS(auto use, parts_.cache.begin());
      QUIETUS_TRY_AS(const auto keys, tries == 0 ? vault_keys(use) : fresh_vault_keys(use));
      use.set_apart();
      result =
          parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
            QUIETUS_TRY_AS(SealedRootRow sealed, read_root_row(writer));
            unconfirmed = !sealed.row.confirmed;
            if (unconfirmed || sealed.row.generation != keys->generation || !use.current())
              return moved_on();
            if (!sealed.authentic(keys->root))
              return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
            ScopeTable scopes(vault_, *keys, use, sealed.row);
            return work(writer, scopes, sealed.row);
          });
    }
    if (!is_moved_on(result)) return result;
    // Nobody is changing the root (its lock was had just now), yet the change is not confirmed:
    // whoever began it is gone.
    if (unconfirmed && tries > 0) QUIETUS_TRY(recover_for_writer());
  }
  return keeps_changing();
}

// Also when nothing came of it: whoever tries again after a crash between commit and publication
// finds the change made, and processes that do not know of it yet.
Result<HolderCount> KeyStore::update_standing(WriteWork work) {
  const Result<void> updated = update(work);
  const std::uint64_t epoch = parts_.holders.publish();
  if (!updated) return updated.error();
  return parts_.holders.await(epoch, parts_.acknowledgement_timeout);
}

Result<void> KeyStore::with_scope(const ScopeAccess& access, KeyUse wanted, ScopeWork work) {
  int reloads = 0;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
    auto keys = use.scope(access.scope);
    if (!keys) {
      const auto loaded = read_in(
          use, [&](ControlReader& reader, ScopeTable& table, const RootRow&) -> Result<void> {
            QUIETUS_TRY_AS(keys, table.keys(reader, access.scope));
            return {};
          });
      if (is_moved_on(loaded)) continue;
      QUIETUS_TRY(loaded);
    }
    auto result = check_allowed(*keys, access, wanted);
    if (result) result = work(*keys, use);
    if (use.committed()) return result;
    if (use.outdated() && ++reloads <= kMaxReloads) {
      use.forget(access.scope);
      continue;
    }
    if (use.current()) return result;
  }
  return keeps_changing();
}

Result<void> KeyStore::with_lasting(const ScopeAccess& access, KeyUse wanted, LastingWork work) {
  return with_scope(
      access, wanted, [&](const ScopeKeys&, const KeyCache::Use& use) -> Result<void> {
        auto keys = use.lasting(access.scope);
        if (!keys) {
          const auto loaded = read_in(
              use, [&](ControlReader& reader, ScopeTable& table, const RootRow&) -> Result<void> {
                QUIETUS_TRY_AS(keys, table.lasting_keys(reader, access.scope));
                return {};
              });
          if (is_moved_on(loaded)) return keeps_changing();
          QUIETUS_TRY(loaded);
        }
        return work(*keys, use);
      });
}

Result<TreeHead> KeyStore::log_head() {
  TreeHead head;
  QUIETUS_TRY(parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(head, quietus::log_head(reader));
    return {};
  }));
  return head;
}

Result<std::vector<Intent>> KeyStore::pending_in(ControlReader& reader, const RowSeal& seal,
                                                 const RootRow& row) {
  QUIETUS_TRY_AS(auto intents, rows::intents(reader, seal));
  std::erase_if(intents, [&](const Intent& intent) {
    return intent.state == IntentState::kBegun && !row.attempts_change(intent.id, intent.slot);
  });
  return intents;
}

Result<std::vector<Intent>> KeyStore::pending() {
  std::vector<Intent> found;
  QUIETUS_TRY(
      read([&](ControlReader& reader, ScopeTable& scopes, const RootRow& row) -> Result<void> {
        QUIETUS_TRY_AS(found, pending_in(reader, scopes.seal(), row));
        return {};
      }));
  return found;
}

Result<RootChangeOutcome> KeyStore::change_root(const RootChangeRequest& request) {
  if (parts_.read_only) return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return RootChange(*this).run(request);
}

Result<std::vector<RootChangeOutcome>> KeyStore::recover(std::chrono::milliseconds patience) {
  if (parts_.read_only) return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return RootChange(*this).recover(patience);
}

}  // namespace quietus
