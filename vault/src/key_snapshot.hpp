// The key snapshot in a backup: a copy of the control state that opens with a root key of its own,
// which is sealed to the epoch of the escrow ring that is open now (attacks C6).
#pragma once

#include "backup_format.hpp"
#include "keys/snapshots.hpp"
#include "vault_core.hpp"

namespace quietus {

class KeySnapshot {
 public:
  // Registers it, in the transaction in which the backup is begun: whoever destroys keys from now
  // on knows of it. None when the vault has no ring. kRefused when no epoch of its ring is open.
  static Result<std::optional<KeySnapshot>> begin(ControlWriter& writer, const RowSeal& seal,
                                                  const BackupId& id, UnixMillis now);

  // Hands rows and seal to `writer`; how far the log goes in it. kBusy while an erasure or a purge
  // is not finished.
  Result<TreeHead> copy(VaultCore& core, const BackupHead& head, BackupWriter& writer);

  // It is whole: keys that are made from now on are not in it.
  Result<void> complete(ControlWriter& writer, const RowSeal& seal) const;
  // It came to nothing. Once its root key was handed out, it stays registered.
  Result<void> drop(ControlWriter& writer, const RowSeal& seal, UnixMillis now) const;

  const SnapshotRow& row() const noexcept { return row_; }

 private:
  SnapshotRow row_;
  EpochPublicKey key_;
  bool handed_out_ = false;
};

}  // namespace quietus
