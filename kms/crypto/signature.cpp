#include "crypto/signature.hpp"

#include <sodium.h>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "crypto/precondition.hpp"

namespace quietus {
namespace {

// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes, no unused bits }, RFC 8410
// section 4. The key follows; nothing in front of it ever varies.
constexpr std::array<std::uint8_t, 12> kSpkiPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::string_view kPemBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kPemEnd = "-----END PUBLIC KEY-----";
constexpr std::string_view kBlank = " \t\r\n";

// libsodium's private key is seed || public key.
template <class F>
void with_key_pair(const SigningKey& seed, F&& use) {
  StackSecret<crypto_sign_ed25519_SECRETKEYBYTES> secret;
  Ed25519PublicKey public_key{};
  seed.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    crypto_sign_ed25519_seed_keypair(public_key.data(), secret.bytes().data(), bytes.data());
  });
  std::forward<F>(use)(secret.bytes(), public_key);
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// The text between the two boundary lines, without its line ends; empty when it is not such a text.
std::string pem_body(std::string_view pem) {
  pem = trim(pem);
  if (pem.size() < kPemBegin.size() + kPemEnd.size() || !pem.starts_with(kPemBegin) ||
      !pem.ends_with(kPemEnd))
    return {};
  pem.remove_prefix(kPemBegin.size());
  pem.remove_suffix(kPemEnd.size());
  std::string body;
  std::copy_if(pem.begin(), pem.end(), std::back_inserter(body),
               [](char c) { return c != '\r' && c != '\n'; });
  return body;
}

}  // namespace

Ed25519PublicKey ed25519_public_key(const SigningKey& seed) {
  Ed25519PublicKey result{};
  with_key_pair(seed, [&](ByteView, const Ed25519PublicKey& key) { result = key; });
  return result;
}

Ed25519Signature ed25519_sign(const SigningKey& seed, ByteView message) {
  Ed25519Signature signature{};
  with_key_pair(seed, [&](ByteView secret, const Ed25519PublicKey&) {
    require(crypto_sign_ed25519_detached(signature.data(), nullptr, message.data(), message.size(),
                                         secret.data()) == 0);
  });
  return signature;
}

bool ed25519_verify(const Ed25519PublicKey& key, ByteView message, ByteView signature) {
  return signature.size() == crypto_sign_ed25519_BYTES &&
         crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(),
                                             key.data()) == 0;
}

std::string ed25519_to_pem(const Ed25519PublicKey& key) {
  Bytes der(kSpkiPrefix.begin(), kSpkiPrefix.end());
  der.insert(der.end(), key.begin(), key.end());
  std::string pem(kPemBegin);
  return pem.append("\n").append(to_base64(der)).append("\n").append(kPemEnd).append("\n");
}

Result<Ed25519PublicKey> ed25519_from_pem(std::string_view pem) {
  Ed25519PublicKey key{};
  const std::optional<Bytes> der = from_base64(pem_body(pem));
  if (!der || der->size() != kSpkiPrefix.size() + key.size() ||
      !std::equal(kSpkiPrefix.begin(), kSpkiPrefix.end(), der->begin()))
    return Error(ErrorCode::kInvalidArgument, "not an Ed25519 public key in PEM");
  std::copy_n(der->end() - std::ptrdiff_t{key.size()}, key.size(), key.begin());
  return key;
}

}  // namespace quietus
