#include "evidence/merkle_proof.hpp"

#include <bit>
#include <vector>

#include "base/unverified.hpp"

namespace quietus {
namespace {

// Where the walk from a leaf to the root stands: the node's index on its level, and the last
// node's.
struct Cursor {
  std::uint64_t fn;
  std::uint64_t sn;

  // True when the next hash of the proof stands to the left.
  bool sibling_is_left() const noexcept { return (fn & 1) != 0 || fn == sn; }
  // Levels on which the border node has no sibling are not in the proof.
  void skip_missing_siblings() noexcept {
    while ((fn & 1) == 0 && fn != 0) up();
  }
  void up() noexcept {
    fn >>= 1;
    sn >>= 1;
  }
};

Result<void> compare_sizes(const TreeHead& older, const TreeHead& newer,
                           std::span<const Hash> proof) {
  if (older.size == 0) return unverified("consistency with an empty tree says nothing");
  if (older.size > newer.size) return unverified("the older tree is larger than the newer one");
  if (older.size == newer.size) {
    if (!proof.empty()) return unverified("consistency proof of equal sizes is not empty");
    if (older.root != newer.root) return unverified("two roots for one tree size");
  } else if (proof.empty()) {
    return unverified("consistency proof is empty");
  }
  return {};
}

}  // namespace

Result<void> verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                              std::span<const Hash> proof, const Hash& root) {
  if (index >= size) return unverified("index lies beyond the tree");
  Cursor at{index, size - 1};
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (at.sn == 0) return unverified("inclusion proof is too long");
    if (at.sibling_is_left()) {
      hash = node_hash(sibling, hash);
      at.skip_missing_siblings();
    } else {
      hash = node_hash(hash, sibling);
    }
    at.up();
  }
  if (at.sn != 0) return unverified("inclusion proof is too short");
  if (hash != root) return unverified("inclusion proof leads to another root");
  return {};
}

Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer,
                                std::span<const Hash> proof) {
  QUIETUS_TRY(compare_sizes(older, newer, proof));
  if (older.size == newer.size) return {};

  std::vector<Hash> path;
  if (std::has_single_bit(older.size)) path.push_back(older.root);
  path.insert(path.end(), proof.begin(), proof.end());

  Cursor at{older.size - 1, newer.size - 1};
  while ((at.fn & 1) != 0) at.up();
  Hash old_hash = path.front();
  Hash new_hash = path.front();
  for (const Hash& sibling : std::span(path).subspan(1)) {
    if (at.sn == 0) return unverified("consistency proof is too long");
    if (at.sibling_is_left()) {
      old_hash = node_hash(sibling, old_hash);
      new_hash = node_hash(sibling, new_hash);
      at.skip_missing_siblings();
    } else {
      new_hash = node_hash(new_hash, sibling);
    }
    at.up();
  }
  if (at.sn != 0) return unverified("consistency proof is too short");
  if (old_hash != older.root) return unverified("consistency proof leads to another older root");
  if (new_hash != newer.root) return unverified("consistency proof leads to another newer root");
  return {};
}

}  // namespace quietus
