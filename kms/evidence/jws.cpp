#include "evidence/jws.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/hash.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {
namespace {

constexpr std::string_view kEdDsa = "EdDSA";      // RFC 8037
constexpr std::string_view kEd25519 = "Ed25519";  // RFC 9864

// The three parts of a file, still encoded, and what stands around them.
constexpr std::string_view kBeforePayload = R"({"payload":")";
constexpr std::string_view kBeforeHeader = R"(","protected":")";
constexpr std::string_view kBeforeSignature = R"(","signature":")";
constexpr std::string_view kEnd = "\"}\n";

struct Parts {
  std::string payload;
  std::string header;
  std::string signature;

  std::string file() const {
    std::string text(kBeforePayload);
    text.append(payload).append(kBeforeHeader).append(header);
    return text.append(kBeforeSignature).append(signature).append(kEnd);
  }
  std::string signing_input() const { return header + "." + payload; }
};

std::string header_text(std::string_view algorithm, std::string_view kid, std::string_view type) {
  Json json = Json::object();
  json["alg"] = algorithm;
  json["kid"] = kid;
  json["typ"] = type;
  return canonical_text(json);
}

// What stands between `before` and the next quotation mark, taken off the text; nothing when
// `before` does not stand at its start.
std::string take_part(std::string_view& text, std::string_view before) {
  if (!text.starts_with(before)) return {};
  text.remove_prefix(before.size());
  std::string part(text.substr(0, text.find('"')));
  text.remove_prefix(part.size());
  return part;
}

// One form is valid, so it is taken apart as that form and not as JSON.
Result<Parts> split_file(std::string_view file) {
  if (file.size() > kMaxJwsFile) return unverified("document is too large");
  Parts parts;
  std::string_view rest = file;
  parts.payload = take_part(rest, kBeforePayload);
  parts.header = take_part(rest, kBeforeHeader);
  parts.signature = take_part(rest, kBeforeSignature);
  if (parts.file() != file) return unverified("document is not in canonical form");
  return parts;
}

// Members that would let the document choose its own key or rules; each is refused by name.
Result<void> refuse_other_members(const Json& header) {
  static constexpr std::array<std::string_view, 3> kKnown = {"alg", "kid", "typ"};
  static constexpr std::array<std::string_view, 5> kNamed = {"jwk", "jku", "x5u", "x5c", "crit"};
  for (const auto& [name, value] : header.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end()) continue;
    const bool named = std::find(kNamed.begin(), kNamed.end(), name) != kNamed.end();
    return unverified(named ? "header has a " + name : "header has an unknown member");
  }
  return {};
}

// The kid of a header that is that of a document of this type.
Result<std::string> read_header(std::string_view text, std::string_view type) {
  Result<Json> json = parse_strict_json(text);
  if (!json) return std::move(json).error().within("header");
  if (!json->is_object()) return unverified("header is not an object");
  QUIETUS_TRY(refuse_other_members(*json));
  std::string fault;
  JsonFields fields(*json, fault);
  const std::string algorithm = fields.text("alg");
  std::string kid = fields.text("kid");
  const std::string header_type = fields.text("typ");
  if (!fault.empty()) return unverified("header has no " + fault);
  if (algorithm != kEdDsa && algorithm != kEd25519)
    return unverified("header names another algorithm than the key's");
  if (header_type != type) return unverified("header names another type of document");
  if (text != header_text(algorithm, kid, type))
    return unverified("header is not in canonical form");
  return kid;
}

Json public_jwk(const Ed25519PublicKey& key) {
  Json jwk = Json::object();
  jwk["crv"] = "Ed25519";
  jwk["kty"] = "OKP";
  jwk["x"] = to_base64url(key);
  return jwk;
}

}  // namespace

std::string sign_jws(ByteView payload, std::string_view type, const SigningKey& key) {
  const std::string kid = jwk_thumbprint(ed25519_public_key(key));
  Parts parts;
  parts.header = to_base64url(as_bytes(header_text(kEdDsa, kid, type)));
  parts.payload = to_base64url(payload);
  parts.signature = to_base64url(ed25519_sign(key, as_bytes(parts.signing_input())));
  return parts.file();
}

Result<UnverifiedJws> read_jws(ByteView file, std::string_view type) {
  QUIETUS_TRY_AS(const Parts parts, split_file(as_text(file)));
  const std::optional<Bytes> header = from_base64url(parts.header);
  std::optional<Bytes> signature = from_base64url(parts.signature);
  std::optional<Bytes> payload = from_base64url(parts.payload);
  if (!header || !signature || !payload) return unverified("document has malformed base64url");
  QUIETUS_TRY_AS(std::string kid, read_header(as_text(*header), type));
  return UnverifiedJws{*std::move(payload), *std::move(signature), parts.signing_input(),
                       std::move(kid)};
}

Result<Bytes> verify_jws(ByteView file, std::string_view type, const Ed25519PublicKey& key) {
  QUIETUS_TRY_AS(UnverifiedJws jws, read_jws(file, type));
  if (jws.kid != jwk_thumbprint(key)) return unverified("document was signed by another key");
  if (!ed25519_verify(key, as_bytes(jws.signing_input), jws.signature))
    return unverified("signature is not valid");
  return std::move(jws.payload);
}

std::string jwk_thumbprint(const Ed25519PublicKey& key) {
  return to_base64url(sha256(as_bytes(canonical_text(public_jwk(key)))));
}

std::string format_jwk(const Ed25519PublicKey& key) {
  Json jwk = public_jwk(key);
  jwk["kid"] = jwk_thumbprint(key);
  jwk["alg"] = kEdDsa;
  jwk["use"] = "sig";
  return canonical_text(jwk);
}

Result<Ed25519PublicKey> parse_jwk(std::string_view jwk) {
  const auto invalid = [](const char* reason) {
    return Error(ErrorCode::kInvalidArgument, reason);
  };
  const Result<Json> json = parse_strict_json(jwk);
  if (!json || !json->is_object()) return invalid("not a JSON web key");
  if (json->contains("d")) return invalid("JSON web key has a private part");
  std::string fault;
  JsonFields fields(*json, fault);
  const std::string type = fields.text("kty");
  const std::string curve = fields.text("crv");
  const std::optional<Bytes> x = from_base64url(fields.text("x"));
  if (!fault.empty() || type != "OKP" || curve != "Ed25519" || !x ||
      x->size() != sizeof(Ed25519PublicKey))
    return invalid("not an Ed25519 JSON web key");
  Ed25519PublicKey key;
  std::copy(x->begin(), x->end(), key.begin());
  return key;
}

}  // namespace quietus
