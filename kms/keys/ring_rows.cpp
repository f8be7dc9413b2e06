#include "keys/ring_rows.hpp"

#include <algorithm>
#include <tuple>

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus::rows {
namespace {

constexpr std::size_t kOpeningKeySize = 1 + sizeof(EpochId) + sizeof(InstanceId);
constexpr std::uint8_t kRingRowVersion = 1;
constexpr char kRingTable = 'e';

UnixMillis read_time(ByteReader& in) {
  return static_cast<UnixMillis>(in.u64());
}

std::optional<RingRow> decode_ring(ByteView content) {
  ByteReader in(content);
  RingRow row;
  const std::uint8_t version = in.u8();
  row.ring = in.array<sizeof(RingId)>();
  row.epoch = read_time(in);
  row.life = read_time(in);
  row.issued = read_time(in);
  return in.done() && version == kRingRowVersion ? std::optional(row) : std::nullopt;
}

std::optional<EpochRow> decode_epoch(ByteView content) {
  ByteReader in(content);
  EpochRow row;
  const std::uint8_t version = in.u8();
  row.epoch.scope = in.u64();
  row.epoch.opens = read_time(in);
  row.epoch.closes = read_time(in);
  row.epoch.expires = read_time(in);
  row.epoch.public_key.key = in.array<sizeof(X25519PublicKey)>();
  row.destroyed = read_time(in);
  row.erasure = in.array<sizeof(ErasureId)>();
  row.complete = in.flag();
  return in.done() && version == kRingRowVersion ? std::optional(row) : std::nullopt;
}

Bytes ring_key() {
  return Bytes{static_cast<std::uint8_t>(kRingTable)};
}

Bytes opening_key(const EpochId& epoch, const InstanceId& instance) {
  return ByteWriter().raw(row_key(kRingTable, epoch)).raw(instance).take();
}

}  // namespace

Result<std::optional<RingRow>> ring(ControlReader& reader, const RowSeal& seal) {
  return get_row(reader, seal, ring_key(), decode_ring);
}

Result<void> put_ring(ControlWriter& writer, const RowSeal& seal, const RingRow& row) {
  ByteWriter content;
  content.u8(kRingRowVersion)
      .raw(row.ring)
      .u64(static_cast<std::uint64_t>(row.epoch))
      .u64(static_cast<std::uint64_t>(row.life))
      .u64(static_cast<std::uint64_t>(row.issued));
  return put_sealed(writer, seal, ring_key(), content.take());
}

Result<std::optional<EpochRow>> epoch(ControlReader& reader, const RowSeal& seal,
                                      const EpochId& id) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key(kRingTable, id), decode_epoch));
  if (row) row->epoch.public_key.id = id;
  return row;
}

Result<void> put_epoch(ControlWriter& writer, const RowSeal& seal, const EpochRow& row) {
  ByteWriter content;
  content.u8(kRingRowVersion)
      .u64(row.epoch.scope)
      .u64(static_cast<std::uint64_t>(row.epoch.opens))
      .u64(static_cast<std::uint64_t>(row.epoch.closes))
      .u64(static_cast<std::uint64_t>(row.epoch.expires))
      .raw(row.epoch.public_key.key)
      .u64(static_cast<std::uint64_t>(row.destroyed))
      .raw(row.erasure)
      .u8(row.complete ? 1 : 0);
  return put_sealed(writer, seal, row_key(kRingTable, row.epoch.public_key.id), content.take());
}

Result<void> remove_epoch(ControlWriter& writer, const EpochId& id) {
  return writer.remove(row_key(kRingTable, id));
}

Result<std::vector<EpochRow>> epochs(ControlReader& reader, const RowSeal& seal) {
  std::vector<EpochRow> found;
  // The ring's own row is the only one with so short a key.
  const Bytes first = row_key(kRingTable, EpochId{});
  QUIETUS_TRY(reader.scan(ring_key(), first, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() == kOpeningKeySize) return true;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? decode_epoch(*content) : std::nullopt;
    ByteReader in(key.subspan(1));
    const auto id = in.array<sizeof(EpochId)>();
    if (!row || !in.done()) return damaged(kRingTable);
    row->epoch.public_key.id = id;
    found.push_back(*row);
    return true;
  }));
  std::ranges::sort(found, {}, [](const EpochRow& row) {
    return std::tuple(row.epoch.opens, row.epoch.public_key.id);
  });
  return found;
}

Result<void> put_opening(ControlWriter& writer, const RowSeal& seal, const OpeningRow& row) {
  ByteWriter content;
  content.u8(kRingRowVersion).raw(row.vault).u64(static_cast<std::uint64_t>(row.time));
  return put_sealed(writer, seal, opening_key(row.epoch, row.instance), content.take());
}

Result<void> remove_opening(ControlWriter& writer, const EpochId& epoch, const InstanceId& id) {
  return writer.remove(opening_key(epoch, id));
}

Result<std::vector<OpeningRow>> openings(ControlReader& reader, const RowSeal& seal) {
  std::vector<OpeningRow> found;
  QUIETUS_TRY(reader.scan(ring_key(), {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != kOpeningKeySize) return true;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    if (!content) return damaged(kRingTable);
    ByteReader id(key.subspan(1));
    ByteReader in(*content);
    OpeningRow row;
    row.epoch = id.array<sizeof(EpochId)>();
    row.instance = id.array<sizeof(InstanceId)>();
    const std::uint8_t version = in.u8();
    row.vault = in.array<sizeof(VaultId)>();
    row.time = static_cast<UnixMillis>(in.u64());
    if (!in.done() || version != kRingRowVersion) return damaged(kRingTable);
    found.push_back(row);
    return true;
  }));
  return found;
}

}  // namespace quietus::rows
