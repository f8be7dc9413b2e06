#include "crypto/timestamp.hpp"

#include <openssl/err.h>

#include <catch2/catch.hpp>
#include <string>

#include "support/local_tsa.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

const ByteView stamped = as_bytes("{\"payload\":\"…\"}\n");

// A refusal, and that it says why.
template <class T>
void check_refused(const Result<T>& result, ErrorCode code, const std::string& why) {
  INFO(describe(result));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == code);
  CHECK(result.error().context().find(why) != std::string::npos);
}

Result<VerifiedTimestamp> verify(ByteView token, const std::string& ca, ByteView file = stamped) {
  return verify_timestamp_token(sha256(file), token, ca);
}

// A token of this authority for the file does not verify, and the error says why.
void check_unverified(const LocalTsa& tsa, const TokenOptions& options, const std::string& why) {
  check_refused(verify(tsa.token(stamped, options), tsa.ca_pem()), ErrorCode::kUnverified, why);
}

LocalTsa tsa_for(const char* purposes) {
  return LocalTsa({"Test TSA", LocalTsa::tsa_extensions(purposes)});
}

Bytes without_nonce(ByteView request) {
  const unsigned char* at = request.data();
  const std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>> decoded(
      d2i_TS_REQ(nullptr, &at, static_cast<long>(request.size())));
  REQUIRE(decoded != nullptr);
  const std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>> bare(TS_REQ_new());
  REQUIRE(TS_REQ_set_version(bare.get(), 1) == 1);
  REQUIRE(TS_REQ_set_msg_imprint(bare.get(), TS_REQ_get_msg_imprint(decoded.get())) == 1);
  unsigned char* der = nullptr;
  const int size = i2d_TS_REQ(bare.get(), &der);
  REQUIRE(size > 0);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace

TEST_CASE("a token says when, by whom, under which policy and number", "[timestamp]") {
  const LocalTsa tsa;
  const VerifiedTimestamp stamp = must(verify(tsa.token(stamped), tsa.ca_pem()));
  CHECK(stamp.time_unix_ms == kTsaNow * 1000);
  CHECK(stamp.accuracy_ms == 0);
  CHECK(stamp.policy == "1.3.6.1.4.1.99999.1");
  CHECK(stamp.serial == "ab12");
  CHECK(stamp.tsa == "CN=Test TSA");
}

TEST_CASE("a request asks for SHA-256, a certificate and a nonce of its own", "[timestamp]") {
  const Bytes first = timestamp_request(sha256(stamped));
  const Bytes second = timestamp_request(sha256(stamped));
  CHECK(first != second);
  const unsigned char* at = first.data();
  const std::unique_ptr<TS_REQ, OpensslDeleter<TS_REQ_free>> request(
      d2i_TS_REQ(nullptr, &at, static_cast<long>(first.size())));
  REQUIRE(request != nullptr);
  CHECK(TS_REQ_get_version(request.get()) == 1);
  CHECK(TS_REQ_get_cert_req(request.get()) != 0);
  CHECK(TS_REQ_get_nonce(request.get()) != nullptr);
  const ASN1_OCTET_STRING* const digest =
      TS_MSG_IMPRINT_get_msg(TS_REQ_get_msg_imprint(request.get()));
  const std::uint8_t* const bytes = ASN1_STRING_get0_data(digest);
  REQUIRE(ASN1_STRING_length(digest) == 32);
  const Sha256 expected = sha256(stamped);
  CHECK(Bytes(bytes, bytes + 32) == Bytes(expected.begin(), expected.end()));
}

TEST_CASE("a response gives its token when it answers the request", "[timestamp]") {
  const LocalTsa tsa;
  const Bytes request = timestamp_request(sha256(stamped));
  const Bytes response = tsa.answer(request, stamped);
  const Bytes token = must(timestamp_token_of(sha256(stamped), request, response, tsa.ca_pem()));
  CHECK(must(verify(token, tsa.ca_pem())).serial == "ab12");

  const Bytes modified = LocalTsa::response(token, 1);  // granted with modifications
  CHECK(must(timestamp_token_of(sha256(stamped), request, modified, tsa.ca_pem())) == token);
}

TEST_CASE("a response to something else is refused", "[timestamp]") {
  const LocalTsa tsa;
  const Sha256 imprint = sha256(stamped);
  const Bytes request = timestamp_request(imprint);
  const Bytes other_request = timestamp_request(imprint);
  const std::string ca = tsa.ca_pem();
  const auto import = [&](ByteView response) {
    return timestamp_token_of(imprint, request, response, ca);
  };
  check_refused(import(tsa.answer(other_request, stamped)), ErrorCode::kUnverified, "nonce");
  check_refused(import(LocalTsa::response(tsa.token(stamped))), ErrorCode::kUnverified, "nonce");
  check_refused(import(tsa.answer(request, as_bytes("other"))), ErrorCode::kUnverified,
                "of another file");
  check_refused(import(as_bytes("nonsense")), ErrorCode::kUnverified, "not a time-stamp response");
  check_refused(import({}), ErrorCode::kUnverified, "not a time-stamp response");
}

TEST_CASE("what was not granted says so", "[timestamp]") {
  const Sha256 imprint = sha256(stamped);
  const Bytes request = timestamp_request(imprint);
  const std::string ca = LocalTsa().ca_pem();
  const auto import = [&](ByteView response) {
    return timestamp_token_of(imprint, request, response, ca);
  };
  check_refused(import(LocalTsa::response({}, 2, 0)), ErrorCode::kUnverified,
                "granted no time stamp: rejection (badAlg)");
  check_refused(import(LocalTsa::response({}, 2, 14)), ErrorCode::kUnverified,
                "rejection (timeNotAvailable)");
  check_refused(import(LocalTsa::response({}, 2, 25)), ErrorCode::kUnverified,
                "rejection (systemFailure)");
  check_refused(import(LocalTsa::response({}, 3)), ErrorCode::kUnverified, "waiting");
  check_refused(import(LocalTsa::response({}, 99)), ErrorCode::kUnverified, "an unknown status");
}

TEST_CASE("a request that is none, for another file or without nonce is refused", "[timestamp]") {
  const LocalTsa tsa;
  const Bytes request = timestamp_request(sha256(stamped));
  const Bytes bare = without_nonce(request);
  const std::string ca = tsa.ca_pem();
  const auto import = [&](ByteView file, ByteView asked) {
    return timestamp_token_of(sha256(file), asked, tsa.answer(request, stamped), ca);
  };
  check_refused(import(stamped, as_bytes("x")), ErrorCode::kInvalidArgument,
                "not a time-stamp req");
  check_refused(import(as_bytes("x"), request), ErrorCode::kInvalidArgument, "for another file");
  check_refused(import(stamped, bare), ErrorCode::kInvalidArgument, "no nonce");
  Bytes longer = request;
  longer.push_back(0);
  check_refused(import(stamped, longer), ErrorCode::kInvalidArgument, "not a time-stamp request");
}

TEST_CASE("a token of other bytes, another hash or form is refused", "[timestamp]") {
  const LocalTsa tsa;
  const Bytes token = tsa.token(stamped);
  check_refused(verify(token, tsa.ca_pem(), as_bytes("other")), ErrorCode::kUnverified,
                "of another file");
  TokenOptions options;
  options.hash = NID_sha3_256;  // the same bytes under another name
  check_unverified(tsa, options, "of another file");
  options = {};
  options.version = 2;
  check_unverified(tsa, options, "unknown version");
  options = {};
  options.content_type = NID_pkcs7_data;
  check_unverified(tsa, options, "not a time-stamp token");
  check_refused(verify(LocalTsa::response(token), tsa.ca_pem()), ErrorCode::kUnverified,
                "import it with its request");
  Bytes longer = token;
  longer.push_back(0);
  check_refused(verify(longer, tsa.ca_pem()), ErrorCode::kUnverified, "not a time-stamp token");
  check_refused(verify(Bytes(kMaxTimestampMessage + 1), tsa.ca_pem()), ErrorCode::kUnverified,
                "not a time-stamp token");
}

TEST_CASE("times are read to the millisecond and never too early", "[timestamp]") {
  const LocalTsa tsa;
  const auto time = [&](const std::string& text) {
    TokenOptions options;
    options.time = text;
    return must(verify(tsa.token(stamped, options), tsa.ca_pem())).time_unix_ms - kTsaNow * 1000;
  };
  CHECK(time("20260301123005Z") == 0);
  CHECK(time("20260301123005.5Z") == 500);
  CHECK(time("20260301123005.123Z") == 123);
  CHECK(time("20260301123005.1230Z") == 123);
  CHECK(time("20260301123005.123000001Z") == 124);
  CHECK(time("20260301123005.9999Z") == 1000);
  for (const char* text : {"20260301123005", "202603011230Z", "20260301123005+0100",
                           "20261301123005Z", "20260301123005.Z", "x", "", "19690301123005Z"}) {
    INFO(text);
    TokenOptions options;
    options.time = text;
    CHECK_FAILS_WITH(verify(tsa.token(stamped, options), tsa.ca_pem()), ErrorCode::kUnverified);
  }
}

TEST_CASE("the accuracy is read, and refused when it says nothing", "[timestamp]") {
  const LocalTsa tsa;
  TokenOptions options;
  options.accuracy_seconds = 2;
  CHECK(must(verify(tsa.token(stamped, options), tsa.ca_pem())).accuracy_ms == 2000);
  for (const long useless : {-1L, 604801L, 4000000000L}) {
    options.accuracy_seconds = useless;
    check_unverified(tsa, options, "accuracy");
  }
}

TEST_CASE("a token of an authority that the reader does not know is refused", "[timestamp]") {
  const LocalTsa tsa;
  const LocalTsa other;
  check_refused(verify(tsa.token(stamped), other.ca_pem()), ErrorCode::kUnverified,
                "do not stand for the authority's certificate");
  CHECK(verify(tsa.token(stamped), other.ca_pem() + tsa.ca_pem()).ok());
}

TEST_CASE("intermediate authorities may stand beside the root", "[timestamp]") {
  Party root = make_party({"Root", LocalTsa::ca_extensions()});
  Party middle = make_party({"Middle", LocalTsa::ca_extensions()}, &root);
  const std::string root_pem = to_pem(root);
  const std::string middle_pem = to_pem(middle);
  Party signer = make_party({"TSA", LocalTsa::tsa_extensions()}, &middle);
  const LocalTsa tsa(std::move(middle), std::move(signer));
  const Bytes token = tsa.token(stamped);
  CHECK(verify(token, root_pem + middle_pem).ok());
  CHECK(verify(token, middle_pem + root_pem).ok());
  for (const std::string& part : {root_pem, middle_pem})
    check_refused(verify(token, part), ErrorCode::kUnverified, "do not stand for");
}

TEST_CASE("a certificate that is not for time stamping alone is refused", "[timestamp]") {
  for (const char* purposes :
       {"timeStamping", "critical,timeStamping,codeSigning", "critical,codeSigning",
        "critical,timeStamping,1.3.6.1.4.1.99999.2", "critical,anyExtendedKeyUsage"}) {
    INFO(purposes);
    check_unverified(tsa_for(purposes), {}, "critically and alone");
  }
  const LocalTsa none({"Test TSA", {{NID_key_usage, "critical,digitalSignature"}}});
  check_unverified(none, {}, "critically and alone");
  const LocalTsa wrong_use({"Test TSA",
                            {{NID_key_usage, "critical,keyEncipherment"},
                             {NID_ext_key_usage, "critical,timeStamping"}}});
  check_unverified(wrong_use, {}, "purpose");
}

TEST_CASE("an old token outlives the certificates of its authority", "[timestamp]") {
  const std::int64_t long_ago = 1577836800;  // 2020-01-01
  Party root = make_party({"Old Root", LocalTsa::ca_extensions(), long_ago, long_ago + 366 * kDay});
  Party signer =
      make_party({"Old TSA", LocalTsa::tsa_extensions(), long_ago, long_ago + 99 * kDay}, &root);
  const LocalTsa expired(std::move(root), std::move(signer));
  const std::string ca = expired.ca_pem();
  TokenOptions options;
  options.time = "20200201000000Z";
  CHECK(must(verify(expired.token(stamped, options), ca)).tsa == "CN=Old TSA");
  options.time = "20200901000000Z";  // after the certificate had expired
  check_refused(verify(expired.token(stamped, options), ca), ErrorCode::kUnverified, "expired");
  options.time = "20191201000000Z";
  check_refused(verify(expired.token(stamped, options), ca), ErrorCode::kUnverified,
                "not yet valid");
}

TEST_CASE("weak hashes are refused", "[timestamp]") {
  TokenOptions options;
  options.digest = EVP_sha1();
  check_unverified(LocalTsa(), options, "weak or unknown hash");
  const LocalTsa weak(
      {"Test TSA", LocalTsa::tsa_extensions(), kTsaNow - kDay, kTsaNow + kDay, EVP_sha1()});
  check_unverified(weak, {}, "too weak");
}

TEST_CASE("a token is signed once, with a certificate that it holds and is bound to",
          "[timestamp]") {
  const LocalTsa tsa;
  const Party other = make_party({"Other TSA", LocalTsa::tsa_extensions()}, &tsa.root());
  check_refused(verify(tsa.token_by_two(stamped, other), tsa.ca_pem()), ErrorCode::kUnverified,
                "exactly one authority");
  TokenOptions options;
  options.flags = CMS_CADES | CMS_NOCERTS;
  check_unverified(tsa, options, "does not hold its authority's certificate");
  options.flags = 0;  // no ESSCertID
  check_unverified(tsa, options, "bound to another certificate");
  options = {};
  options.authority = "Somebody Else";
  check_unverified(tsa, options, "names another authority");
  options.authority = "Test TSA";
  CHECK(verify(tsa.token(stamped, options), tsa.ca_pem()).ok());
}

TEST_CASE("a signature by another key under the same certificate is refused", "[timestamp]") {
  const LocalTsa tsa;
  Bytes token = tsa.token(stamped);
  token.back() ^= 1;  // the last byte of the ECDSA signature
  check_refused(verify(token, tsa.ca_pem()), ErrorCode::kUnverified, "signature of the token");
}

TEST_CASE("no damaged token says anything else than the whole one", "[timestamp]") {
  const LocalTsa tsa;
  const Bytes token = tsa.token(stamped);
  const std::string ca = tsa.ca_pem();
  for (std::size_t size = 0; size < token.size(); ++size)
    CHECK_FAILS_WITH(verify(ByteView(token).first(size), ca), ErrorCode::kUnverified);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
    Bytes damaged = token;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto stamp = verify(damaged, ca);
    if (!stamp) {
      ++refused;
      continue;
    }
    // Not signed, and not used: versions, lists of algorithms.
    CHECK(stamp->time_unix_ms == kTsaNow * 1000);
    CHECK(stamp->serial == "ab12");
    CHECK(stamp->tsa == "CN=Test TSA");
  }
  CHECK(refused > token.size() * 8 * 9 / 10);
}

