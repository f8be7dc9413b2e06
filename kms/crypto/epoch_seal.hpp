// Seals a root key to the public key of one epoch of an escrow ring. Whoever seals needs no secret
// and keeps none; once the private half of the epoch is destroyed, nobody opens.
//
//   offset  size
//        0     1  algorithm: 01 is X25519, HKDF-SHA256, XAES-256-GCM
//        1    32  ephemeral public key
//       33    24  nonce
//       57    32  ciphertext of the root key
//       89    16  tag
//
//   shared secret   = X25519(ephemeral private key, epoch's public key), RFC 7748
//   key             = HKDF-SHA256(shared secret, no salt, info "quietus/v1/epoch-seal" || 00 ||
//                     algorithm (1) || epoch id (16) || ephemeral public key (32) ||
//                     epoch's public key (32)), 32 bytes
//   associated data = "quietus/v1/ad/epoch-seal" || 00 || the caller's
//
// Another algorithm, a hybrid with a post-quantum one for example, gets another first byte; what
// follows is its own.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <span>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"

namespace quietus {

using X25519PublicKey = std::array<std::uint8_t, 32>;

inline constexpr std::size_t kEpochSealSize =
    1 + sizeof(X25519PublicKey) + kKeySize + kSealOverhead;

// The public half, as a ring file publishes it.
struct EpochPublicKey {
  EpochId id{};
  X25519PublicKey key{};

  bool operator==(const EpochPublicKey&) const = default;
};

struct EpochKeyPair {
  EpochPublicKey public_key;
  EpochPrivateKey private_key;
};

// A new epoch: random id, random key.
EpochKeyPair make_epoch_key_pair();
// The private half of the epoch that a scope of a recovery site was made for. It is stored nowhere:
// it lives as long as the scope's lasting line, and dies with it.
EpochPrivateKey epoch_key_of(const LastingKey& scope, const EpochId& epoch);
// The public half of `key`.
X25519PublicKey epoch_public_key(const EpochPrivateKey& key);

// False for what seal_to_epoch() refuses: encodings that no private key has (u not below 2^255-19)
// and points of small order, whose shared secrets anybody knows.
bool is_x25519_public_key(const X25519PublicKey& key) noexcept;

// Under a fresh ephemeral key, which is wiped at once; so is what `context` keeps of the sealing
// key. kInvalidArgument for a key that is_x25519_public_key() refuses.
Result<Bytes> seal_to_epoch(GcmContext& context, const EpochPublicKey& epoch,
                            ByteView associated_data, const RootKey& root_key);
// kUnsupported for another algorithm; kCorrupt for everything else that is not what was sealed, to
// this epoch and with this associated data.
Result<RootKey> open_with_epoch(GcmContext& context, const EpochId& epoch,
                                const EpochPrivateKey& key, ByteView associated_data,
                                ByteView sealed);

// X25519 (RFC 7748 section 5), visible so that the published vectors can be tested. False, and
// `shared` is all zero, when the result would be all zero.
bool x25519(std::span<const std::uint8_t, kKeySize> scalar, const X25519PublicKey& point,
            std::span<std::uint8_t, kKeySize> shared) noexcept;

}  // namespace quietus
