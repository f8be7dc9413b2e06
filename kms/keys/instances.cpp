#include "keys/instances.hpp"

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus::rows {
namespace {

constexpr std::uint8_t kInstanceRowVersion = 1;

std::optional<InstanceRow> decode_instance_row(ByteView key, ByteView content) {
  ByteReader id(key);
  ByteReader in(content);
  InstanceRow row;
  row.instance = id.array<sizeof(InstanceId)>();
  const std::uint8_t version = in.u8();
  row.copied = static_cast<UnixMillis>(in.u64());
  row.log_size = in.u64();
  row.log_key = in.array<sizeof(Ed25519PublicKey)>();
  row.issuing_key = in.array<sizeof(Ed25519PublicKey)>();
  const bool whole = id.done() && in.done() && version == kInstanceRowVersion;
  return whole ? std::optional(row) : std::nullopt;
}

}  // namespace

Result<void> put_instance(ControlWriter& writer, const RowSeal& seal, const InstanceRow& row) {
  ByteWriter content;
  content.u8(kInstanceRowVersion).u64(static_cast<std::uint64_t>(row.copied)).u64(row.log_size);
  content.raw(row.log_key).raw(row.issuing_key);
  return put_sealed(writer, seal, row_key('O', row.instance), content.take());
}

Result<void> remove_instance(ControlWriter& writer, const InstanceId& id) {
  return writer.remove(row_key('O', id));
}

Result<std::vector<InstanceRow>> instances(ControlReader& reader, const RowSeal& seal,
                                           FunctionRef<void()> damaged) {
  std::vector<InstanceRow> found;
  QUIETUS_TRY(reader.scan(Bytes{'O'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto row = content ? decode_instance_row(key.subspan(1), *content) : std::nullopt;
    if (row)
      found.push_back(*row);
    else
      damaged();
    return true;
  }));
  return found;
}

}  // namespace quietus::rows
