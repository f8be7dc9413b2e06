// The inventory of data backups: what copies of the records there are, and until when. A backup is
// in it from before its snapshot is read.
//
//   "d" backup id   BackupRow, sealed under the vault's row key: version u8 (1) || log index
//                   u64 || begun u64 || made u64 || expires u64 || records u64 || bytes u64 ||
//                   manifest hash 32; version 2, of an incremental one: the same, then base 16
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <vector>

#include "keys/control_rows.hpp"

namespace quietus {

struct BackupRow {
  BackupId id{};
  std::uint64_t log_index = 0;  // of its backup-begun entry
  UnixMillis begun = 0;         // before what it copies was read
  UnixMillis made = 0;          // 0: not finished, as far as is known
  UnixMillis expires = 0;       // whoever keeps it is to remove it then
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  Sha256 manifest{};  // SHA-256 of the signed manifest
  BackupId base{};    // what it holds the changes since; zeros: complete

  bool is_incremental() const noexcept { return base != BackupId{}; }
};

// A backup of the inventory, and until when it is needed: until it expires, or until the last one
// does that holds changes since it.
struct KeptBackup {
  BackupRow row;
  UnixMillis needed_until = 0;
};

namespace rows {

Result<std::optional<BackupRow>> backup(ControlReader& reader, const RowSeal& seal,
                                        const BackupId& id);
Result<void> put_backup(ControlWriter& writer, const RowSeal& seal, const BackupRow& row);
Result<void> remove_backup(ControlWriter& writer, const BackupId& id);
// In the order in which they were begun. kCorrupt when one is damaged.
Result<std::vector<KeptBackup>> backups(ControlReader& reader, const RowSeal& seal);

}  // namespace rows

// The time at which the oldest backup was begun that is needed after `now`; none when there is
// none. Keys that were needed then are still needed.
Result<std::optional<UnixMillis>> oldest_backup(ControlReader& reader, const RowSeal& seal,
                                                UnixMillis now);

}  // namespace quietus
