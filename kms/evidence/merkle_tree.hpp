// The Merkle tree of RFC 6962 section 2.1 (RFC 9162 is the same): hashing, and the arithmetic of
// which hashes a root or a proof is made of. Nothing is stored here: the functions name subtrees,
// the caller fetches their hashes and folds them.
//
//   leaf   SHA-256(00 || entry)          empty tree  SHA-256("")
//   node   SHA-256(01 || left || right)  split at the largest power of two below the size
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <span>
#include <vector>

#include "crypto/hash.hpp"

namespace quietus {

using Hash = Sha256;

// No tree here has more leaves, so that shifting and adding never overflow.
inline constexpr std::uint64_t kMaxTreeSize = std::uint64_t{1} << 62;

Hash empty_root();
Hash leaf_hash(ByteView entry);
Hash node_hash(const Hash& left, const Hash& right);

// The complete subtree over leaves [index << level, (index + 1) << level). Its hash never changes
// once all its leaves are there, so it can be stored. Level 0 is a leaf.
struct NodeId {
  std::uint8_t level = 0;
  std::uint64_t index = 0;

  bool operator==(const NodeId&) const = default;
};

// Leaves [begin, end) that form one subtree of some tree: begin is a multiple of every power of two
// that the range contains.
struct LeafRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  std::uint64_t size() const noexcept { return end - begin; }
  bool operator==(const LeafRange&) const = default;
};

// The complete subtrees that make up `range`, from left to right: one per bit of its size.
std::vector<NodeId> complete_nodes(const LeafRange& range);

// The hash of a range from the hashes of its complete_nodes(), in that order; of none, the empty
// root.
Hash fold(std::span<const Hash> hashes);

// A tree that grows leaf by leaf and keeps only what its root is made of.
class GrowingTree {
 public:
  // `completed(node, hash)` is told of the leaf and of every subtree that it completes, upwards; it
  // returns a Result<void>.
  template <class F>
  auto push(const Hash& leaf, F&& completed) -> decltype(completed(NodeId{}, leaf)) {
    NodeId node{0, size_};
    Hash hash = leaf;
    if (auto told = completed(node, hash); !told) return told;
    // Invariant: hash is that of node, which is complete.
    while ((node.index & 1) != 0) {
      hash = node_hash(pending_.back(), hash);
      pending_.pop_back();
      node = {static_cast<std::uint8_t>(node.level + 1), node.index >> 1};
      if (auto told = completed(node, hash); !told) return told;
    }
    pending_.push_back(hash);
    ++size_;
    return {};
  }

  std::uint64_t size() const noexcept { return size_; }
  Hash root() const { return fold(pending_); }

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> pending_;  // the complete subtrees of the tree so far, from left to right
};

// The subtrees whose hashes prove that leaf `index` is in the tree of `size` leaves, from the
// leaf's sibling upwards. Requires: index < size <= kMaxTreeSize.
std::vector<LeafRange> inclusion_path(std::uint64_t index, std::uint64_t size);

// The subtrees whose hashes prove that the tree of `old_size` leaves is the start of the tree of
// `size`. Requires: 0 < old_size <= size <= kMaxTreeSize.
std::vector<LeafRange> consistency_path(std::uint64_t old_size, std::uint64_t size);

}  // namespace quietus
