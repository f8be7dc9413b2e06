#include "keys/drills.hpp"

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus::rows {
namespace {

constexpr std::uint8_t kDrillRowVersion = 1;

std::optional<DrillRow> decode_drill(ByteView content) {
  ByteReader in(content);
  DrillRow row;
  const std::uint8_t version = in.u8();
  row.done = in.flag();
  row.instance = in.array<sizeof(InstanceId)>();
  row.time = static_cast<UnixMillis>(in.u64());
  row.backup = in.array<sizeof(BackupId)>();
  row.passed = in.flag();
  row.report = in.array<sizeof(Sha256)>();
  return in.done() && version == kDrillRowVersion ? std::optional(row) : std::nullopt;
}

}  // namespace

Result<std::optional<DrillRow>> drill(ControlReader& reader, const RowSeal& seal) {
  return get_row(reader, seal, Bytes{'u'}, decode_drill);
}

Result<void> put_drill(ControlWriter& writer, const RowSeal& seal, const DrillRow& row) {
  ByteWriter content;
  content.u8(kDrillRowVersion)
      .u8(row.done ? 1 : 0)
      .raw(row.instance)
      .u64(static_cast<std::uint64_t>(row.time))
      .raw(row.backup)
      .u8(row.passed ? 1 : 0)
      .raw(row.report);
  return put_sealed(writer, seal, Bytes{'u'}, content.take());
}

}  // namespace quietus::rows
