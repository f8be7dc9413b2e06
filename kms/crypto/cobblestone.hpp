// Large objects: C2SP chunked-encryption, suite AEAD_AES_256_GCM with HKDF-SHA512
// ("Cobblestone-256", C2SP/C2SP 5ba5ee8). Constant memory, random access, committing to key and
// context, truncation evident.
//
//   header   salt (24) || commitment (32)
//   chunk k  16,384 bytes of plaintext + 16 of tag, nonce = base nonce XOR k; the last chunk is
//   always
//            shorter than 16,384 (it may be empty)
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>

#include "base/secret.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"

namespace quietus::cobblestone {

inline constexpr std::size_t kHeaderSize = 56;
inline constexpr std::size_t kChunkSize = 16384;  // plaintext
inline constexpr std::size_t kSealedChunkSize = kChunkSize + kTagSize;

using Header = std::array<std::uint8_t, kHeaderSize>;

// Bytes of header and chunks together for a plaintext of that size.
std::uint64_t sealed_size(std::uint64_t plaintext_size);
// kCorrupt when no plaintext has that sealed size.
Result<std::uint64_t> plaintext_size(std::uint64_t sealed_size);

// Seals or opens the chunks of one object. Holds the object's key in guarded memory.
class Object {
 public:
  // A fresh random salt. `context` binds the object to where it belongs.
  static Object create(const RecordKey& key, ByteView context);
  static Object create(const EnvelopeKey& key, ByteView context);
  // As create, with a given salt: tests only.
  static Object create_with_salt(ByteView key, ByteView context,
                                 std::span<const std::uint8_t, 24> salt);
  // Checks the commitment in constant time before any chunk. kCorrupt.
  static Result<Object> open(ByteView key, ByteView context, const Header& header);

  const Header& header() const noexcept { return header_; }

  // Requires: plaintext at most kChunkSize bytes, exactly kChunkSize unless it is the last chunk,
  // and less for the last; out is 16 bytes longer; index below 2^38.
  void seal_chunk(GcmContext& context, std::uint64_t index, ByteView plaintext,
                  MutableBytes out) const;
  // kCorrupt; `out` is zero then. Requires: out is 16 bytes shorter than sealed.
  Result<void> open_chunk(GcmContext& context, std::uint64_t index, ByteView sealed,
                          MutableBytes out) const;

 private:
  Object() = default;
  Header header_{};
  SecretBuffer key_;
  std::array<std::uint8_t, kGcmNonceSize> base_nonce_{};
};

}  // namespace quietus::cobblestone
