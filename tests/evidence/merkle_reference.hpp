// The Merkle tree as RFC 6962 section 2.1 defines it: recursion over the leaves themselves. Slow,
// and as close to the text of the RFC as C++ allows: the oracle for everything that is fast.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evidence/merkle_tree.hpp"

namespace quietus::test::reference {

using Leaves = std::vector<std::string>;

inline std::size_t largest_power_below(std::size_t n) {
  std::size_t k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

inline Leaves slice(const Leaves& leaves, std::size_t begin, std::size_t end) {
  return {leaves.begin() + static_cast<std::ptrdiff_t>(begin),
          leaves.begin() + static_cast<std::ptrdiff_t>(end)};
}

// MTH(D[n])
inline Hash root(const Leaves& leaves) {
  if (leaves.empty()) return sha256(ByteView{});
  if (leaves.size() == 1) return sha256(as_bytes(std::string(1, '\0') + leaves[0]));
  const std::size_t k = largest_power_below(leaves.size());
  const Hash left = root(slice(leaves, 0, k));
  const Hash right = root(slice(leaves, k, leaves.size()));
  return sha256(as_bytes(std::string(1, '\x01').append(as_text(left)).append(as_text(right))));
}

// PATH(m, D[n])
inline std::vector<Hash> path(std::size_t m, const Leaves& leaves) {
  if (leaves.size() == 1) return {};
  const std::size_t k = largest_power_below(leaves.size());
  const Leaves left = slice(leaves, 0, k);
  const Leaves right = slice(leaves, k, leaves.size());
  std::vector<Hash> hashes = m < k ? path(m, left) : path(m - k, right);
  hashes.push_back(m < k ? root(right) : root(left));
  return hashes;
}

// SUBPROOF(m, D[n], b); PROOF(m, D[n]) is SUBPROOF(m, D[n], true).
inline std::vector<Hash> proof(std::size_t m, const Leaves& leaves, bool whole = true) {
  if (m == leaves.size()) return whole ? std::vector<Hash>{} : std::vector<Hash>{root(leaves)};
  const std::size_t k = largest_power_below(leaves.size());
  const Leaves left = slice(leaves, 0, k);
  const Leaves right = slice(leaves, k, leaves.size());
  std::vector<Hash> hashes = m <= k ? proof(m, left, whole) : proof(m - k, right, false);
  hashes.push_back(m <= k ? root(right) : root(left));
  return hashes;
}

inline Leaves numbered_leaves(std::size_t count) {
  Leaves leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back("quietus-leaf-" + std::to_string(i));
  return leaves;
}

// What the fast code names, hashed by the slow one.
inline std::vector<Hash> hashes_of(const std::vector<LeafRange>& ranges, const Leaves& leaves) {
  std::vector<Hash> hashes;
  hashes.reserve(ranges.size());
  for (const LeafRange& range : ranges)
    hashes.push_back(root(slice(leaves, range.begin, range.end)));
  return hashes;
}

}  // namespace quietus::test::reference
