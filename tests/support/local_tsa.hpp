// A time-stamping authority for tests. Its tokens are made with OpenSSL's CMS functions and not
// with those of its own authority, so that it can also make what an honest one never would.
#pragma once

#include <openssl/cms.h>
#include <openssl/ess.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crypto/hash.hpp"
#include "crypto/openssl_handles.hpp"

namespace quietus::test {

inline constexpr std::int64_t kTsaNow = 1772368205;  // 2026-03-01T12:30:05Z
inline constexpr std::int64_t kDay = 86400;

using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using TestCertificate = std::unique_ptr<X509, OpensslDeleter<X509_free>>;

// A certificate and its key (P-256).
struct Party {
  PrivateKey key;
  TestCertificate certificate;
};

struct PartyOptions {
  std::string name;
  std::vector<std::pair<int, const char*>> extensions;
  std::int64_t begins = kTsaNow - kDay;  // Unix seconds
  std::int64_t ends = kTsaNow + kDay;
  const EVP_MD* digest = EVP_sha256();
};

inline void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  using Extension = std::unique_ptr<X509_EXTENSION, OpensslDeleter<X509_EXTENSION_free>>;
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
  REQUIRE(extension != nullptr);
  REQUIRE(X509_add_ext(certificate, extension.get(), -1) == 1);
}

inline void set_common_name(X509_NAME* name, const std::string& text) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  REQUIRE(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, bytes,
                                     static_cast<int>(text.size()), -1, 0) == 1);
}

// Signed by itself without an issuer.
inline Party make_party(const PartyOptions& options, const Party* issuer = nullptr) {
  static long serial = 0;
  Party party{PrivateKey(EVP_EC_gen("P-256")), TestCertificate(X509_new())};
  X509* const certificate = party.certificate.get();
  X509* const signer = issuer == nullptr ? certificate : issuer->certificate.get();
  REQUIRE(X509_set_version(certificate, X509_VERSION_3) == 1);
  REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1);
  REQUIRE(ASN1_TIME_set(X509_getm_notBefore(certificate), options.begins) != nullptr);
  REQUIRE(ASN1_TIME_set(X509_getm_notAfter(certificate), options.ends) != nullptr);
  REQUIRE(X509_set_pubkey(certificate, party.key.get()) == 1);
  set_common_name(X509_get_subject_name(certificate), options.name);
  REQUIRE(X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1);
  // Roots of one name are told apart by these.
  add_extension(certificate, signer, NID_subject_key_identifier, "hash");
  add_extension(certificate, signer, NID_authority_key_identifier, "keyid");
  for (const auto& [id, value] : options.extensions) add_extension(certificate, signer, id, value);
  EVP_PKEY* const signing = issuer == nullptr ? party.key.get() : issuer->key.get();
  REQUIRE(X509_sign(certificate, signing, options.digest) > 0);
  return party;
}

