#include "keys/snapshots.hpp"

#include <algorithm>
#include <tuple>

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kSnapshotRowVersion = 1;
constexpr std::size_t kRingPiece = 32768;
constexpr std::size_t kMaxVkey = 1024;

std::optional<SnapshotRow> decode_snapshot(ByteView content) {
  ByteReader in(content);
  SnapshotRow row;
  const std::uint8_t version = in.u8();
  row.ring = in.array<sizeof(RingId)>();
  row.epoch = in.array<sizeof(EpochId)>();
  row.begun = static_cast<UnixMillis>(in.u64());
  row.expires = static_cast<UnixMillis>(in.u64());
  row.begun_index = in.u64();
  row.log_size = in.u64();
  row.destroyed = static_cast<UnixMillis>(in.u64());
  return in.done() && version == kSnapshotRowVersion ? std::optional(row) : std::nullopt;
}

struct RingHead {
  TrustedRing ring;
  std::uint16_t pieces = 0;
};

std::optional<RingHead> decode_ring_head(ByteView content) {
  ByteReader in(content);
  RingHead head;
  const std::uint8_t version = in.u8();
  head.ring.site_vkey = in.text(kMaxVkey);
  head.ring.imported = static_cast<UnixMillis>(in.u64());
  head.ring.receipt = static_cast<UnixMillis>(in.u64());
  head.pieces = in.u16();
  return in.done() && version == kSnapshotRowVersion ? std::optional(std::move(head))
                                                     : std::nullopt;
}

Bytes ring_piece_key(const RingId& ring, std::uint16_t piece) {
  return ByteWriter().u8('r').raw(ring).u16(piece).take();
}

}  // namespace

Result<void> put_snapshot(ControlWriter& writer, const RowSeal& seal, const SnapshotRow& row) {
  ByteWriter content;
  content.u8(kSnapshotRowVersion)
      .raw(row.ring)
      .raw(row.epoch)
      .u64(static_cast<std::uint64_t>(row.begun))
      .u64(static_cast<std::uint64_t>(row.expires))
      .u64(row.begun_index)
      .u64(row.log_size)
      .u64(static_cast<std::uint64_t>(row.destroyed));
  return put_sealed(writer, seal, row_key('s', row.id), content.take());
}

Result<void> remove_snapshot(ControlWriter& writer, const BackupId& id) {
  return writer.remove(row_key('s', id));
}

Result<std::vector<SnapshotRow>> snapshots(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'s'}, decode_snapshot));
  std::vector<SnapshotRow> made;
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.id = in.array<sizeof(BackupId)>();
    if (!in.done()) return damaged('s');
    made.push_back(row);
  }
  std::ranges::sort(made, {}, [](const SnapshotRow& row) { return std::tuple(row.begun, row.id); });
  return made;
}

Result<void> put_trusted_ring(ControlWriter& writer, const RowSeal& seal, const TrustedRing& ring) {
  const ByteView note = as_bytes(ring.note);
  const std::size_t pieces = (note.size() + kRingPiece - 1) / kRingPiece;
  ByteWriter head;
  head.u8(kSnapshotRowVersion)
      .text(ring.site_vkey)
      .u64(static_cast<std::uint64_t>(ring.imported))
      .u64(static_cast<std::uint64_t>(ring.receipt))
      .u16(static_cast<std::uint16_t>(pieces));
  QUIETUS_TRY(put_sealed(writer, seal, row_key('r', ring.ring), head.take()));
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t at = i * kRingPiece;
    QUIETUS_TRY(put_sealed(writer, seal, ring_piece_key(ring.ring, static_cast<std::uint16_t>(i)),
                           note.subspan(at, std::min(kRingPiece, note.size() - at))));
  }
  return {};
}

Result<std::vector<TrustedRing>> trusted_rings(ControlReader& reader, const RowSeal& seal) {
  std::vector<RingHead> heads;
  QUIETUS_TRY(reader.scan(Bytes{'r'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != 1 + sizeof(RingId)) return true;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto head = content ? decode_ring_head(*content) : std::nullopt;
    if (!head) return damaged('r');
    head->ring.ring = ByteReader(key.subspan(1)).array<sizeof(RingId)>();
    heads.push_back(std::move(*head));
    return true;
  }));
  std::vector<TrustedRing> rings;
  for (RingHead& head : heads) {
    for (std::uint16_t piece = 0; piece < head.pieces; ++piece) {
      QUIETUS_TRY_AS(const auto part,
                     get_sealed(reader, seal, ring_piece_key(head.ring.ring, piece)));
      if (!part) return damaged('r');
      head.ring.note += as_text(*part);
    }
    rings.push_back(std::move(head.ring));
  }
  std::ranges::sort(rings, std::ranges::greater(), &TrustedRing::imported);
  return rings;
}

}  // namespace rows

Result<RingFile> ring_file_of(const TrustedRing& ring) {
  QUIETUS_TRY_AS(const NoteKey key, parse_vkey(ring.site_vkey));
  return open_ring(ring.note, key);
}

}  // namespace quietus
