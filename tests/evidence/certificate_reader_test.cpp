// What reads a certificate without verifying it: the form alone.
#include "evidence/certificate.hpp"

#include "base/text_encoding.hpp"
#include "evidence/sample_certificate.hpp"
#include "evidence/strict_json.hpp"

namespace quietus::test {
namespace {

Result<UnverifiedCertificate> read(const std::string& file) {
  return read_unverified_certificate(as_bytes(file));
}

// A document with that payload, signed by somebody.
std::string document(const std::string& payload, std::string_view type = kCertificateType) {
  return sign_jws(as_bytes(payload), type, signing_key("somebody"));
}

constexpr const char* kId = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

TEST_CASE("a certificate is read without its issuer's key", "[certificate]") {
  const SampleVault vault;
  const UnverifiedCertificate read_back = must(read(vault.certificate()));
  CHECK(read_back.certificate_id == to_hex(vault.claims().certificate));
  CHECK(read_back.issuer_kid == vault.claims().issuer_kid);
  CHECK(read_back.payload == encode_claims(vault.claims()));
}

TEST_CASE("reading takes a changed payload and members that are not known", "[certificate]") {
  const std::string payload = R"({"type":"quietus-erasure-certificate","certificate_id":")" +
                              std::string(kId) + R"(","later":["</script>"]})";
  const std::string file = document(payload);
  CHECK(must(read(file)).payload == payload);
  CHECK(must(read(file)).certificate_id == kId);

  std::string changed = file;
  char& letter = changed[changed.find(R"("signature":")") + 40];
  letter = letter == 'A' ? 'B' : 'A';
  CHECK(must(read(changed)).payload == payload);
}

TEST_CASE("what is no certificate is not read", "[certificate]") {
  const std::string valid =
      R"({"type":"quietus-erasure-certificate","certificate_id":")" + std::string(kId) + "\"}";
  REQUIRE(read(document(valid)).ok());
  const std::vector<std::string> others = {
      "",
      "{}",
      "<html></html>",
      document(valid).substr(0, document(valid).size() - 1),
      " " + document(valid),
      document(valid, "another+jws"),
      document(""),
      document("[]"),
      document(R"({"type":"another","certificate_id":")" + std::string(kId) + "\"}"),
      document(R"({"type":"quietus-erasure-certificate"})"),
      document(R"({"type":"quietus-erasure-certificate","certificate_id":"</pre>"})"),
      document(" " + valid),
      document(valid.substr(0, valid.size() - 1) + R"(,"type":"quietus-erasure-certificate"})"),
  };
  for (const std::string& other : others) {
    INFO(other);
    CHECK_FAILS_WITH(read(other), ErrorCode::kUnverified);
  }
}

}  // namespace
}  // namespace quietus::test
