// From a passphrase to a key: Argon2id version 1.3 (RFC 9106), parallelism 1, through libsodium.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>

#include "crypto/labels.hpp"

namespace quietus {

using Argon2Salt = std::array<std::uint8_t, 16>;

struct Argon2Parameters {
  std::uint32_t passes = 3;
  std::uint32_t memory_kib = 256 * 1024;
  friend bool operator==(const Argon2Parameters&, const Argon2Parameters&) = default;
};

// Stored parameters are hostile input: below the floor they would weaken the passphrase, above the
// ceiling they would exhaust the machine. Both are kCorrupt.
inline constexpr Argon2Parameters kArgon2Floor{2, 64 * 1024};
inline constexpr Argon2Parameters kArgon2Ceiling{64, 4 * 1024 * 1024};
Result<void> check_argon2(const Argon2Parameters& parameters);

// kCorrupt for parameters out of bounds, kUnavailable when the memory cannot be had.
Result<UnlockKey> derive_from_passphrase(ByteView passphrase, const Argon2Salt& salt,
                                         const Argon2Parameters& parameters);

}  // namespace quietus
