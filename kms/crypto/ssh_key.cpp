#include "crypto/ssh_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/signature.hpp"

namespace quietus {
namespace {

using EvpPublicKey = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, OpensslDeleter<EVP_PKEY_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, OpensslDeleter<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, OpensslDeleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, OpensslDeleter<OSSL_PARAM_free>>;
using EcdsaPair = std::unique_ptr<ECDSA_SIG, OpensslDeleter<ECDSA_SIG_free>>;

constexpr int kMinRsaBits = 3072;
constexpr int kMaxRsaBits = 16384;
constexpr std::size_t kEd25519Size = 32;
constexpr std::uint8_t kTouchedFlag = 0x01;
constexpr std::uint8_t kVerifiedFlag = 0x04;

struct TypeRow {
  SshKeyType type;
  std::string_view name;
  std::string_view curve;  // in the wire format; empty: none
  const char* group;       // as OpenSSL names the curve
  std::size_t point;       // bytes of an uncompressed point
};
constexpr std::array kTypes{
    TypeRow{SshKeyType::kEd25519, "ssh-ed25519", "", nullptr, 0},
    TypeRow{SshKeyType::kEcdsaP256, "ecdsa-sha2-nistp256", "nistp256", "P-256", 65},
    TypeRow{SshKeyType::kEcdsaP384, "ecdsa-sha2-nistp384", "nistp384", "P-384", 97},
    TypeRow{SshKeyType::kRsa, "ssh-rsa", "", nullptr, 0},
    TypeRow{SshKeyType::kSecurityEd25519, "sk-ssh-ed25519@openssh.com", "", nullptr, 0},
    TypeRow{SshKeyType::kSecurityEcdsa, "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", "P-256",
            65},
};

const TypeRow& row_of(SshKeyType type) {
  return *std::ranges::find(kTypes, type, &TypeRow::type);
}

Error bad_key(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "SSH public key: " + what};
}

// What is in the wire format of a key, borrowed from it.
struct KeyParts {
  const TypeRow* row = nullptr;
  ByteView point;  // of a curve, or an Ed25519 key
  ByteView exponent;
  ByteView modulus;
  std::string_view application;
};

// RFC 4251, section 5: no zero in front but where the sign needs it, and never negative.
bool is_positive_number(ByteView mpint) {
  if (mpint.empty() || (mpint[0] & 0x80) != 0) return false;
  if (mpint[0] != 0) return true;
  return mpint.size() > 1 && (mpint[1] & 0x80) != 0;
}

BigNumber number_of(ByteView mpint) {
  BigNumber number(BN_bin2bn(mpint.data(), static_cast<int>(mpint.size()), nullptr));
  if (!number) throw std::bad_alloc();
  return number;
}

Result<KeyParts> parts_of(ByteView wire) {
  if (wire.size() > kMaxSshKey) return bad_key("too long");
  ByteReader in(wire);
  KeyParts parts;
  const std::string_view name = in.text(kMaxSshKey);
  const auto row = std::ranges::find(kTypes, name, &TypeRow::name);
  if (row == kTypes.end())
    return bad_key(name.find("-cert-") != std::string_view::npos
                       ? "a certificate, which is not taken; give the key itself"
                       : "of a type that is not known here");
  parts.row = &*row;
  if (row->type == SshKeyType::kRsa) {
    parts.exponent = in.field(kMaxSshKey);
    parts.modulus = in.field(kMaxSshKey);
  } else {
    if (!row->curve.empty() && in.text(kMaxSshKey) != row->curve) in.fail();
    parts.point = in.field(kMaxSshKey);
  }
  if (row->type == SshKeyType::kSecurityEd25519 || row->type == SshKeyType::kSecurityEcdsa)
    parts.application = in.text(kMaxSshKey);
  if (!in.done()) return bad_key("malformed");
  return parts;
}

Result<void> check_rsa(const KeyParts& parts) {
  if (!is_positive_number(parts.exponent) || !is_positive_number(parts.modulus))
    return bad_key("malformed");
  const BigNumber modulus = number_of(parts.modulus);
  const BigNumber exponent = number_of(parts.exponent);
  const int bits = BN_num_bits(modulus.get());
  if (bits < kMinRsaBits || bits > kMaxRsaBits)
    return bad_key("RSA of " + std::to_string(bits) + " bits; 3072 to 16384 are taken");
  // FIPS 186-5: odd, above 2^16.
  if (BN_is_odd(exponent.get()) == 0 || BN_num_bits(exponent.get()) < 17 ||
      BN_num_bits(exponent.get()) > 256)
    return bad_key("RSA with an exponent that is not taken");
  return {};
}

EvpPublicKey import_key(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  if (!params || !context) throw std::bad_alloc();
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return EvpPublicKey(key);
}

// Nothing when the point is not one of the curve.
EvpPublicKey ec_key(const KeyParts& parts) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, parts.row->group,
                                      0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, parts.point.data(),
                                       parts.point.size()) != 1)
    throw std::bad_alloc();
  return import_key("EC", builder.get());
}

EvpPublicKey rsa_key(const KeyParts& parts) {
  const BigNumber modulus = number_of(parts.modulus);
  const BigNumber exponent = number_of(parts.exponent);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
    throw std::bad_alloc();
  return import_key("RSA", builder.get());
}

