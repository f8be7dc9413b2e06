#include "crypto/signature.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

SigningKey key_from_seed(ByteView seed) {
  return SigningKey::make([&](std::span<std::uint8_t, kKeySize> out) {
    REQUIRE(seed.size() == out.size());
    std::copy(seed.begin(), seed.end(), out.begin());
  });
}

Bytes from_url(const std::string& text) {
  const auto bytes = from_base64url(text);
  REQUIRE(bytes.has_value());
  return *bytes;
}

// Both ways at once: the signature is the only one (RFC 8032 is deterministic), and it verifies.
void check_signature(const SigningKey& key, const std::string& message, ByteView expected) {
  CHECK(test::to_bytes(ed25519_sign(key, as_bytes(message))) == test::to_bytes(expected));
  CHECK(ed25519_verify(ed25519_public_key(key), as_bytes(message), expected));
}

constexpr std::string_view kPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

TEST_CASE("Ed25519 agrees with RFC 8037 appendix A") {
  const auto key = key_from_seed(from_url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
  CHECK(to_base64url(ed25519_public_key(key)) == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  check_signature(key, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                  from_url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
                           "9g7sVvpAr_MuM0KAg"));
}

TEST_CASE("Ed25519 agrees with Wycheproof") {
  const auto vectors = test::shared_vectors("wycheproof/ed25519_test.json");
  if (!vectors) return;
  int count = 0;
  for (const auto& group : vectors->at("testGroups")) {
    const auto key = to_array<32>(hex_field(group.at("publicKey"), "pk"));
    const auto pem = group.at("publicKeyPem").get<std::string>();
    CHECK(ed25519_to_pem(key) == pem);
    CHECK(must(ed25519_from_pem(pem)) == key);
    for (const auto& vector : group.at("tests")) {
      INFO("tcId " << vector.at("tcId"));
      const bool good = ed25519_verify(key, hex_field(vector, "msg"), hex_field(vector, "sig"));
      CHECK(good == (vector.at("result") == "valid"));
      ++count;
    }
  }
  CHECK(count == 151);
}

TEST_CASE("signatures of the JOSE samples are reproduced") {
  const auto file = test::own_vectors("jose/quietus_samples.json");
  const auto key = key_from_seed(hex_field(file, "seed"));
  CHECK(to_base64url(ed25519_public_key(key)) == file.at("jwk").at("x"));
  const auto& samples = file.at("samples");
  for (const char* name : {"EdDSA_plain", "EdDSA_crit", "Ed25519_plain", "Ed25519_crit"}) {
    INFO(name);
    const auto& jws = samples.at(name).at("flattened");
    check_signature(
        key, jws.at("protected").get<std::string>() + "." + jws.at("payload").get<std::string>(),
        from_url(jws.at("signature").get<std::string>()));
  }
}

TEST_CASE("signatures of the detached and the DSSE sample are reproduced") {
  const auto file = test::own_vectors("jose/quietus_samples.json");
  const auto key = key_from_seed(hex_field(file, "seed"));
  const auto& detached = file.at("samples").at("EdDSA_b64false_detached");
  const auto compact = detached.at("compact").get<std::string>();
  const std::size_t gap = compact.find("..");
  check_signature(key, compact.substr(0, gap + 1) + detached.at("payload").get<std::string>(),
                  from_url(compact.substr(gap + 2)));

  const auto& dsse = file.at("samples").at("DSSE");
  const auto type = dsse.at("payloadType").get<std::string>();
  const auto payload = from_url(dsse.at("payload").get<std::string>());
  const std::string text(as_text(payload));
  check_signature(key,
                  "DSSEv1 " + std::to_string(type.size()) + " " + type + " " +
                      std::to_string(text.size()) + " " + text,
                  from_base64(dsse.at("signatures")[0].at("sig").get<std::string>()).value());
}

TEST_CASE("a signature is bound to key, message and every one of its bits") {
  const auto key = random_key<SigningRole>();
  const auto public_key = ed25519_public_key(key);
  const Bytes message = {1, 2, 3};
  const auto signature = ed25519_sign(key, message);
  CHECK(ed25519_verify(public_key, message, signature));
  CHECK_FALSE(ed25519_verify(public_key, Bytes{1, 2, 4}, signature));
  CHECK_FALSE(ed25519_verify(ed25519_public_key(random_key<SigningRole>()), message, signature));
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    auto damaged = signature;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK_FALSE(ed25519_verify(public_key, message, damaged));
  }
  for (std::size_t size = 0; size < signature.size(); ++size)
    CHECK_FALSE(ed25519_verify(public_key, message, ByteView(signature).first(size)));
  Bytes longer = test::to_bytes(signature);
  longer.push_back(0);
  CHECK_FALSE(ed25519_verify(public_key, message, longer));
}

TEST_CASE("small-order keys verify nothing") {
  // The neutral element: with it, S = 0 and R = the neutral element would fit every message.
  Ed25519PublicKey neutral{};
  neutral[0] = 1;
  Ed25519Signature signature{};
  signature[0] = 1;
  CHECK_FALSE(ed25519_verify(neutral, as_bytes("anything"), signature));
  CHECK_FALSE(ed25519_verify(Ed25519PublicKey{}, as_bytes("anything"), Ed25519Signature{}));
}

TEST_CASE("PEM is what openssl writes") {
  const auto key = key_from_seed(from_url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
  CHECK(ed25519_to_pem(ed25519_public_key(key)) == kPem);
}

TEST_CASE("PEM may have other line ends and blanks around it") {
  const auto expected = must(ed25519_from_pem(kPem));
  std::string crlf;
  for (const char c : kPem) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(must(ed25519_from_pem(crlf)) == expected);
  CHECK(must(ed25519_from_pem("\n  " + std::string(kPem) + "\n\n")) == expected);
  CHECK(must(ed25519_from_pem(kPem.substr(0, kPem.size() - 1))) == expected);
}

TEST_CASE("anything else than one Ed25519 key in PEM is refused") {
  const std::string pem(kPem);
  const auto replaced = [&](std::string_view what, std::string_view with) {
    std::string text = pem;
    const std::size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
  };
  const std::string bad[] = {
      "",
      " \n",
      "-----BEGIN PUBLIC KEY-----",
      "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
      pem + pem,
      "x" + pem,
      pem + "x",
      replaced("BEGIN PUBLIC", "BEGIN PRIVATE"),
      replaced("END PUBLIC", "END PRIVATE"),
      replaced("K2VwAyEA", "K2VvAyEA"),  // the OID of X448 in place of Ed25519
      replaced("MCow", "MCox"),          // another DER length
      replaced("Ro=", "Rp="),            // bits set behind the last byte
      replaced("Ro=", "Ro"),
      replaced("11qY", "11 qY"),
      replaced("11qY", ""),
      replaced("11qY", "11qY11qY"),
  };
  for (const std::string& text : bad) {
    INFO(text);
    CHECK_FAILS_WITH(ed25519_from_pem(text), ErrorCode::kInvalidArgument);
  }
}