inline std::string to_pem(const Party& party) {
  const std::unique_ptr<BIO, OpensslDeleter<BIO_free>> out(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_X509(out.get(), party.certificate.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// What a token says, and how it is made.
struct TokenOptions {
  std::string time = "20260301123005Z";
  const char* policy = "1.3.6.1.4.1.99999.1";
  long version = 1;
  int hash = NID_sha256;
  int content_type = NID_id_smime_ct_TSTInfo;
  std::string authority;  // what TSTInfo names; nothing when empty
  long accuracy_seconds = 0;
  const ASN1_INTEGER* nonce = nullptr;
  const EVP_MD* digest = EVP_sha256();
  unsigned flags = CMS_CADES;
};

class LocalTsa {
 public:
  using Extensions = std::vector<std::pair<int, const char*>>;
  static Extensions ca_extensions() {
    return {{NID_basic_constraints, "critical,CA:TRUE"},
            {NID_key_usage, "critical,keyCertSign,cRLSign"}};
  }
  static Extensions tsa_extensions(const char* purposes = "critical,timeStamping") {
    return {{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, purposes}};
  }

  LocalTsa() : LocalTsa({"Test TSA", tsa_extensions()}) {}
  explicit LocalTsa(const PartyOptions& tsa)
      : root_(make_party({"Test Root", ca_extensions(), kTsaNow - 9 * kDay, kTsaNow + 9 * kDay})),
        tsa_(make_party(tsa, &root_)) {}
  LocalTsa(Party root, Party tsa) : root_(std::move(root)), tsa_(std::move(tsa)) {}

  std::string ca_pem() const { return to_pem(root_); }
  const Party& root() const noexcept { return root_; }
  const Party& tsa() const noexcept { return tsa_; }

  Bytes token(ByteView stamped, const TokenOptions& options = {}) const {
    return signed_content(content(stamped, options), options, nullptr);
  }
  // The same, signed by this authority and by another.
  Bytes token_by_two(ByteView stamped, const Party& other) const {
    return signed_content(content(stamped, {}), {}, &other);
  }

  // A response with `token` in it (none when empty).
  static Bytes response(ByteView token, int status = 0, int failure = -1) {
    Bytes der = {0x30, 0x05, 0x30, 0x03, 0x02, 0x01, static_cast<std::uint8_t>(status)};
    if (failure >= 0) {
      // PKIFailureInfo: one bit of 32, sent as such.
      der = {0x30, 0x0c, 0x30, 0x0a, 0x02, 0x01, static_cast<std::uint8_t>(status),
             0x03, 0x05, 0x00, 0,    0,    0,    0};
      der[10 + static_cast<std::size_t>(failure) / 8] =
          static_cast<std::uint8_t>(0x80U >> static_cast<unsigned>(failure) % 8);
    }
    if (token.empty()) return der;
    Bytes inner(der.begin() + 2, der.end());
    inner.insert(inner.end(), token.begin(), token.end());
    Bytes whole = {0x30, 0x82, static_cast<std::uint8_t>(inner.size() >> 8U),
                   static_cast<std::uint8_t>(inner.size() & 0xFFU)};
    whole.insert(whole.end(), inner.begin(), inner.end());
    return whole;
  }

  // What an honest authority answers to a request.
  Bytes answer(ByteView request, ByteView stamped, TokenOptions options = {}) const {
    using Request = std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>>;
    const unsigned char* at = request.data();
    const Request asked(d2i_TS_REQ(nullptr, &at, static_cast<long>(request.size())));
    REQUIRE(asked != nullptr);
    options.nonce = TS_REQ_get_nonce(asked.get());
    return response(token(stamped, options));
  }

 private:
  static void set_imprint(TS_TST_INFO* info, ByteView stamped, int hash) {
    using Imprint = std::unique_ptr<TS_MSG_IMPRINT, OpensslDeleter<TS_MSG_IMPRINT_free>>;
    const Imprint imprint(TS_MSG_IMPRINT_new());
    Sha256 digest = sha256(stamped);
    X509_ALGOR_set0(TS_MSG_IMPRINT_get_algo(imprint.get()), OBJ_nid2obj(hash), V_ASN1_NULL,
                    nullptr);
    REQUIRE(TS_MSG_IMPRINT_set_msg(imprint.get(), digest.data(), 32) == 1);
    REQUIRE(TS_TST_INFO_set_msg_imprint(info, imprint.get()) == 1);
  }

  static void set_time(TS_TST_INFO* info, const std::string& text) {
    using Time = std::unique_ptr<ASN1_GENERALIZEDTIME, OpensslDeleter<ASN1_GENERALIZEDTIME_free>>;
    const Time time(ASN1_GENERALIZEDTIME_new());
    REQUIRE(ASN1_STRING_set(time.get(), text.data(), static_cast<int>(text.size())) == 1);
    REQUIRE(TS_TST_INFO_set_time(info, time.get()) == 1);
  }

  static void set_authority(TS_TST_INFO* info, const std::string& text) {
    using Name = std::unique_ptr<GENERAL_NAME, OpensslDeleter<GENERAL_NAME_free>>;
    X509_NAME* const directory = X509_NAME_new();
    set_common_name(directory, text);
    const Name name(GENERAL_NAME_new());
    GENERAL_NAME_set0_value(name.get(), GEN_DIRNAME, directory);
    REQUIRE(TS_TST_INFO_set_tsa(info, name.get()) == 1);
  }

  static void set_accuracy(TS_TST_INFO* info, long seconds) {
    using Accuracy = std::unique_ptr<TS_ACCURACY, OpensslDeleter<TS_ACCURACY_free>>;
    using Number = std::unique_ptr<ASN1_INTEGER, OpensslDeleter<ASN1_INTEGER_free>>;
    const Accuracy accuracy(TS_ACCURACY_new());
    const Number number(ASN1_INTEGER_new());
    REQUIRE(ASN1_INTEGER_set(number.get(), seconds) == 1);
    REQUIRE(TS_ACCURACY_set_seconds(accuracy.get(), number.get()) == 1);
    REQUIRE(TS_TST_INFO_set_accuracy(info, accuracy.get()) == 1);
  }

  static Bytes content(ByteView stamped, const TokenOptions& options) {
    using Info = std::unique_ptr<TS_TST_INFO, OpensslDeleter<TS_TST_INFO_free>>;
    const Info info(TS_TST_INFO_new());
    const std::unique_ptr<ASN1_OBJECT, OpensslDeleter<ASN1_OBJECT_free>> policy(
        OBJ_txt2obj(options.policy, 1));
    const std::unique_ptr<ASN1_INTEGER, OpensslDeleter<ASN1_INTEGER_free>> serial(
        ASN1_INTEGER_new());
    REQUIRE(ASN1_INTEGER_set(serial.get(), 0xAB12) == 1);
    REQUIRE(TS_TST_INFO_set_version(info.get(), options.version) == 1);
    REQUIRE(TS_TST_INFO_set_policy_id(info.get(), policy.get()) == 1);
    REQUIRE(TS_TST_INFO_set_serial(info.get(), serial.get()) == 1);
    set_imprint(info.get(), stamped, options.hash);
    set_time(info.get(), options.time);
    if (options.accuracy_seconds != 0) set_accuracy(info.get(), options.accuracy_seconds);
    if (!options.authority.empty()) set_authority(info.get(), options.authority);
    if (options.nonce != nullptr) REQUIRE(TS_TST_INFO_set_nonce(info.get(), options.nonce) == 1);
    unsigned char* der = nullptr;
    const int size = i2d_TS_TST_INFO(info.get(), &der);
    REQUIRE(size > 0);
    Bytes bytes(der, der + size);
    OPENSSL_free(der);
    return bytes;
  }

  Bytes signed_content(ByteView content, const TokenOptions& options, const Party* other) const {
    const unsigned flags = options.flags | CMS_BINARY | CMS_PARTIAL;
    using Message = std::unique_ptr<CMS_ContentInfo, OpensslDeleter<CMS_ContentInfo_free>>;
    const Message message(CMS_sign(nullptr, nullptr, nullptr, nullptr, flags));
    REQUIRE(message != nullptr);
    REQUIRE(CMS_set1_eContentType(message.get(), OBJ_nid2obj(options.content_type)) == 1);
    REQUIRE(CMS_add1_signer(message.get(), tsa_.certificate.get(), tsa_.key.get(), options.digest,
                            flags) != nullptr);
    if (other != nullptr)
      REQUIRE(CMS_add1_signer(message.get(), other->certificate.get(), other->key.get(),
                              options.digest, flags) != nullptr);
    const std::unique_ptr<BIO, OpensslDeleter<BIO_free>> in(
        BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
    REQUIRE(CMS_final(message.get(), in.get(), nullptr, flags) == 1);
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(message.get(), &der);
    REQUIRE(size > 0);
    Bytes bytes(der, der + size);
    OPENSSL_free(der);
    return bytes;
  }

  Party root_;
  Party tsa_;
};

}  // namespace quietus::test
