#include "evidence/log_tiles.hpp"

#include <algorithm>
#include <string>

#include "base/byte_writer.hpp"

namespace quietus {
namespace {

constexpr unsigned kTileHeight = 8;

// Three digits, with leading zeros.
std::string group_text(std::uint64_t group) {
  const std::string digits = std::to_string(group);
  return std::string(3 - digits.size(), '0') + digits;
}

std::string index_text(std::uint64_t index) {
  std::string text = group_text(index % 1000);
  for (index /= 1000; index != 0; index /= 1000)
    text = std::string("x").append(group_text(index % 1000)).append("/").append(text);
  return text;
}

std::filesystem::path path_below(const std::string& folder, const Tile& tile) {
  std::string path = "tile/" + folder + "/" + index_text(tile.index);
  if (tile.width != kTileWidth) path += ".p/" + std::to_string(tile.width);
  return path;
}

}  // namespace

std::uint64_t tile_count(std::uint64_t size, std::uint8_t level) noexcept {
  const std::uint64_t hashes = size >> (kTileHeight * level);
  return hashes / kTileWidth + (hashes % kTileWidth == 0 ? 0 : 1);
}

Tile tile_at(std::uint64_t size, std::uint8_t level, std::uint64_t index) noexcept {
  const std::uint64_t hashes = size >> (kTileHeight * level);
  return {level, index, std::min(kTileWidth, hashes - index * kTileWidth)};
}

std::filesystem::path tile_path(const Tile& tile) {
  return path_below(std::to_string(tile.level), tile);
}

std::filesystem::path bundle_path(const Tile& tile) {
  return path_below("entries", tile);
}

Result<Bytes> read_tile(ControlReader& reader, const Tile& tile) {
  ByteWriter content;
  for (std::uint64_t i = 0; i < tile.width; ++i) {
    const NodeId node{static_cast<std::uint8_t>(tile.level * kTileHeight),
                      tile.index * kTileWidth + i};
    QUIETUS_TRY_AS(const Hash hash, subtree_hash(reader, node));
    content.raw(hash);
  }
  return content.take();
}

Result<Bytes> read_bundle(ControlReader& reader, const LogSeal& seal, const Tile& tile) {
  ByteWriter content;
  for (std::uint64_t i = 0; i < tile.width; ++i) {
    QUIETUS_TRY_AS(const Bytes entry, read_entry(reader, seal, tile.index * kTileWidth + i));
    content.u16(static_cast<std::uint16_t>(entry.size())).raw(entry);
  }
  return content.take();
}

}  // namespace quietus
