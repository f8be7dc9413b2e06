// Key snapshots: copies of the control state whose root key is sealed to an epoch of an escrow
// ring, and the rings that they are sealed to. A snapshot has its row from before anything of it is
// read.
//
//   "s" snapshot id      SnapshotRow: version u8 (1) || ring id 16 || epoch id 16 || begun u64 ||
//                        expires u64 || begun index u64 || log size u64 || destroyed u64
//   "r" ring id          TrustedRing: version u8 (1) || vkey of the site's log (text) || imported
//                        u64 || receipt u64 || pieces u16
//   "r" ring id || u16   its signed ring file, in pieces of 32 KiB
//
// All are sealed under the vault's row key; times are Unix milliseconds.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <vector>

#include "evidence/ring_file.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

struct SnapshotRow {
  BackupId id{};  // also that of the backup that it is part of, if it is
  RingId ring{};
  EpochId epoch{};
  UnixMillis begun = 0;
  UnixMillis expires = 0;         // of the epoch, as the ring file promised
  std::uint64_t begun_index = 0;  // of its snapshot-begun entry
  std::uint64_t log_size = 0;  // it holds no key that is logged after that; UINT64_MAX: not known
  UnixMillis destroyed = 0;    // of the epoch's key, as the site's receipt says; 0: not attested
};

struct TrustedRing {
  RingId ring{};
  std::string site_vkey;
  UnixMillis imported = 0;
  UnixMillis receipt = 0;  // when the newest receipt that was imported was issued; 0: none yet
  std::string note;        // the signed ring file
};

namespace rows {

Result<void> put_snapshot(ControlWriter& writer, const RowSeal& seal, const SnapshotRow& row);
Result<void> remove_snapshot(ControlWriter& writer, const BackupId& id);
// In the order in which they were begun. kCorrupt when one is damaged.
Result<std::vector<SnapshotRow>> snapshots(ControlReader& reader, const RowSeal& seal);

Result<void> put_trusted_ring(ControlWriter& writer, const RowSeal& seal, const TrustedRing& ring);
// The one that was imported last comes first. kCorrupt when one is damaged.
Result<std::vector<TrustedRing>> trusted_rings(ControlReader& reader, const RowSeal& seal);

}  // namespace rows

// The ring file of a ring that was imported.
Result<RingFile> ring_file_of(const TrustedRing& ring);

}  // namespace quietus
