// A complete backup and one of the changes since, read as the complete backup that could have been
// made at the same moment as the latter. Both are in one order, so it takes one pass and the memory
// of two blocks.
#pragma once

#include <compare>
#include <optional>

#include "backup_format.hpp"

namespace quietus {

// The order of rows of the record store, in stores and in backups.
std::strong_ordering order_of(const RecordKeyRef& a, const RecordKeyRef& b);
inline RecordKeyRef place_of(const BackupReader::Row& row) {
  return {*row.table, row.scope, row.key};
}

// One backup, or two. Input is hostile as BackupReader's is, and nothing counts before finish().
class BackupMerge {
 public:
  // `base` is none for a complete backup. Both are borrowed.
  BackupMerge(const ByteSource* base, const ByteSource& backup);

  // That of the backup, not of its base. kRefused: a base is missing or not wanted, or it is not
  // the one that the backup holds the changes since; errors of BackupReader::head().
  Result<BackupHead> head();
  // As BackupReader::next(): no row of it is `removed`, and the rows of the control store are those
  // of the backup.
  Result<std::optional<BackupReader::Row>> next();
  // As BackupReader::finish(), for both, and the base is that one. Its answer is about the backup.
  Result<BackupManifest> finish(const NoteKey& log);
  const std::string& note() const noexcept { return backup_.note(); }
  const std::optional<KeySeal>& seal() const noexcept { return backup_.seal(); }
  // Rows of RecordTable::kRecords that were handed out.
  std::uint64_t records() const noexcept { return records_; }

 private:
  using Row = BackupReader::Row;
  Result<void> step_base();
  Result<void> step_backup();
  // The lesser one; none when that is one that was removed.
  Result<std::optional<Row>> next_of_both();

  std::optional<BackupReader> base_;
  BackupReader backup_;
  std::optional<Row> base_row_;  // of the record store; none at their end
  std::optional<Row> row_;       // none at the end
  bool take_base_ = true;        // by the next step
  bool take_backup_ = true;
  BackupHead head_;
  std::uint64_t records_ = 0;
};

}  // namespace quietus
