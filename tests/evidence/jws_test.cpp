#include "evidence/jws.hpp"

#include "base/text_encoding.hpp"
#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

constexpr std::string_view kType = "quietus-erasure-cert+jws";

struct Signer {
  SigningKey secret = signing_key("issuer");
  Ed25519PublicKey key = ed25519_public_key(secret);
  std::string kid = jwk_thumbprint(key);

  // A file with any header at all, signed properly.
  std::string file(const std::string& header, const std::string& payload = "{}") const {
    const std::string encoded = to_base64url(as_bytes(header));
    const std::string body = to_base64url(as_bytes(payload));
    const auto signature = ed25519_sign(secret, as_bytes(encoded + "." + body));
    return R"({"payload":")" + body + R"(","protected":")" + encoded + R"(","signature":")" +
           to_base64url(signature) + "\"}\n";
  }
  std::string header(const std::string& more = "", const std::string& alg = "EdDSA") const {
    return R"({"alg":")" + alg + R"(","kid":")" + kid + R"(","typ":")" + std::string(kType) + "\"" +
           more + "}";
  }
  Result<Bytes> verify(const std::string& file) const {
    return verify_jws(as_bytes(file), kType, key);
  }
  // Why a file is refused.
  std::string objection(const std::string& text) const {
    const Result<Bytes> verdict = verify(text);
    REQUIRE_FALSE(verdict.ok());
    CHECK(verdict.error().code() == ErrorCode::kUnverified);
    return verdict.error().context();
  }
};

// RFC 8037 appendix A.
constexpr std::string_view kRfcJwk =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

TEST_CASE("the key of RFC 8037 has the thumbprint of RFC 8037", "[jws]") {
  const Ed25519PublicKey key = must(parse_jwk(kRfcJwk));
  CHECK(to_hex(key) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  CHECK(jwk_thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST_CASE("a key goes to JWK and back", "[jws]") {
  const Signer signer;
  const std::string jwk = format_jwk(signer.key);
  CHECK(must(parse_jwk(jwk)) == signer.key);
  const auto json = nlohmann::json::parse(jwk);
  CHECK(json["kid"] == signer.kid);
  CHECK(json["alg"] == "EdDSA");
  CHECK(json["use"] == "sig");
  CHECK_FALSE(json.contains("d"));
}

TEST_CASE("other things than Ed25519 public keys are refused as JWK", "[jws]") {
  const std::string start = R"({"kty":"OKP","crv":"Ed25519",)";
  const std::string x = R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
  must(parse_jwk(start + x));
  const std::string refused[] = {
      "",
      "[]",
      "{}",
      R"({"kty":"OKP","crv":"Ed25519"})",
      R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      R"({"kty":"EC","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="})",
      start + R"("d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)" + x,
      start + R"("crv":"Ed25519",)" + x,
  };
  for (const std::string& jwk : refused) {
    INFO(jwk);
    CHECK_FAILS_WITH(parse_jwk(jwk), ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("samples made by other tools verify, critical headers do not", "[jws]") {
  const auto vectors = own_vectors("jose/quietus_samples.json");
  const Ed25519PublicKey key = must(parse_jwk(vectors["jwk"].dump()));
  CHECK(jwk_thumbprint(key) == vectors["kid"]);
  for (const auto& [name, sample] : vectors["samples"].items()) {
    INFO(name);
    if (!sample.contains("flattened")) continue;
    const std::string file = sample["flattened"].dump() + "\n";
    const Result<Bytes> payload = verify_jws(as_bytes(file), kType, key);
    CHECK(payload.ok() == (name.find("plain") != std::string::npos));
  }
}

TEST_CASE("a signed document verifies and has the one form", "[jws]") {
  const Signer signer;
  const std::string payload = R"({"a":1})";
  const std::string file = sign_jws(as_bytes(payload), kType, signer.secret);
  CHECK(as_text(must(signer.verify(file))) == payload);
  CHECK(file == signer.file(signer.header(), payload));
  CHECK(signer.verify(signer.file(signer.header("", "Ed25519"))).ok());
}

TEST_CASE("the header may only agree with the key", "[jws]") {
  const Signer signer;
  const std::string algorithm = "header names another algorithm than the key's";
  for (const char* alg : {"none", "HS256", "ES256", "eddsa", "Ed448", ""})
    CHECK(signer.objection(signer.file(signer.header("", alg))) == algorithm);
  CHECK(signer.objection(signer.file(signer.header(R"(,"crit":["x"],"x":1)"))) ==
        "header has a crit");
  for (const std::string name : {"jwk", "jku", "x5u", "x5c"})
    CHECK(signer.objection(signer.file(signer.header(",\"" + name + R"(":"x")"))) ==
          "header has a " + name);
  CHECK(signer.objection(signer.file(signer.header(R"(,"b64":true)"))) ==
        "header has an unknown member");
  CHECK(signer.objection(signer.file(signer.header(R"(,"alg":"EdDSA")"))) ==
        "header: JSON object has a duplicate member");
  CHECK(signer.objection(signer.file("{ " + signer.header().substr(1))) ==
        "header is not in canonical form");
  CHECK(signer.objection(signer.file("[]")) == "header is not an object");
  CHECK(signer.objection(signer.file("{}")) == "header has no alg");
  CHECK(signer.objection(signer.file(R"({"alg":"EdDSA","kid":"x","typ":"JWT"})")) ==
        "header names another type of document");
  CHECK(signer.objection(
            signer.file(R"({"alg":"EdDSA","kid":"x","typ":"quietus-erasure-cert+jws"})")) ==
        "document was signed by another key");
  const std::string reordered =
      R"({"typ":"quietus-erasure-cert+jws","alg":"EdDSA","kid":")" + signer.kid + "\"}";
  CHECK(signer.objection(signer.file(reordered)) == "header is not in canonical form");
}

TEST_CASE("a document of another key is refused, whatever its header says", "[jws]") {
  const Signer signer;
  const SigningKey other = signing_key("other issuer");
  CHECK(signer.objection(sign_jws(as_bytes("{}"), kType, other)) ==
        "document was signed by another key");
  // The right kid over the wrong signature.
  std::string file = signer.file(signer.header());
  const std::string foreign = to_base64url(ed25519_sign(other, as_bytes("x")));
  file.replace(file.rfind('"') - 86, 86, foreign);
  CHECK(signer.objection(file) == "signature is not valid");
}

TEST_CASE("a file has one form", "[jws]") {
  const Signer signer;
  const std::string good = signer.file(signer.header());
  must(signer.verify(good));
  const std::string inner = good.substr(1, good.size() - 3);
  const std::string refused[] = {
      "",
      "\n",
      "{}\n",
      "[]\n",
      good.substr(0, good.size() - 1),
      good + "\n",
      " " + good,
      "{ " + inner + "}\n",
      "{" + inner + ",\"header\":{}}\n",
      "{" + inner + ",\"payload\":\"e30\"}\n",
      "{\"signatures\":[]," + inner + "}\n",
      good.substr(0, good.size() - 2) + ",}\n",
  };
  for (const std::string& file : refused) {
    INFO(file);
    CHECK_FAILS_WITH(signer.verify(file), ErrorCode::kUnverified);
  }
  // The last character of a signature carries four bits that say nothing.
  std::string loose = good;
  char& last = loose[loose.rfind('"') - 1];
  last = last == 'g' ? 'h' : static_cast<char>(last + 1);
  CHECK_FAILS_WITH(signer.verify(loose), ErrorCode::kUnverified);
}

}  // namespace
}  // namespace quietus::test
