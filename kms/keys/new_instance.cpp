// Another instance of a vault: its control state as it stands, under a root key, signing keys and a
// log of its own (attacks C8, I3).
#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/instances.hpp"
#include "keys/key_store.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/key_tree.hpp"
#include "keys/log_change.hpp"
#include "keys/rotation.hpp"

namespace quietus {
namespace {

// Rows that are copied in one transaction.
constexpr std::size_t kCopiedRows = 2000;
constexpr std::size_t kCopiedBytes = std::size_t{4} << 20;

struct RowPair {
  Bytes key;
  Bytes value;
};

Result<void> write_rows(ControlStore& to, std::vector<RowPair>& rows) {
  QUIETUS_TRY(to.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    for (const RowPair& row : rows) QUIETUS_TRY(writer.put(row.key, row.value));
    return {};
  }));
  rows.clear();
  return {};
}

// The root row opens under a key that stays where it is; signing keys and what witnesses signed are
// the other instance's own.
bool stays_behind(ByteView key) {
  const char table = static_cast<char>(key[0]);
  return table == 'R' || table == 'V' || table == 'W';
}

Result<void> copy_rows(ControlReader& from, ControlStore& to) {
  std::vector<RowPair> page;
  std::size_t bytes = 0;
  QUIETUS_TRY(from.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (stays_behind(key)) return true;
    page.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end())});
    bytes += key.size() + value.size();
    if (page.size() >= kCopiedRows || bytes >= kCopiedBytes) {
      QUIETUS_TRY(write_rows(to, page));
      bytes = 0;
    }
    return true;
  }));
  return write_rows(to, page);
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

Result<std::uint64_t> KeyStore::copy_into(KeyStore& fresh, const NewInstance& instance) {
  QUIETUS_TRY_AS(const auto use, parts_.cache.begin());
  QUIETUS_TRY_AS(const auto keys, fresh_vault_keys(use));
  RootRow row;
  TreeHead origin;
  const auto copied = parts_.control.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
    if (sealed.row.generation != keys->generation) return moved_on();
    if (!sealed.authentic(keys->root))
      return Error(ErrorCode::kCorrupt, "root row: does not authenticate");
    QUIETUS_TRY(
        check_copyable(reader, {keys->rows, vault_, use.context(), sealed.row.batch}, sealed.row));
    row = sealed.row;
    QUIETUS_TRY_AS(origin, quietus::log_head(reader));
    return copy_rows(reader, fresh.parts_.control);
  });
  if (is_moved_on(copied)) return keeps_changing();
  QUIETUS_TRY(copied);
  QUIETUS_TRY(fresh.begin_instance(*keys, std::move(row), origin, instance));
  return origin.size;
}

Result<void> KeyStore::begin_instance(const VaultKeys& before, RootRow row, const TreeHead& origin,
                                      const NewInstance& instance) {
  vault_ = row.vault;
  SlotName slot{row.next_generation, {}};
  random_bytes(slot.id);
  row.generation = slot.generation;
  row.next_generation = slot.generation + 1;
  row.slots = {slot};
  row.confirmed = false;
  row.provider = parts_.provider.kind();
  RootKey root = random_key<RootRole>();
  QUIETUS_TRY(parts_.provider.create(slot, root));
  QUIETUS_FAILPOINT("instance/after-slot");
  const auto context = openssl_engine().make_context();
  std::optional<VaultKeys> keys;
  QUIETUS_TRY(parts_.control.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return write_instance_rows(writer, *context, before, {row, origin, instance, root});
  }));
  QUIETUS_FAILPOINT("instance/after-rows");
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
                                           const VaultKeys& before, const InstanceRoot& next) {
  const UnixMillis now = parts_.clock.now();
  QUIETUS_TRY(
      KeyTree(vault_, before.root, context).destroy(writer, {}, next.row.generation, next.root));
  const RowSeal seal{before.rows, vault_, context};
  QUIETUS_TRY(rows::put_signing_key(writer, seal, kIssuingKey, random_key<SigningRole>()));
  QUIETUS_TRY(rows::put_signing_key(writer, seal, kLogKey, random_key<SigningRole>()));
  QUIETUS_TRY(move_again(writer, seal));
  // The one that was copied holds the same keys.
  QUIETUS_TRY(rows::put_instance(writer, seal, {next.instance.origin, now, next.origin.size}));
  QUIETUS_TRY(rows::remove_instance(writer, next.instance.id));
  const InstanceBegun entry{next.instance.id, next.origin.size, next.origin.root,
                            next.instance.backup};
  QUIETUS_TRY(log_change(writer, seal, entry_text(new_entry(now), entry)));
  return write_root_row(writer, next.row, next.root);
}

}  // namespace quietus
