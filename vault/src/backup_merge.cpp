#include "backup_merge.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"

namespace quietus {

std::strong_ordering order_of(const RecordKeyRef& a, const RecordKeyRef& b) {
  if (a.table != b.table) return a.table <=> b.table;
  if (a.scope != b.scope) return a.scope <=> b.scope;
  return std::lexicographical_compare_three_way(a.key.begin(), a.key.end(), b.key.begin(),
                                                b.key.end());
}

BackupMerge::BackupMerge(const ByteSource* base, const ByteSource& backup) : backup_(backup) {
  if (base != nullptr) base_.emplace(*base);
}

Result<BackupHead> BackupMerge::head() {
  QUIETUS_TRY_AS(head_, backup_.head());
  if (!base_) {
    if (!head_.is_incremental()) return head_;
    return Error(ErrorCode::kRefused, "backup: it holds only the changes since the backup " +
                                          to_hex(head_.base) + "; name that one as its base too");
  }
  if (!head_.is_incremental())
    return Error(ErrorCode::kRefused, "backup: it is complete and has no base");
  QUIETUS_TRY_AS(const BackupHead base, base_->head().within("base"));
  if (base.vault != head_.vault)
    return Error(ErrorCode::kRefused, "backup: the base that was named is of another vault");
  if (base.backup != head_.base || base.is_incremental())
    return Error(ErrorCode::kRefused, "backup: it holds the changes since the backup " +
                                          to_hex(head_.base) + ", and the base that was named is " +
                                          to_hex(base.backup));
  return head_;
}

Result<std::optional<BackupReader::Row>> BackupMerge::next() {
  while (true) {
    if (take_base_) QUIETUS_TRY(step_base());
    if (take_backup_) QUIETUS_TRY(step_backup());
    if (!base_row_ && !row_) return std::optional<Row>();
    QUIETUS_TRY_AS(const auto merged, next_of_both());
    if (!merged) continue;
    if (merged->table == RecordTable::kRecords) ++records_;
    return merged;
  }
}

Result<void> BackupMerge::step_base() {
  take_base_ = false;
  base_row_.reset();
  if (!base_) return {};
  QUIETUS_TRY_AS(auto row, base_->next().within("base"));
  if (row && row->table) base_row_ = row;
  return {};
}

Result<void> BackupMerge::step_backup() {
  take_backup_ = false;
  QUIETUS_TRY_AS(row_, backup_.next());
  return {};
}

Result<std::optional<BackupReader::Row>> BackupMerge::next_of_both() {
  const bool more_records = row_ && row_->table;
  const auto order = !base_row_      ? std::strong_ordering::greater
                     : !more_records ? std::strong_ordering::less
                                     : order_of(place_of(*base_row_), place_of(*row_));
  take_base_ = std::is_lteq(order);
  take_backup_ = std::is_gteq(order);
  if (std::is_lt(order)) return base_row_;
  if (!row_->removed) return row_;
  if (std::is_gt(order))
    return Error(ErrorCode::kCorrupt, "backup: its base lacks a row that it removes");
  return std::optional<Row>();
}

Result<BackupManifest> BackupMerge::finish(const NoteKey& log) {
  QUIETUS_TRY_AS(BackupManifest manifest, backup_.finish(log));
  if (!base_) return manifest;
  // The rows of its control store.
  while (true) {
    QUIETUS_TRY_AS(const auto row, base_->next().within("base"));
    if (!row) break;
  }
  QUIETUS_TRY(base_->finish(log).within("base"));
  if (manifest.base->manifest != sha256(as_bytes(base_->note())))
    return unverified("backup: its base has that id, but is not the one that it was made from");
  return manifest;
}

}  // namespace quietus
