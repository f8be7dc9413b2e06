#include "keys/instances.hpp"

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus::rows {
namespace {

constexpr std::uint8_t kInstanceRowVersion = 1;
constexpr std::uint8_t kVersionWithLeastSize = 2;

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
  if (version == kVersionWithLeastSize) row.least_log_size = in.u64();
  const bool known = version == kInstanceRowVersion || version == kVersionWithLeastSize;
  const bool whole = id.done() && in.done() && known;
  return whole ? std::optional(row) : std::nullopt;
}

constexpr std::uint8_t kReceiptRowVersion = 1;
constexpr std::uint8_t kOriginRowVersion = 1;

Bytes receipt_row_key(const InstanceId& instance, ScopeId scope) {
  return ByteWriter().u8('o').raw(instance).u64(scope).take();
}

std::optional<CertificateId> decode_receipt_row(ByteView content) {
  ByteReader in(content);
  const std::uint8_t version = in.u8();
  const auto certificate = in.array<sizeof(CertificateId)>();
  return in.done() && version == kReceiptRowVersion ? std::optional(certificate) : std::nullopt;
}

std::optional<OriginKeys> decode_origin_row(ByteView content) {
  ByteReader in(content);
  const std::uint8_t version = in.u8();
  OriginKeys keys;
  keys.log = in.array<sizeof(Ed25519PublicKey)>();
  keys.issuing = in.array<sizeof(Ed25519PublicKey)>();
  return in.done() && version == kOriginRowVersion ? std::optional(keys) : std::nullopt;
}

}  // namespace

Result<void> put_instance(ControlWriter& writer, const RowSeal& seal, const InstanceRow& row) {
  ByteWriter content;
  content.u8(row.least_log_size ? kVersionWithLeastSize : kInstanceRowVersion);
  content.u64(static_cast<std::uint64_t>(row.copied)).u64(row.log_size);
  content.raw(row.log_key).raw(row.issuing_key);
  if (row.least_log_size) content.u64(*row.least_log_size);
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

Result<std::optional<CertificateId>> instance_receipt(ControlReader& reader, const RowSeal& seal,
                                                      const InstanceId& instance, ScopeId scope) {
  return get_row(reader, seal, receipt_row_key(instance, scope), decode_receipt_row);
}

Result<void> put_instance_receipt(ControlWriter& writer, const RowSeal& seal,
                                  const InstanceReceipt& receipt) {
  ByteWriter content;
  content.u8(kReceiptRowVersion).raw(receipt.certificate);
  return put_sealed(writer, seal, receipt_row_key(receipt.instance, receipt.scope), content.take());
}

std::pair<Bytes, Bytes> sealed_origin_keys(const RowSeal& seal, const OriginKeys& keys) {
  ByteWriter content;
  content.u8(kOriginRowVersion).raw(keys.log).raw(keys.issuing);
  Bytes key{'i'};
  Bytes value = seal_row(seal.context, seal.key, seal.vault, key, content.take());
  return {std::move(key), std::move(value)};
}

Result<OriginKeys> origin_keys(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(const auto keys, get_row(reader, seal, Bytes{'i'}, decode_origin_row));
  if (!keys) return Error(ErrorCode::kCorrupt, "copy: it does not say whose it is");
  return *keys;
}

Result<void> remove_origin_keys(ControlWriter& writer) {
  return writer.remove(Bytes{'i'});
}

}  // namespace quietus::rows
