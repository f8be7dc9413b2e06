// Test vectors as JSON. Those of the project lie in tests/vectors; those of third parties are read
// in place, where a copy of them is at hand.
#pragma once

#include <quietus/result.hpp>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/text_encoding.hpp"

namespace quietus::test {

inline nlohmann::json read_json(const std::filesystem::path& path) {
  INFO(path.string());
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.is_open());
  return nlohmann::json::parse(file);
}

inline nlohmann::json own_vectors(const std::string& name) {
  return read_json(std::filesystem::path(QUIETUS_VECTORS) / name);
}

// Nothing, and a visible word about it, where the third-party vectors are not there.
inline std::optional<nlohmann::json> shared_vectors(const std::string& name) {
  const auto path = std::filesystem::path(QUIETUS_SHARED_VECTORS) / name;
  if (std::filesystem::exists(path)) return read_json(path);
  WARN("skipped: no shared vectors (" << name << ")");
  return std::nullopt;
}

inline Bytes hex(const std::string& text) {
  const std::optional<Bytes> bytes = from_hex(text);
  INFO(text);
  REQUIRE(bytes.has_value());
  return *bytes;
}

inline Bytes hex_field(const nlohmann::json& object, const char* name) {
  return hex(object.at(name).get<std::string>());
}

template <std::size_t N>
std::array<std::uint8_t, N> to_array(ByteView bytes) {
  REQUIRE(bytes.size() == N);
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

inline bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

inline Bytes to_bytes(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace quietus::test
