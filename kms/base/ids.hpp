// Identifiers. All are random and never reused; none of them says anything about what it names.
#pragma once

#include <array>
#include <cstdint>

namespace quietus {

using VaultId = std::array<std::uint8_t, 16>;
using InstanceId = std::array<std::uint8_t, 16>;  // zero: the vault as it was created
using SlotId = std::array<std::uint8_t, 16>;
using RingId = std::array<std::uint8_t, 16>;   // of an escrow ring
using EpochId = std::array<std::uint8_t, 16>;  // of one epoch of a ring
using ScopeId = std::uint64_t;                 // random, 63 bits, never 0 but for the vault itself
using KeyId = std::uint64_t;  // random, 63 bits; ids below 16 belong to the vault's own keys

}  // namespace quietus
