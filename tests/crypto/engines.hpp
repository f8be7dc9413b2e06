// The engines that every AES-256-GCM test runs over, and what compares two of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/aead.hpp"

namespace quietus::test {

// The library's engines and, where this processor has the instructions, libsodium's AES-256-GCM as
// an independent opinion.
std::vector<const GcmEngine*> engines_under_test();

// Runs `rounds` random messages of all shapes through both engines: seal, seal in place, open, open
// what was damaged, blocks, forget. Says the first thing on which they differ, or in which one
// breaks the contract of GcmContext; nothing when there is none. The same seed gives the same
// messages.
std::optional<std::string> first_difference(const GcmEngine& a, const GcmEngine& b,
                                            std::uint64_t seed, int rounds);

}  // namespace quietus::test