TEST_CASE("damaged responses and requests do no harm", "[timestamp]") {
  const LocalTsa tsa;
  const Sha256 imprint = sha256(stamped);
  const Bytes request = timestamp_request(imprint);
  const Bytes response = tsa.answer(request, stamped);
  const std::string ca = tsa.ca_pem();
  for (std::size_t size = 0; size < response.size(); ++size)
    CHECK_FALSE(timestamp_token_of(imprint, request, ByteView(response).first(size), ca).ok());
  for (std::size_t at = 0; at < request.size(); ++at) {
    Bytes damaged = request;
    damaged[at] ^= 0x55;
    static_cast<void>(timestamp_token_of(imprint, damaged, response, ca).ok());
    CHECK_FALSE(timestamp_token_of(imprint, ByteView(request).first(at), response, ca).ok());
  }
}

TEST_CASE("certificates that are none are the caller's mistake", "[timestamp]") {
  const LocalTsa tsa;
  const Bytes token = tsa.token(stamped);
  const std::string ca = tsa.ca_pem();
  const std::string encrypted =
      "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
      "-----END CERTIFICATE-----\n";
  for (const std::string& text :
       {std::string(), std::string("x"), ca.substr(0, ca.size() / 2), ca + ca.substr(0, 99),
        encrypted, ca + encrypted, std::string(kMaxTimestampAuthorities + 1, ' ')}) {
    INFO(text.substr(0, 200));
    check_refused(verify(token, text), ErrorCode::kInvalidArgument, "not CA certificates in PEM");
  }
  CHECK(verify(token, "comment\n" + ca + "\n\ncomment\n" + ca).ok());
}

TEST_CASE("OpenSSL's errors do not stay behind", "[timestamp]") {
  ERR_clear_error();
  CHECK_FALSE(verify(as_bytes("x"), LocalTsa().ca_pem()).ok());
  CHECK_FALSE(verify(LocalTsa().token(stamped), LocalTsa().ca_pem()).ok());
  CHECK(ERR_peek_error() == 0);
}
