#include "key_snapshot.hpp"

#include "base/failpoint.hpp"
#include "keys/log_change.hpp"

namespace quietus {

Result<std::optional<KeySnapshot>> KeySnapshot::begin(ControlWriter& writer, const RowSeal& seal,
                                                      const BackupId& id, UnixMillis now) {
  QUIETUS_TRY_AS(const auto rings, rows::trusted_rings(writer, seal));
  if (rings.empty()) return std::optional<KeySnapshot>();
  QUIETUS_TRY_AS(const RingFile ring, ring_file_of(rings.front()));
  const RingEpoch* epoch = epoch_for_sealing(ring, now);
  if (epoch == nullptr)
    return Error(ErrorCode::kRefused,
                 "no epoch of the escrow ring is open now; import the site's newest ring file "
                 "(`quietus escrow import-ring`), so that a key snapshot can be made");
  KeySnapshot snapshot;
  snapshot.key_ = epoch->public_key;
  snapshot.row_ = {id, ring.ring, epoch->public_key.id, now, epoch->expires, 0, UINT64_MAX, 0};
  const SnapshotBegun entry{id, ring.ring, epoch->public_key.id, epoch->expires};
  QUIETUS_TRY_AS(snapshot.row_.begun_index,
                 append_entry(writer, {seal.key, seal.vault, seal.context},
                              as_bytes(entry_text(new_entry(now), entry))));
  QUIETUS_TRY(rows::put_snapshot(writer, seal, snapshot.row_));
  return std::optional(snapshot);
}

Result<TreeHead> KeySnapshot::copy(VaultCore& core, const BackupHead& head, BackupWriter& writer) {
  QUIETUS_TRY_AS(const KeyCopy copied, core.keys->copy_keys([&](ByteView key, ByteView value) {
    return writer.copied(key, value);
  }));
  QUIETUS_FAILPOINT("backup/keys-copied");
  const auto context = openssl_engine().make_context();
  KeySeal seal{row_.ring, row_.epoch, copied.log, {}};
  QUIETUS_TRY_AS(seal.sealed, seal_to_epoch(*context, key_,
                                            key_seal_data(head, seal.ring, seal.log), copied.root));
  row_.log_size = copied.log.size;
  handed_out_ = true;
  QUIETUS_TRY(writer.seal(seal));
  return copied.log;
}

Result<void> KeySnapshot::complete(ControlWriter& writer, const RowSeal& seal) const {
  return rows::put_snapshot(writer, seal, row_);
}

Result<void> KeySnapshot::drop(ControlWriter& writer, const RowSeal& seal, UnixMillis now) const {
  if (handed_out_) return {};
  QUIETUS_TRY(rows::remove_snapshot(writer, row_.id));
  return log_change(writer, seal, entry_text(new_entry(now), SnapshotDropped{row_.id}));
}

}  // namespace quietus
