#include "keys/anchor.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "crypto/derive.hpp"

namespace quietus {
namespace {

constexpr std::string_view kAnchorMagic = "QUIETUSA";
constexpr std::uint16_t kAnchorVersion = 1;
constexpr std::size_t kSector = 512;
constexpr std::size_t kBodySize = 82;

Bytes body_of(const Anchor& anchor) {
  ByteWriter body;
  body.raw(as_bytes(kAnchorMagic)).u16(kAnchorVersion).u64(anchor.sequence).raw(anchor.vault);
  body.u64(anchor.generation).u64(anchor.log_size).raw(anchor.log_root);
  return body.take();
}

Mac mac_of(const Anchor& anchor, const AnchorKey& key) {
  return key.expose([&](ByteView bytes) { return hmac_sha256(bytes, body_of(anchor)); });
}

Bytes encode(const Anchor& anchor, const AnchorKey& key) {
  const Bytes body = body_of(anchor);
  Bytes sector = ByteWriter().raw(body).raw(sha256(body)).raw(mac_of(anchor, key)).take();
  sector.resize(kSector);
  return sector;
}

// Whole or torn, a sector of a later version must be left to the program that wrote it.
bool is_newer(ByteView sector) {
  ByteReader reader(sector);
  return as_text(reader.raw(kAnchorMagic.size())) == kAnchorMagic && reader.u16() > kAnchorVersion;
}

std::optional<Anchor> decode(ByteView sector) {
  ByteReader reader(sector);
  const ByteView magic = reader.raw(kAnchorMagic.size());
  const std::uint16_t version = reader.u16();
  Anchor anchor;
  anchor.sequence = reader.u64();
  anchor.vault = reader.array<16>();
  anchor.generation = reader.u64();
  anchor.log_size = reader.u64();
  anchor.log_root = reader.array<32>();
  const Sha256 checksum = reader.array<32>();
  anchor.mac = reader.array<32>();
  const ByteView padding = reader.rest();
  const bool whole = !reader.failed() && as_text(magic) == kAnchorMagic &&
                     version == kAnchorVersion && checksum == sha256(sector.first(kBodySize)) &&
                     std::all_of(padding.begin(), padding.end(), [](auto b) { return b == 0; });
  return whole ? std::optional(anchor) : std::nullopt;
}

}  // namespace

Result<void> AnchorFile::create(Anchor anchor, const AnchorKey& key) {
  anchor.sequence = 1;
  Bytes content = encode(anchor, key);
  anchor.sequence = 2;
  const Bytes second = encode(anchor, key);
  content.insert(content.end(), second.begin(), second.end());
  return write_file(files_, path_, content).within("anchor");
}

Result<Anchor> AnchorFile::read(const VaultId& vault) {
  QUIETUS_TRY_AS(const Bytes content, read_file(files_, path_, 2 * kSector).within("anchor"));
  std::optional<Anchor> newest;
  for (std::size_t offset = 0; offset + kSector <= content.size(); offset += kSector) {
    const ByteView sector = ByteView(content).subspan(offset, kSector);
    if (is_newer(sector))
      return Error(ErrorCode::kUnsupported, "anchor: written by a newer version");
    const auto anchor = decode(sector);
    if (anchor && anchor->vault == vault && (!newest || anchor->sequence > newest->sequence))
      newest = anchor;
  }
  if (!newest) return Error(ErrorCode::kCorrupt, "anchor: damaged, or of another vault");
  return *newest;
}

bool AnchorFile::authentic(const Anchor& anchor, const AnchorKey& key) {
  return equal_constant_time(mac_of(anchor, key), anchor.mac);
}

Result<void> AnchorFile::write(Anchor anchor, const AnchorKey& key) {
  QUIETUS_TRY_AS(const Anchor current, read(anchor.vault));
  anchor.sequence = current.sequence + 1;
  QUIETUS_TRY_AS(auto file, files_.open(path_, FileSystem::Open::kReadWrite));
  // Sequence n lies in sector (n + 1) mod 2, so the sector that holds `current` is left alone.
  QUIETUS_FAILPOINT("anchor/before-write");
  QUIETUS_TRY(file->write_at((anchor.sequence + 1) % 2 * kSector, encode(anchor, key)));
  QUIETUS_TRY(file->sync());
  QUIETUS_FAILPOINT("anchor/after-write");
  return {};
}

}  // namespace quietus
