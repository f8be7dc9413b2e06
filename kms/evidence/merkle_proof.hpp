// Verifies Merkle proofs: RFC 9162 sections 2.1.3.2 and 2.1.4.2, step by step. Input is hostile.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <span>

#include "evidence/merkle_tree.hpp"

namespace quietus {

// That the entry whose leaf hash is `leaf` stands at `index` in the tree of `size` leaves and this
// root. kUnverified.
Result<void> verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                              std::span<const Hash> proof, const Hash& root);

struct TreeHead {
  std::uint64_t size = 0;
  Hash root{};

  bool operator==(const TreeHead&) const = default;
};

// That `older` is the start of `newer`. kUnverified; also for an older size of 0, about which
// nothing can be proved.
Result<void> verify_consistency(const TreeHead& older, const TreeHead& newer,
                                std::span<const Hash> proof);

}  // namespace quietus
