// C2SP tlog-tiles v0.1.0: a log as a folder of small files, for anybody to verify.
//
//   checkpoint                     the signed note
//   tile/<L>/<N>[.p/<W>]           256 hashes of 32 bytes: of the complete subtrees of height 8·L
//   tile/entries/<N>[.p/<W>]       256 entries, each u16 length (big-endian) || entry
//
// <N> is written in groups of three digits, all but the last behind an x: 1234067 is
// x001/x234/067. The last tile of a level may be partial: <W> says how wide it is.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <filesystem>

#include "evidence/log_store.hpp"

namespace quietus {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr std::uint8_t kTileLevels = 8;  // of the highest tree there can be

struct Tile {
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  std::uint64_t width = kTileWidth;  // 1 to 256

  bool operator==(const Tile&) const = default;
};

// How many tiles a level of a log of this size has; none above the root. Levels are 0 to 7.
std::uint64_t tile_count(std::uint64_t size, std::uint8_t level) noexcept;
// Requires: index < tile_count(size, level).
Tile tile_at(std::uint64_t size, std::uint8_t level, std::uint64_t index) noexcept;

// Relative to the folder of the log.
std::filesystem::path tile_path(const Tile& tile);
std::filesystem::path bundle_path(const Tile& tile);  // of the entries below a tile of level 0

// The content of these files, read from the log. Errors of log_store.hpp.
Result<Bytes> read_tile(ControlReader& reader, const Tile& tile);
Result<Bytes> read_bundle(ControlReader& reader, const LogSeal& seal, const Tile& tile);

}  // namespace quietus
