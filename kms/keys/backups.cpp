#include "keys/backups.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kBackupRowVersion = 1;

std::optional<BackupRow> decode_backup(ByteView content) {
  ByteReader in(content);
  BackupRow row;
  const std::uint8_t version = in.u8();
  row.log_index = in.u64();
  row.begun = static_cast<UnixMillis>(in.u64());
  row.made = static_cast<UnixMillis>(in.u64());
  row.expires = static_cast<UnixMillis>(in.u64());
  row.records = in.u64();
  row.bytes = in.u64();
  row.manifest = in.array<sizeof(Sha256)>();
  return in.done() && version == kBackupRowVersion ? std::optional(row) : std::nullopt;
}

}  // namespace

Result<std::optional<BackupRow>> backup(ControlReader& reader, const RowSeal& seal,
                                        const BackupId& id) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('d', id), decode_backup));
  if (row) row->id = id;
  return row;
}

Result<void> put_backup(ControlWriter& writer, const RowSeal& seal, const BackupRow& row) {
  ByteWriter content;
  content.u8(kBackupRowVersion)
      .u64(row.log_index)
      .u64(static_cast<std::uint64_t>(row.begun))
      .u64(static_cast<std::uint64_t>(row.made))
      .u64(static_cast<std::uint64_t>(row.expires))
      .u64(row.records)
      .u64(row.bytes)
      .raw(row.manifest);
  return put_sealed(writer, seal, row_key('d', row.id), content.take());
}

Result<void> remove_backup(ControlWriter& writer, const BackupId& id) {
  return writer.remove(row_key('d', id));
}

Result<std::vector<BackupRow>> backups(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'d'}, decode_backup));
  std::vector<BackupRow> backups;
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.id = in.array<sizeof(BackupId)>();
    if (!in.done()) return damaged('d');
    backups.push_back(row);
  }
  std::ranges::sort(backups, {}, &BackupRow::log_index);
  return backups;
}

}  // namespace rows

Result<std::optional<UnixMillis>> oldest_backup(ControlReader& reader, const RowSeal& seal,
                                                UnixMillis now) {
  QUIETUS_TRY_AS(const auto backups, rows::backups(reader, seal));
  std::optional<UnixMillis> oldest;
  for (const BackupRow& row : backups)
    if (row.expires > now) oldest = std::min(oldest.value_or(row.begun), row.begun);
  return oldest;
}

}  // namespace quietus
