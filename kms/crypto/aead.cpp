#include "crypto/aead.hpp"

#include <algorithm>

#include "crypto/random.hpp"
#include "crypto/xaes_steps.hpp"

namespace quietus {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kNonceHead = kXaesNonceSize - kGcmNonceSize;

// Doubling in GF(2^128) with the polynomial x^128 + x^7 + x^2 + x + 1, without a branch on the
// secret.
void double_block(std::span<const std::uint8_t, kBlock> in, std::span<std::uint8_t, kBlock> out) {
  unsigned carry = 0;
  for (std::size_t i = kBlock; i-- > 0;) {
    const unsigned shifted = unsigned{in[i]} << 1 | carry;
    out[i] = static_cast<std::uint8_t>(shifted);
    carry = shifted >> 8;
  }
  out[kBlock - 1] = static_cast<std::uint8_t>(out[kBlock - 1] ^ carry * 0x87U);
}

std::array<std::uint8_t, kBlock> counter_block(std::uint8_t counter,
                                               std::span<const std::uint8_t, kNonceHead> head) {
  std::array<std::uint8_t, kBlock> block{0, counter, 'X', 0};
  std::copy(head.begin(), head.end(), block.begin() + 4);
  return block;
}

}  // namespace

std::span<const GcmEngine* const> all_engines() noexcept {
  static const std::array<const GcmEngine*, 1> engines{&openssl_engine()};
  return engines;
}

void xaes_steps(GcmContext& context, std::span<const std::uint8_t, 32> key,
                std::span<const std::uint8_t, 12> nonce_head, XaesSteps& out) {
  constexpr std::array<std::uint8_t, kBlock> kZero{};
  context.encrypt_blocks(key, kZero, out.l.bytes());
  double_block(out.l.bytes(), out.k1.bytes());
  out.m1 = counter_block(1, nonce_head);
  out.m2 = counter_block(2, nonce_head);
}

void xaes_derive(GcmContext& context, std::span<const std::uint8_t, 32> key,
                 std::span<const std::uint8_t, 12> nonce_head, XaesSubkey& out) {
  XaesSteps steps;
  xaes_steps(context, key, nonce_head, steps);
  StackSecret<2 * kBlock> masked;
  const auto k1 = steps.k1.bytes();
  for (std::size_t i = 0; i < kBlock; ++i) {
    masked.bytes()[i] = steps.m1[i] ^ k1[i];
    masked.bytes()[kBlock + i] = steps.m2[i] ^ k1[i];
  }
  context.encrypt_blocks(key, masked.bytes(), out.key.bytes());
}

void xaes_seal(GcmContext& context, std::span<const std::uint8_t, 32> key, const XaesNonce& nonce,
               ByteView associated, ByteView plaintext, MutableBytes out) {
  const std::span<const std::uint8_t, kXaesNonceSize> whole(nonce);
  XaesSubkey subkey;
  xaes_derive(context, key, whole.first<kNonceHead>(), subkey);
  context.seal(subkey.key.bytes(), whole.last<kGcmNonceSize>(), associated, plaintext, out);
}

Result<void> xaes_open(GcmContext& context, std::span<const std::uint8_t, 32> key,
                       const XaesNonce& nonce, ByteView associated, ByteView sealed,
                       MutableBytes out) {
  const std::span<const std::uint8_t, kXaesNonceSize> whole(nonce);
  XaesSubkey subkey;
  xaes_derive(context, key, whole.first<kNonceHead>(), subkey);
  return context.open(subkey.key.bytes(), whole.last<kGcmNonceSize>(), associated, sealed, out);
}

Bytes xaes_seal_random(GcmContext& context, std::span<const std::uint8_t, 32> key,
                       ByteView associated, ByteView plaintext) {
  XaesNonce nonce{};
  random_bytes(nonce);
  Bytes sealed(plaintext.size() + kSealOverhead);
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  xaes_seal(context, key, nonce, associated, plaintext,
            MutableBytes(sealed).subspan(kXaesNonceSize));
  return sealed;
}

Result<Bytes> xaes_open_random(GcmContext& context, std::span<const std::uint8_t, 32> key,
                               ByteView associated, ByteView sealed) {
  if (sealed.size() < kSealOverhead) return Error(ErrorCode::kCorrupt, "sealed bytes too short");
  XaesNonce nonce{};
  std::copy_n(sealed.begin(), kXaesNonceSize, nonce.begin());
  Bytes plaintext(sealed.size() - kSealOverhead);
  QUIETUS_TRY(
      xaes_open(context, key, nonce, associated, sealed.subspan(kXaesNonceSize), plaintext));
  return plaintext;
}

}  // namespace quietus
