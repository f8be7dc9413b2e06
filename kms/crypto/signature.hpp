// Ed25519 signatures (RFC 8032).
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/labels.hpp"

namespace quietus {

using Ed25519PublicKey = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, 64>;

// The public half of the key whose seed is `seed`.
Ed25519PublicKey ed25519_public_key(const SigningKey& seed);
Ed25519Signature ed25519_sign(const SigningKey& seed, ByteView message);
// False for every malformed input, small-order points and non-canonical S included.
bool ed25519_verify(const Ed25519PublicKey& key, ByteView message, ByteView signature);

// SubjectPublicKeyInfo in PEM (RFC 8410), as openssl reads it; and back, Ed25519 only.
std::string ed25519_to_pem(const Ed25519PublicKey& key);
Result<Ed25519PublicKey> ed25519_from_pem(std::string_view pem);  // kInvalidArgument

}  // namespace quietus
