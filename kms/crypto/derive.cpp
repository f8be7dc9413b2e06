#include "crypto/derive.hpp"

#include <sodium.h>

#include <algorithm>
#include <initializer_list>

#include "crypto/precondition.hpp"

namespace quietus {
namespace {

// One shape for libsodium's two HMAC families. The state is as secret as the key.
template <class State, std::size_t Size, auto Init, auto Update, auto Final>
class Hmac {
 public:
  static constexpr std::size_t kSize = Size;

  explicit Hmac(ByteView key) {
    static constexpr std::uint8_t kNoKey = 0;  // libsodium takes no null pointer
    Init(&state_, key.empty() ? &kNoKey : key.data(), key.size());
  }
  ~Hmac() { sodium_memzero(&state_, sizeof state_); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  void update(ByteView bytes) { Update(&state_, bytes.data(), bytes.size()); }
  void finish(std::span<std::uint8_t, Size> out) { Final(&state_, out.data()); }

 private:
  State state_;
};

using HmacSha256 =
    Hmac<crypto_auth_hmacsha256_state, crypto_auth_hmacsha256_BYTES, crypto_auth_hmacsha256_init,
         crypto_auth_hmacsha256_update, crypto_auth_hmacsha256_final>;
using HmacSha512 =
    Hmac<crypto_auth_hmacsha512_state, crypto_auth_hmacsha512_BYTES, crypto_auth_hmacsha512_init,
         crypto_auth_hmacsha512_update, crypto_auth_hmacsha512_final>;

// HKDF-Expand, RFC 5869 section 2.3: T(n) = HMAC(key, T(n-1) || info || n), and the output is
// T(1) || T(2) || … as far as it is wanted.
template <class H>
void expand(ByteView key, std::initializer_list<ByteView> info, MutableBytes out) {
  require(out.size() <= 255 * H::kSize);
  StackSecret<H::kSize> block;
  ByteView previous;
  for (std::uint8_t counter = 1; !out.empty(); ++counter) {
    H hmac(key);
    hmac.update(previous);
    for (const ByteView part : info) hmac.update(part);
    hmac.update({&counter, 1});
    hmac.finish(block.bytes());
    previous = block.bytes();
    const std::size_t wanted = std::min(out.size(), H::kSize);
    std::copy_n(previous.begin(), wanted, out.begin());
    out = out.subspan(wanted);
  }
}

}  // namespace

void hkdf_sha256(ByteView key_material, ByteView salt, ByteView info, MutableBytes out) {
  StackSecret<HmacSha256::kSize> extracted;
  HmacSha256 extract(salt);
  extract.update(key_material);
  extract.finish(extracted.bytes());
  hkdf_expand_sha256(extracted.bytes(), info, out);
}

void hkdf_expand_sha256(ByteView pseudorandom_key, ByteView info, MutableBytes out) {
  expand<HmacSha256>(pseudorandom_key, {info}, out);
}

void hkdf_expand_sha512(ByteView pseudorandom_key, ByteView info, MutableBytes out) {
  expand<HmacSha512>(pseudorandom_key, {info}, out);
}

void expand_labelled(ByteView key, std::string_view label, ByteView context, MutableBytes out) {
  const std::uint8_t separator = 0;
  expand<HmacSha256>(key, {as_bytes(label), {&separator, 1}, context}, out);
}

Prf128 prf128_bytes(std::span<const std::uint8_t, kKeySize> key, ByteView input) {
  Prf128 out{};
  require(crypto_generichash_blake2b(out.data(), out.size(), input.data(), input.size(), key.data(),
                                     key.size()) == 0);
  return out;
}

Mac hmac_sha256(ByteView key, ByteView message) {
  Mac mac{};
  HmacSha256 hmac(key);
  hmac.update(message);
  hmac.finish(mac);
  return mac;
}

}  // namespace quietus
