// Key derivation: HKDF-SHA256 (RFC 5869) under the labels of labels.hpp, and the keyed PRF for
// names.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <span>

#include "base/secret.hpp"
#include "crypto/labels.hpp"

namespace quietus {

// HKDF-Extract then HKDF-Expand, SHA-256 (RFC 5869 sections 2.2, 2.3). Requires: out at most 8,160
// B.
void hkdf_sha256(ByteView key_material, ByteView salt, ByteView info, MutableBytes out);
// HKDF-Expand alone, for key material that is already uniform.
void hkdf_expand_sha256(ByteView pseudorandom_key, ByteView info, MutableBytes out);
void hkdf_expand_sha512(ByteView pseudorandom_key, ByteView info, MutableBytes out);

void expand_labelled(ByteView key, std::string_view label, ByteView context, MutableBytes out);

// The child key at the end of `edge`. `context` binds it further (ids); HKDF-Expand, label || 00 ||
// context, 32 bytes.
template <class From, class To>
Key<To> derive(const Edge<From, To>& edge, const Key<From>& parent, ByteView context = {}) {
  return Key<To>::make([&](std::span<std::uint8_t, kKeySize> out) {
    parent.expose([&](std::span<const std::uint8_t, kKeySize> key) {
      expand_labelled(key, edge.label, context, out);
    });
  });
}

using KeyCommitment = std::array<std::uint8_t, 32>;

// A public value that fixes the key: HKDF-Expand(key, "quietus/v1/key-commitment" || 00 || key id).
template <class Role>
KeyCommitment commit_to(const Key<Role>& key, ByteView key_id) {
  KeyCommitment commitment;
  key.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    expand_labelled(bytes, labels::kKeyCommitment, key_id, commitment);
  });
  return commitment;
}

using Prf128 = std::array<std::uint8_t, 16>;

// Keyed BLAKE2b-128 (RFC 7693): what stands for a name where the name must not be seen.
template <class Role>
Prf128 prf128(const Key<Role>& key, ByteView input);

Prf128 prf128_bytes(std::span<const std::uint8_t, kKeySize> key, ByteView input);

template <class Role>
Prf128 prf128(const Key<Role>& key, ByteView input) {
  return key.expose(
      [&](std::span<const std::uint8_t, kKeySize> bytes) { return prf128_bytes(bytes, input); });
}

// HMAC-SHA256 (RFC 2104), for rows and files that are authenticated but not secret.
using Mac = std::array<std::uint8_t, 32>;
Mac hmac_sha256(ByteView key, ByteView message);

}  // namespace quietus
