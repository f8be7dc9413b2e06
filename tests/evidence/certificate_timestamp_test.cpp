#include <quietus/trust.hpp>

#include <algorithm>

#include "evidence/sample_certificate.hpp"
#include "support/local_tsa.hpp"

namespace quietus::test {
namespace {

// Whether one line has all of the words.
bool one_says(const std::vector<std::string>& lines, const std::vector<std::string>& words) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return line.find(word) != std::string::npos;
    });
  });
}

// The sample certificate says that it was issued nine minutes after the time of the authority.
TokenOptions at(const std::string& time) {
  TokenOptions options;
  options.time = time;
  return options;
}

TEST_CASE("without a time stamp the report says so", "[timestamp]") {
  const SampleVault vault;
  const VerifiedCertificate verified = must(vault.verify(vault.certificate()));
  CHECK_FALSE(verified.timestamp().has_value());
  CHECK(one_says(verified.report().not_checked, {"The clock", "no time stamp was given"}));
}

TEST_CASE("a time stamp says by when the certificate existed, and nothing more", "[timestamp]") {
  const SampleVault vault;
  const LocalTsa tsa;
  const std::string file = vault.certificate();
  VerifiedCertificate verified = must(vault.verify(file));
  TokenOptions options = at("20260301130000.25Z");
  options.accuracy_seconds = 2;
  must(verified.add_timestamp(tsa.token(as_bytes(file), options), tsa.ca_pem()));
  REQUIRE(verified.timestamp().has_value());
  CHECK(verified.timestamp()->accuracy_ms == 2000);
  const CertificateReport& report = verified.report();
  CHECK(one_says(report.checked, {"existed no later than 2026-03-01T13:00:03Z according to "
                                  "CN=Test TSA",
                                  "1.3.6.1.4.1.99999.1", "ab12"}));
  CHECK_FALSE(one_says(report.not_checked, {"no time stamp was given"}));
  CHECK(one_says(report.not_checked, {"The clock", "the issuer's own", "only by when"}));
  CHECK(one_says(report.not_checked, {"revoked"}));
}

TEST_CASE("a time stamp before the time of issue is told", "[timestamp]") {
  const SampleVault vault;
  const LocalTsa tsa;
  const std::string file = vault.certificate();
  VerifiedCertificate verified = must(vault.verify(file));
  must(verified.add_timestamp(tsa.token(as_bytes(file)), tsa.ca_pem()));
  CHECK(one_says(verified.report().not_checked,
                 {"issued at 2026-03-01T12:39:05Z", "one of the two clocks is wrong"}));
}

TEST_CASE("a time stamp of another certificate changes nothing", "[timestamp]") {
  const SampleVault vault;
  const LocalTsa tsa;
  const std::string file = vault.certificate();
  VerifiedCertificate verified = must(vault.verify(file));
  const Bytes other = tsa.token(as_bytes(SampleVault("other").certificate()));
  CHECK_FAILS_WITH(verified.add_timestamp(other, tsa.ca_pem()), ErrorCode::kUnverified);
  CHECK_FALSE(verified.timestamp().has_value());
  CHECK(one_says(verified.report().not_checked, {"no time stamp was given"}));

  const Bytes good = tsa.token(as_bytes(file));
  must(verified.add_timestamp(good, tsa.ca_pem()));
  CHECK_FAILS_WITH(verified.add_timestamp(good, tsa.ca_pem()), ErrorCode::kInvalidArgument);
}

TEST_CASE("request, response and token go around by files alone", "[timestamp]") {
  const SampleVault vault;
  const LocalTsa tsa;
  const std::string file = vault.certificate();
  const Bytes request = must(request_timestamp(as_bytes(file)));
  const Bytes response = tsa.answer(request, as_bytes(file));
  const Bytes token = must(import_timestamp(as_bytes(file), request, response, tsa.ca_pem()));
  CHECK(must(verify_timestamp(as_bytes(file), token, tsa.ca_pem())).time_unix_ms == kTsaNow * 1000);
  CHECK_FAILS_WITH(verify_timestamp(as_bytes(file + "\n"), token, tsa.ca_pem()),
                   ErrorCode::kUnverified);
  CHECK_FAILS_WITH(request_timestamp({}), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quietus::test
