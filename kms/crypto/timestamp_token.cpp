// Verifies tokens: who signed what, when, and whether a given authority stands behind it.
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "base/unverified.hpp"
#include "crypto/timestamp.hpp"
#include "crypto/timestamp_asn1.hpp"

namespace quietus {
namespace {

using X509Certificate = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using X509Store = std::unique_ptr<X509_STORE, OpensslDeleter<X509_STORE_free>>;
using Memory = std::unique_ptr<BIO, OpensslDeleter<BIO_free>>;
using TsVerification = std::unique_ptr<TS_VERIFY_CTX, OpensslDeleter<TS_VERIFY_CTX_free>>;

// 112 bits, as OpenSSL counts: refuses SHA-1 and RSA below 2048 bits all along the chain.
constexpr int kSecurityLevel = 2;
constexpr std::int64_t kMaxAccuracySeconds = std::int64_t{7} * 24 * 60 * 60;

// ---- authorities ------------------------------------------------------------------------------

// A PEM block may say that it is encrypted; nobody is to be asked for its passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return -1;
}

// All certificates of a PEM text, as those to trust.
Result<X509Store> read_authorities(std::string_view pem) {
  const Error refused(ErrorCode::kInvalidArgument, "not CA certificates in PEM");
  if (pem.empty() || pem.size() > kMaxTimestampAuthorities) return refused;
  const Memory text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Store store(X509_STORE_new());
  if (!text || !store) throw std::bad_alloc();
  int count = 0;
  while (const X509Certificate certificate{
      PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr)}) {
    if (X509_STORE_add_cert(store.get(), certificate.get()) != 1) throw std::bad_alloc();
    ++count;
  }
  // The end of the text is told as an error too.
  if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return refused;
  return store;
}

// ---- what the token says ----------------------------------------------------------------------

// Digits behind the point as milliseconds, rounded up: "no later than" must not come out earlier.
std::int64_t fraction_ms(std::string_view digits) {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  const bool more = digits.size() > 3 && digits.substr(3).find_first_not_of('0') != digits.npos;
  return ms + (more ? 1 : 0);
}

std::int64_t unix_seconds(const std::tm& utc) {
  namespace time = std::chrono;
  const time::year_month_day date{time::year(utc.tm_year + 1900),
                                  time::month(static_cast<unsigned>(utc.tm_mon + 1)),
                                  time::day(static_cast<unsigned>(utc.tm_mday))};
  const auto moment = time::sys_days(date) + time::hours(utc.tm_hour) + time::minutes(utc.tm_min) +
                      time::seconds(utc.tm_sec);
  return time::duration_cast<time::seconds>(moment.time_since_epoch()).count();
}

// genTime: YYYYMMDDhhmmss[.fraction]Z.
Result<std::int64_t> time_of(TS_TST_INFO* info) {
  const ASN1_GENERALIZEDTIME* const time = TS_TST_INFO_get_time(info);
  std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
                        static_cast<std::size_t>(ASN1_STRING_length(time)));
  constexpr std::size_t kWhole = std::string_view("YYYYMMDDhhmmss").size();
  std::tm utc{};
  if (!text.ends_with('Z') || ASN1_TIME_to_tm(time, &utc) != 1)
    return unverified("token has a malformed time");
  text.remove_suffix(1);
  if (text.size() < kWhole || utc.tm_year < 70) return unverified("token has a malformed time");
  const std::string_view fraction = text.substr(std::min(text.size(), kWhole + 1));
  return unix_seconds(utc) * 1000 + fraction_ms(fraction);
}

// A part of the accuracy; absent is 0, out of range is nothing.
std::optional<std::int64_t> part_of(const ASN1_INTEGER* number, std::int64_t limit) {
  std::int64_t value = 0;
  if (number == nullptr) return value;
  if (ASN1_INTEGER_get_int64(&value, number) != 1 || value < 0 || value > limit)
    return std::nullopt;
  return value;
}

Result<std::int64_t> accuracy_of(TS_TST_INFO* info) {
  const TS_ACCURACY* const accuracy = TS_TST_INFO_get_accuracy(info);
  if (accuracy == nullptr) return std::int64_t{0};
  const auto seconds = part_of(TS_ACCURACY_get_seconds(accuracy), kMaxAccuracySeconds);
  const auto millis = part_of(TS_ACCURACY_get_millis(accuracy), 999);
  const auto micros = part_of(TS_ACCURACY_get_micros(accuracy), 999);
  if (!seconds || !millis || !micros)
    return unverified("token states an accuracy that is of no use");
  return *seconds * 1000 + *millis + (*micros > 0 ? 1 : 0);
}

std::string policy_of(TS_TST_INFO* info) {
  std::array<char, 256> text{};
  const ASN1_OBJECT* const policy = TS_TST_INFO_get_policy_id(info);
  (void)OBJ_obj2txt(text.data(), static_cast<int>(text.size()), policy, 1);
  return text.data();
}

