// One node of the key tree: where it lies and how it is taken apart. For the rooms of the tree only
// (key_tree.cpp, key_tree_staging.cpp).
#pragma once

#include <string>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/secret.hpp"
#include "keys/key_tree.hpp"

namespace quietus {

inline constexpr std::size_t kLeafEntrySize = 8 + kKeySize;
inline constexpr std::uint8_t kRootLevel = kTreeHeight - 1;

struct TreeNode {
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  std::uint64_t generation = 0;  // root generation of its last re-key
  SecretBuffer entries;

  static std::size_t size_on(std::uint8_t level) noexcept {
    return level == 0 ? kLeafNodeEntries * kLeafEntrySize : kInnerNodeEntries * kKeySize;
  }
  static TreeNode empty(std::uint8_t level, std::uint64_t index, std::uint64_t generation) {
    return {level, index, generation, SecretBuffer(size_on(level))};
  }
};

namespace tree {

inline Bytes row_key(std::uint8_t level, std::uint64_t index) {
  return ByteWriter().u8('N').u8(level).u64(index).take();
}
inline Bytes staged_key(std::uint64_t generation, std::uint8_t level, std::uint64_t index) {
  return ByteWriter().u8('n').u64(generation).u8(level).u64(index).take();
}

// Leaves below one node of that level.
inline std::uint64_t leaves_below(std::uint8_t level) noexcept {
  std::uint64_t leaves = kLeafNodeEntries;
  for (std::uint8_t i = 0; i < level; ++i) leaves *= kInnerNodeEntries;
  return leaves;
}
// The index of the node on `level` above the leaf; level 0 holds the leaves themselves.
inline std::uint64_t node_index(std::uint8_t level, std::uint64_t leaf) noexcept {
  return leaf / leaves_below(level);
}
// Where the entry for the leaf stands in its node on `level`.
inline std::size_t entry_offset(std::uint8_t level, std::uint64_t leaf) noexcept {
  if (level == 0) return leaf % kLeafNodeEntries * kLeafEntrySize;
  return node_index(static_cast<std::uint8_t>(level - 1), leaf) % kInnerNodeEntries * kKeySize;
}

inline bool all_zero(ByteView bytes) noexcept {
  std::uint8_t sum = 0;
  for (const std::uint8_t byte : bytes) sum = static_cast<std::uint8_t>(sum | byte);
  return sum == 0;
}

inline Error damaged(std::uint8_t level, std::uint64_t index) {
  return {ErrorCode::kCorrupt,
          "key tree: node " + std::to_string(level) + "/" + std::to_string(index) + " is damaged"};
}

}  // namespace tree
}  // namespace quietus
