#include "evidence/merkle_tree.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

namespace quietus {
namespace {

// Where RFC 6962 splits a subtree: its left part is the largest complete tree smaller than the
// whole. Requires: size > 1.
std::uint64_t split_point(const LeafRange& range) noexcept {
  return range.begin + std::bit_floor(range.size() - 1);
}

}  // namespace

Hash empty_root() {
  return sha256(ByteView{});
}

Hash leaf_hash(ByteView entry) {
  static constexpr std::array<std::uint8_t, 1> kPrefix = {0x00};
  return sha256({ByteView(kPrefix), entry});
}

Hash node_hash(const Hash& left, const Hash& right) {
  static constexpr std::array<std::uint8_t, 1> kPrefix = {0x01};
  return sha256({ByteView(kPrefix), ByteView(left), ByteView(right)});
}

std::vector<NodeId> complete_nodes(const LeafRange& range) {
  std::vector<NodeId> nodes;
  // Invariant: [range.begin, at) is covered, and at is a multiple of every power of two still to
  // come.
  std::uint64_t at = range.begin;
  for (std::uint64_t rest = range.size(); rest != 0;) {
    const std::uint64_t width = std::bit_floor(rest);
    const auto level = static_cast<std::uint8_t>(std::countr_zero(width));
    assert(at % width == 0);
    nodes.push_back({level, at >> level});
    at += width;
    rest -= width;
  }
  return nodes;
}

Hash fold(std::span<const Hash> hashes) {
  if (hashes.empty()) return empty_root();
  Hash right = hashes.back();
  for (std::size_t i = hashes.size() - 1; i > 0; --i) right = node_hash(hashes[i - 1], right);
  return right;
}

std::vector<LeafRange> inclusion_path(std::uint64_t index, std::uint64_t size) {
  assert(index < size && size <= kMaxTreeSize);
  std::vector<LeafRange> path;
  LeafRange at{0, size};
  while (at.size() > 1) {
    const std::uint64_t middle = split_point(at);
    if (index < middle) {
      path.push_back({middle, at.end});
      at.end = middle;
    } else {
      path.push_back({at.begin, middle});
      at.begin = middle;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<LeafRange> consistency_path(std::uint64_t old_size, std::uint64_t size) {
  assert(0 < old_size && old_size <= size && size <= kMaxTreeSize);
  std::vector<LeafRange> path;
  // Invariant: at contains the last leaf of the old tree, and the old tree ends at or before
  // at.end.
  LeafRange at{0, size};
  while (at.end != old_size) {
    const std::uint64_t middle = split_point(at);
    if (old_size <= middle) {
      path.push_back({middle, at.end});
      at.end = middle;
    } else {
      path.push_back({at.begin, middle});
      at.begin = middle;
    }
  }
  // When at is the whole old tree, the verifier has its hash already.
  if (at.begin != 0) path.push_back(at);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace quietus
