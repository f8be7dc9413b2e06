// Authenticated encryption. AES-256-GCM engines are interchangeable behind GcmEngine (OpenSSL
// today); XAES-256-GCM (C2SP XAES-256-GCM v1.0.1) stands on top of an engine and takes random
// 192-bit nonces.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/secret.hpp"

namespace quietus {

inline constexpr std::size_t kTagSize = 16;        // bytes
inline constexpr std::size_t kGcmNonceSize = 12;   // bytes
inline constexpr std::size_t kXaesNonceSize = 24;  // bytes
// NIST SP 800-38D: at most 2^36-32 bytes of plaintext under one key and nonce.
inline constexpr std::uint64_t kMaxGcmPlaintext = (std::uint64_t{1} << 36) - 32;

using XaesNonce = std::array<std::uint8_t, kXaesNonceSize>;

// Working memory of one engine for one thread at a time: expanded keys and the like. It keeps the
// key of the last message until forget() or the end of its life.
class GcmContext {
 public:
  virtual ~GcmContext() = default;

  // ciphertext = plaintext.size() bytes, then the tag. Requires: out.size() == plaintext.size() +
  // 16; out may be plaintext's own buffer; at most kMaxGcmPlaintext bytes of plaintext.
  virtual void seal(std::span<const std::uint8_t, 32> key,
                    std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
                    ByteView plaintext, MutableBytes out) = 0;

  // Requires: out.size() + 16 == sealed.size(). On kCorrupt `out` is all zero. One code for every
  // failure of authentication. Sealed shorter than a tag is kCorrupt. kInvalidArgument, and nothing
  // is touched, above kMaxGcmPlaintext.
  virtual Result<void> open(std::span<const std::uint8_t, 32> key,
                            std::span<const std::uint8_t, kGcmNonceSize> nonce, ByteView associated,
                            ByteView sealed, MutableBytes out) = 0;

  // AES-256-ECB of whole 16-byte blocks; only for the derivation inside XAES-256-GCM.
  virtual void encrypt_blocks(std::span<const std::uint8_t, 32> key, ByteView in,
                              MutableBytes out) = 0;

  // Wipes every key the context still holds.
  virtual void forget() noexcept = 0;
};

class GcmEngine {
 public:
  virtual ~GcmEngine() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual std::unique_ptr<GcmContext> make_context() const = 0;
};

// The reference engine. Thread-safe, lives for ever.
const GcmEngine& openssl_engine() noexcept;

// Every engine that this build and this processor offer, the reference first.
std::span<const GcmEngine* const> all_engines() noexcept;

// The derivation of XAES-256-GCM, visible so that the published intermediates can be tested.
struct XaesSubkey {
  StackSecret<32> key;  // Kx; the GCM nonce is the last 12 bytes of the XAES nonce
};
void xaes_derive(GcmContext& context, std::span<const std::uint8_t, 32> key,
                 std::span<const std::uint8_t, 12> nonce_head, XaesSubkey& out);

// Seals under a nonce that the caller drew at random for this one message (random_bytes). `out`
// holds plaintext.size() + 16 bytes.
void xaes_seal(GcmContext& context, std::span<const std::uint8_t, 32> key, const XaesNonce& nonce,
               ByteView associated, ByteView plaintext, MutableBytes out);
Result<void> xaes_open(GcmContext& context, std::span<const std::uint8_t, 32> key,
                       const XaesNonce& nonce, ByteView associated, ByteView sealed,
                       MutableBytes out);

// The same under a fresh random nonce which stands in front: nonce (24) || ciphertext || tag (16).
inline constexpr std::size_t kSealOverhead = kXaesNonceSize + kTagSize;
Bytes xaes_seal_random(GcmContext& context, std::span<const std::uint8_t, 32> key,
                       ByteView associated, ByteView plaintext);
// The plaintext, for rows that are not secret once opened. kCorrupt.
Result<Bytes> xaes_open_random(GcmContext& context, std::span<const std::uint8_t, 32> key,
                               ByteView associated, ByteView sealed);

}  // namespace quietus
