#include "keys/backups.hpp"

#include <algorithm>
#include <map>

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kBackupRowVersion = 1;
constexpr std::uint8_t kIncrementalRowVersion = 2;

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
  if (version == kIncrementalRowVersion) row.base = in.array<sizeof(BackupId)>();
  const bool known =
      version == kBackupRowVersion || (version == kIncrementalRowVersion && row.is_incremental());
  return in.done() && known ? std::optional(row) : std::nullopt;
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
  content.u8(row.is_incremental() ? kIncrementalRowVersion : kBackupRowVersion)
      .u64(row.log_index)
      .u64(static_cast<std::uint64_t>(row.begun))
      .u64(static_cast<std::uint64_t>(row.made))
      .u64(static_cast<std::uint64_t>(row.expires))
      .u64(row.records)
      .u64(row.bytes)
      .raw(row.manifest);
  if (row.is_incremental()) content.raw(row.base);
  return put_sealed(writer, seal, row_key('d', row.id), content.take());
}

Result<void> remove_backup(ControlWriter& writer, const BackupId& id) {
  return writer.remove(row_key('d', id));
}

Result<std::vector<KeptBackup>> backups(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'d'}, decode_backup));
  std::vector<KeptBackup> backups;
  std::map<BackupId, UnixMillis> needed;  // by what holds changes since them
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.id = in.array<sizeof(BackupId)>();
    if (!in.done()) return damaged('d');
    if (row.is_incremental()) needed[row.base] = std::max(needed[row.base], row.expires);
    backups.push_back({row, row.expires});
  }
  for (KeptBackup& kept : backups)
    if (const auto at = needed.find(kept.row.id); at != needed.end())
      kept.needed_until = std::max(kept.needed_until, at->second);
  std::ranges::sort(backups, {}, [](const KeptBackup& kept) { return kept.row.log_index; });
  return backups;
}

}  // namespace rows

Result<std::optional<UnixMillis>> oldest_backup(ControlReader& reader, const RowSeal& seal,
                                                UnixMillis now) {
  QUIETUS_TRY_AS(const auto backups, rows::backups(reader, seal));
  std::optional<UnixMillis> oldest;
  for (const KeptBackup& kept : backups)
    if (kept.needed_until > now) oldest = std::min(oldest.value_or(kept.row.begun), kept.row.begun);
  return oldest;
}

}  // namespace quietus