std::string serial_of(const TS_TST_INFO* info) {
  using Number = std::unique_ptr<BIGNUM, OpensslDeleter<BN_free>>;
  const Number number(ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(info), nullptr));
  char* const digits = number ? BN_bn2hex(number.get()) : nullptr;
  if (digits == nullptr) throw std::bad_alloc();
  std::string text(digits);
  OPENSSL_free(digits);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::string subject_of(const X509* certificate) {
  const Memory out(BIO_new(BIO_s_mem()));
  if (!out ||
      X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
    throw std::bad_alloc();
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

Result<VerifiedTimestamp> read_info(TS_TST_INFO* info, const Sha256& imprint) {
  if (TS_TST_INFO_get_version(info) != 1) return unverified("token is of an unknown version");
  if (!is_imprint_of(TS_TST_INFO_get_msg_imprint(info), imprint))
    return unverified("the time stamp is of another file");
  VerifiedTimestamp read;
  QUIETUS_TRY_AS(read.time_unix_ms, time_of(info));
  QUIETUS_TRY_AS(read.accuracy_ms, accuracy_of(info));
  read.policy = policy_of(info);
  read.serial = serial_of(info);
  return read;
}

// ---- who signed it ----------------------------------------------------------------------------

// RFC 3161 section 2.3: the extension is critical and names time stamping alone. OpenSSL looks for
// that too, but overlooks purposes that it does not know.
bool is_for_time_stamping(const X509* certificate) {
  using Purposes = std::unique_ptr<EXTENDED_KEY_USAGE, OpensslDeleter<EXTENDED_KEY_USAGE_free>>;
  int critical = 0;
  const Purposes purposes(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, nullptr)));
  return purposes && critical == 1 && sk_ASN1_OBJECT_num(purposes.get()) == 1 &&
         OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes.get(), 0)) == NID_time_stamp;
}

bool has_strong_digest(PKCS7_SIGNER_INFO* signer) {
  X509_ALGOR* digest = nullptr;
  PKCS7_SIGNER_INFO_get0_algs(signer, nullptr, &digest, nullptr);
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, digest);
  const int id = OBJ_obj2nid(algorithm);
  return id == NID_sha256 || id == NID_sha384 || id == NID_sha512;
}

// The certificate that the token carries for its only signature. Borrowed from the token.
Result<const X509*> signer_of(PKCS7* token) {
  const STACK_OF(PKCS7_SIGNER_INFO)* const signatures = PKCS7_get_signer_info(token);
  if (signatures == nullptr || sk_PKCS7_SIGNER_INFO_num(signatures) != 1)
    return unverified("token is not signed by exactly one authority");
  if (!has_strong_digest(sk_PKCS7_SIGNER_INFO_value(signatures, 0)))
    return unverified("token is signed over a weak or unknown hash");
  STACK_OF(X509)* const signers = PKCS7_get0_signers(token, nullptr, 0);
  const X509* const signer = sk_X509_value(signers, 0);
  sk_X509_free(signers);
  if (signer == nullptr) return unverified("token does not hold its authority's certificate");
  if (!is_for_time_stamping(signer))
    return unverified(
        "the authority's certificate is not one for time stamping, critically and alone");
  return signer;
}

// Why OpenSSL refused, from the error it left last.
std::string signature_refusal() {
  const char* detail = nullptr;
  int flags = 0;
  const unsigned long error = ERR_peek_last_error_all(nullptr, nullptr, nullptr, &detail, &flags);
  const bool explained = detail != nullptr && (flags & ERR_TXT_STRING) != 0;
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_ESS)
    return "token is bound to another certificate than the one that signed it";
  if (ERR_GET_LIB(error) != ERR_LIB_TS) return "token does not verify";
  if (reason == TS_R_CERTIFICATE_VERIFY_ERROR)
    return "the given CA certificates do not stand for the authority's certificate at the time "
           "of the time stamp" +
           (explained ? ": " + std::string(detail) : std::string());
  if (reason == TS_R_ESS_SIGNING_CERTIFICATE_ERROR)
    return "token is bound to another certificate than the one that signed it";
  if (reason == TS_R_SIGNATURE_FAILURE) return "signature of the token is wrong";
  if (reason == TS_R_TSA_NAME_MISMATCH)
    return "token names another authority than the one that signed it";
  return "token does not verify";
}

// As of `seconds` and not as of now: certificates expire long before what they vouch for.
Result<void> check_signature(PKCS7* token, const Sha256& imprint, X509Store store,
                             std::int64_t seconds) {
  const TsVerification check(TS_VERIFY_CTX_new());
  void* const expected = OPENSSL_memdup(imprint.data(), imprint.size());
  if (!check || expected == nullptr) throw std::bad_alloc();
  X509_VERIFY_PARAM* const rules = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(rules, seconds);
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  // Both setters take ownership.
  TS_VERIFY_CTX_set_store(check.get(), store.release());
  TS_VERIFY_CTX_set_imprint(check.get(), static_cast<unsigned char*>(expected),
                            static_cast<long>(imprint.size()));
  TS_VERIFY_CTX_set_flags(check.get(),
                          TS_VFY_VERSION | TS_VFY_IMPRINT | TS_VFY_SIGNATURE | TS_VFY_SIGNER);
  if (TS_RESP_verify_token(check.get(), token) != 1) return unverified(signature_refusal());
  return {};
}

Error not_a_token(ByteView bytes) {
  if (decode_asn1<TsResponse, d2i_TS_RESP>(bytes, kMaxTimestampMessage))
    return unverified("a time-stamp response, not a token: import it with its request first");
  return unverified("not a time-stamp token");
}

}  // namespace

Result<VerifiedTimestamp> verify_timestamp_token(const Sha256& imprint, ByteView token,
                                                 std::string_view ca_pem) {
  const OpensslErrors errors;
  QUIETUS_TRY_AS(X509Store store, read_authorities(ca_pem));
  const auto parsed = decode_asn1<TsToken, d2i_PKCS7>(token, kMaxTimestampMessage);
  if (!parsed) return not_a_token(token);
  const TsInfo info(PKCS7_to_TS_TST_INFO(parsed.get()));
  if (!info) return unverified("not a time-stamp token");
  QUIETUS_TRY_AS(VerifiedTimestamp verified, read_info(info.get(), imprint));
  QUIETUS_TRY_AS(const X509* const signer, signer_of(parsed.get()));
  QUIETUS_TRY(
      check_signature(parsed.get(), imprint, std::move(store), verified.time_unix_ms / 1000));
  verified.tsa = subject_of(signer);
  return verified;
}

}  // namespace quietus
