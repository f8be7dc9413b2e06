#include "backup_changes.hpp"

#include <algorithm>

#include "backup_merge.hpp"

namespace quietus {

Result<BackupHead> BackupChanges::begin() {
  QUIETUS_TRY_AS(const BackupHead head, base_.head().within("base"));
  QUIETUS_TRY(step());
  return head;
}

Result<void> BackupChanges::row(const RecordKeyRef& row, ByteView value) {
  while (row_) {
    const auto order = order_of(place_of(*row_), row);
    if (std::is_gt(order)) break;
    const bool same = std::is_eq(order) && std::ranges::equal(row_->value, value);
    if (std::is_lt(order)) QUIETUS_TRY(writer_.removed(place_of(*row_)));
    QUIETUS_TRY(step());
    if (same) return {};
    if (std::is_eq(order)) break;
  }
  return writer_.row(row, value);
}

Result<BackupBase> BackupChanges::finish(const NoteKey& log) {
  while (row_) {
    QUIETUS_TRY(writer_.removed(place_of(*row_)));
    QUIETUS_TRY(step());
  }
  // The rows of its control store.
  while (true) {
    QUIETUS_TRY_AS(const auto row, base_.next().within("base"));
    if (!row) break;
  }
  QUIETUS_TRY_AS(const BackupManifest manifest, base_.finish(log).within("base"));
  return BackupBase{manifest.backup, sha256(as_bytes(base_.note()))};
}

Result<void> BackupChanges::step() {
  QUIETUS_TRY_AS(const auto row, base_.next().within("base"));
  row_ = row && row->table ? row : std::nullopt;
  return {};
}

}  // namespace quietus