bool verify_evp(EVP_PKEY* key, const EVP_MD* digest, ByteView message, ByteView signature) {
  const DigestContext context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

// mpint r, mpint s.
bool verify_ecdsa(const KeyParts& parts, ByteView message, ByteView pair) {
  ByteReader in(pair);
  const ByteView r = in.field(kMaxSshSignature);
  const ByteView s = in.field(kMaxSshSignature);
  if (!in.done() || !is_positive_number(r) || !is_positive_number(s)) return false;
  const EcdsaPair numbers(ECDSA_SIG_new());
  BigNumber r_number = number_of(r);
  BigNumber s_number = number_of(s);
  if (!numbers) throw std::bad_alloc();
  if (ECDSA_SIG_set0(numbers.get(), r_number.get(), s_number.get()) != 1) return false;
  static_cast<void>(r_number.release());
  static_cast<void>(s_number.release());
  const int size = i2d_ECDSA_SIG(numbers.get(), nullptr);
  if (size <= 0) return false;
  Bytes der(static_cast<std::size_t>(size));
  std::uint8_t* out = der.data();
  if (i2d_ECDSA_SIG(numbers.get(), &out) != size) return false;
  const EvpPublicKey key = ec_key(parts);
  const EVP_MD* const digest =
      parts.row->type == SshKeyType::kEcdsaP384 ? EVP_sha384() : EVP_sha256();
  return key && verify_evp(key.get(), digest, message, der);
}

bool verify_ed25519(const KeyParts& parts, ByteView message, ByteView signature) {
  Ed25519PublicKey key{};
  std::ranges::copy(parts.point, key.begin());
  return ed25519_verify(key, message, signature);
}

// As long as the modulus, as RFC 8332 has it.
bool verify_rsa(const KeyParts& parts, std::string_view name, ByteView message,
                ByteView signature) {
  const EVP_MD* digest = nullptr;
  if (name == "rsa-sha2-512") digest = EVP_sha512();
  if (name == "rsa-sha2-256") digest = EVP_sha256();
  if (digest == nullptr) return false;
  const EvpPublicKey key = rsa_key(parts);
  return key && signature.size() == static_cast<std::size_t>(EVP_PKEY_get_size(key.get())) &&
         verify_evp(key.get(), digest, message, signature);
}

Bytes signed_by_device(const KeyParts& parts, std::uint8_t flags, std::uint32_t counter,
                       ByteView message) {
  return ByteWriter()
      .raw(sha256(as_bytes(parts.application)))
      .u8(flags)
      .u32(counter)
      .raw(sha256(message))
      .take();
}

Error bad_signature() {
  return unverified("SSH signature: it does not verify");
}

Result<SshPresence> verify_security_key(const KeyParts& parts, ByteReader& in, ByteView message,
                                        ByteView signature) {
  const std::uint8_t flags = in.u8();
  SshPresence presence;
  presence.counter = in.u32();
  if (!in.done()) return bad_signature();
  const Bytes covered = signed_by_device(parts, flags, presence.counter, message);
  const bool holds = parts.row->type == SshKeyType::kSecurityEd25519
                         ? verify_ed25519(parts, covered, signature)
                         : verify_ecdsa(parts, covered, signature);
  if (!holds) return bad_signature();
  presence.touched = (flags & kTouchedFlag) != 0;
  presence.verified = (flags & kVerifiedFlag) != 0;
  return presence;
}

}  // namespace

std::string_view name_of(SshKeyType type) noexcept {
  return row_of(type).name;
}

Result<SshPublicKey> parse_ssh_key(ByteView wire) {
  QUIETUS_TRY_AS(const KeyParts parts, parts_of(wire));
  const TypeRow& row = *parts.row;
  if (row.type == SshKeyType::kRsa) {
    QUIETUS_TRY(check_rsa(parts));
  } else if (row.group != nullptr) {
    if (parts.point.size() != row.point || !ec_key(parts)) return bad_key("no point of its curve");
  } else if (parts.point.size() != kEd25519Size) {
    return bad_key("malformed");
  }
  return SshPublicKey{row.type, Bytes(wire.begin(), wire.end())};
}

std::string ssh_fingerprint(const SshPublicKey& key) {
  std::string text = to_base64(sha256(key.wire));
  text.erase(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

std::optional<Bytes> ssh_message_hash(std::string_view algorithm, ByteView message) {
  const EVP_MD* digest = nullptr;
  if (algorithm == "sha512") digest = EVP_sha512();
  if (algorithm == "sha256") digest = EVP_sha256();
  if (digest == nullptr) return std::nullopt;
  Bytes hash(static_cast<std::size_t>(EVP_MD_get_size(digest)));
  if (EVP_Digest(message.data(), message.size(), hash.data(), nullptr, digest, nullptr) != 1)
    throw std::bad_alloc();
  return hash;
}

Result<SshPresence> verify_ssh(const SshPublicKey& key, ByteView message, ByteView signature) {
  QUIETUS_TRY_AS(const KeyParts parts, parts_of(key.wire));
  if (signature.size() > kMaxSshSignature) return bad_signature();
  ByteReader in(signature);
  const std::string_view name = in.text(kMaxSshSignature);
  const ByteView content = in.field(kMaxSshSignature);
  if (in.failed()) return bad_signature();
  if (key.is_security_key())
    return name == parts.row->name ? verify_security_key(parts, in, message, content)
                                   : bad_signature();
  if (!in.done()) return bad_signature();
  bool holds = false;
  if (key.type == SshKeyType::kRsa)
    holds = verify_rsa(parts, name, message, content);
  else if (name == parts.row->name)
    holds = key.type == SshKeyType::kEd25519 ? verify_ed25519(parts, message, content)
                                             : verify_ecdsa(parts, message, content);
  if (!holds) return bad_signature();
  return SshPresence{};
}

}  // namespace quietus
