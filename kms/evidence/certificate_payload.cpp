// The payload of a certificate: claims to bytes and back.
#include <optional>

#include "base/text_encoding.hpp"
#include "evidence/certificate.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr const char* kPayloadType = "quietus-erasure-certificate";

Error unverified(std::string reason) {
  return {ErrorCode::kUnverified, std::move(reason)};
}

template <class Items, class Write>
Json list_of(const Items& items, Write write) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(write(item));
  return list;
}

Json encode_key(const ClaimedKey& key) {
  Json json;
  json["key_id"] = hex_id(key.id);
  json["line"] = name_of(key.line);
  json["generation"] = key.generation;
  json["algorithm"] = "AES-256";
  json["strength_bits"] = 256U;
  json["commitment"] = to_hex(key.commitment);
  return json;
}

Json encode_target(const ClaimedTarget& target) {
  Json json;
  json["scope_id"] = hex_id(target.scope);
  json["keys"] = list_of(target.keys, encode_key);
  return json;
}

Json encode_method() {
  Json json;
  json["sanitization"] = "purge";
  json["technique"] = "cryptographic erase by key destruction";
  json["extent"] = "partial sanitization of the medium";
  json["reference"] = "NIST SP 800-88 Rev. 2, section 3.2";
  return json;
}

Json encode_slot(const ClaimedSlot& slot) {
  Json json;
  json["slot_id"] = to_hex(slot.id);
  json["generation"] = slot.generation;
  json["mirrors"] = slot.mirrors;
  json["overwritten"] = slot.overwritten;
  json["read_back"] = slot.read_back;
  json["gone"] = slot.gone;
  return json;
}

Json encode_root(const ClaimedRoot& root) {
  Json json;
  json["provider"] = root.provider.text();
  json["assurance"] = root.assurance;
  json["assurance_known"] = root.assurance_known;
  json["generation_before"] = root.generation_before;
  json["generation_after"] = root.generation_after;
  json["slots_destroyed"] = list_of(root.slots, encode_slot);
  return json;
}

// The kind that a proof is labelled with; "unknown" when its entry does not say.
std::string kind_of(const Bytes& entry) {
  const Result<LogEntry> parsed = LogEntry::parse(entry);
  return parsed ? parsed->kind() : "unknown";
}

Json encode_proof(const ProvenEntry& proof) {
  Json json;
  json["kind"] = kind_of(proof.entry);
  json["entry"] = to_base64(proof.entry);
  json["proof"] = proof.proof;
  return json;
}

Json encode_log(const ClaimedLog& log) {
  Json json;
  json["origin"] = log.origin;
  json["vkey"] = log.vkey;
  json["proofs"] = list_of(log.proofs, encode_proof);
  return json;
}

Json encode_export(const ClaimedExport& made) {
  Json json;
  json["scope_id"] = hex_id(made.scope);
  json["time"] = format_utc(made.time);
  json["records"] = made.records;
  json["bytes"] = made.bytes;
  return json;
}

Json encode_issuer(const ErasureClaims& claims) {
  Json json;
  json["kid"] = claims.issuer_kid;
  json["tool"] = claims.tool;
  return json;
}

Json encode_holders(const ErasureClaims& claims) {
  Json json;
  json["acknowledged"] = claims.holders_acknowledged;
  json["ended"] = claims.holders_ended;
  return json;
}

Json encode_times(const ClaimedTimes& times) {
  Json json;
  json["begun"] = format_utc(times.begun);
  json["keys_unreachable"] = format_utc(times.keys_unreachable);
  json["slot_destroyed"] = format_utc(times.slot_destroyed);
  return json;
}

Json encode_sentences(std::span<const std::string_view> sentences) {
  return list_of(sentences, [](std::string_view sentence) { return Json(sentence); });
}

// Decoding reads every member that carries a fact; the constants are compared as a whole
// afterwards.

ClaimedKey decode_key(JsonFields json) {
  ClaimedKey key;
  key.id = json.id("key_id");
  const std::string line = json.text("line");
  if (line == name_of(KeyLine::kLasting))
    key.line = KeyLine::kLasting;
  else if (line != name_of(KeyLine::kData))
    json.fail("line");
  key.generation = json.number("generation");
  key.commitment = json.hex<sizeof(KeyCommitment)>("commitment");
  return key;
}

ClaimedSlot decode_slot(JsonFields json) {
  ClaimedSlot slot;
  slot.id = json.hex<sizeof(SlotId)>("slot_id");
  slot.generation = json.number("generation");
  slot.mirrors = json.number("mirrors");
  slot.overwritten = json.boolean("overwritten");
  slot.read_back = json.boolean("read_back");
  slot.gone = json.boolean("gone");
  return slot;
}

ClaimedRoot decode_root(JsonFields json, std::string& fault) {
  ClaimedRoot root;
  root.provider = json.code("provider");
  root.assurance = json.text("assurance");
  root.assurance_known = json.boolean("assurance_known");
  root.generation_before = json.number("generation_before");
  root.generation_after = json.number("generation_after");
  for (const Json& slot : json.list("slots_destroyed"))
    root.slots.push_back(decode_slot({slot, fault}));
  return root;
}

ProvenEntry decode_proof(JsonFields json) {
  ProvenEntry proof;
  std::optional<Bytes> entry = from_base64(json.text("entry"));
  if (entry)
    proof.entry = *std::move(entry);
  else
    json.fail("entry");
  if (json.text("kind") != kind_of(proof.entry)) json.fail("kind");
  proof.proof = json.text("proof");
  return proof;
}

ClaimedLog decode_log(JsonFields json, std::string& fault) {
  ClaimedLog log;
  log.origin = json.text("origin");
  log.vkey = json.text("vkey");
  for (const Json& proof : json.list("proofs")) log.proofs.push_back(decode_proof({proof, fault}));
  return log;
}

ClaimedExport decode_export(JsonFields json) {
  ClaimedExport made;
  made.scope = json.id("scope_id");
  made.time = json.time("time");
  made.records = json.number("records");
  made.bytes = json.number("bytes");
  return made;
}

ClaimedTimes decode_times(JsonFields json) {
  ClaimedTimes times;
  times.begun = json.time("begun");
  times.keys_unreachable = json.time("keys_unreachable");
  times.slot_destroyed = json.time("slot_destroyed");
  return times;
}

template <class Value>
Value decode_choice(JsonFields json, const char* name, std::array<Value, 2> choices) {
  const std::string text = json.text(name);
  for (const Value choice : choices)
    if (text == name_of(choice)) return choice;
  json.fail(name);
  return choices[0];
}

ErasureClaims decode_members(JsonFields json, std::string& fault) {
  ErasureClaims claims;
  claims.certificate = json.hex<sizeof(CertificateId)>("certificate_id");
  claims.vault = json.hex<sizeof(VaultId)>("vault_id");
  JsonFields issuer = json.object("issuer");
  claims.issuer_kid = issuer.text("kid");
  claims.tool = issuer.text("tool");
  claims.issued_at = json.time("issued_at");
  claims.status = decode_choice(
      json, "status", std::array{CertificateStatus::kPartial, CertificateStatus::kComplete});
  claims.phase =
      decode_choice(json, "phase", std::array{CertificatePhase::kLive, CertificatePhase::kFinal});
  claims.erasure = json.hex<sizeof(ErasureId)>("erasure_id");
  claims.reason = json.code("reason");
  for (const Json& item : json.list("targets")) {
    JsonFields fields(item, fault);
    ClaimedTarget target{fields.id("scope_id"), {}};
    for (const Json& key : fields.list("keys")) target.keys.push_back(decode_key({key, fault}));
    claims.targets.push_back(std::move(target));
  }
  claims.root = decode_root(json.object("root"), fault);
  JsonFields holders = json.object("holders");
  claims.holders_acknowledged = holders.number("acknowledged");
  claims.holders_ended = holders.number("ended");
  claims.times = decode_times(json.object("times"));
  claims.log = decode_log(json.object("log"), fault);
  for (const Json& made : json.list("exports"))
    claims.exports.push_back(decode_export({made, fault}));
  return claims;
}

}  // namespace

std::string_view name_of(CertificateStatus status) noexcept {
  return status == CertificateStatus::kComplete ? "complete" : "partial";
}

std::string_view name_of(CertificatePhase phase) noexcept {
  return phase == CertificatePhase::kFinal ? "final" : "live";
}

std::string encode_claims(const ErasureClaims& claims) {
  Json json;
  json["version"] = kVersion;
  json["type"] = kPayloadType;
  json["certificate_id"] = to_hex(claims.certificate);
  json["vault_id"] = to_hex(claims.vault);
  json["issuer"] = encode_issuer(claims);
  json["issued_at"] = format_utc(claims.issued_at);
  json["status"] = name_of(claims.status);
  json["phase"] = name_of(claims.phase);
  json["erasure_id"] = to_hex(claims.erasure);
  json["reason"] = claims.reason.text();
  json["targets"] = list_of(claims.targets, encode_target);
  json["method"] = encode_method();
  json["root"] = encode_root(claims.root);
  json["holders"] = encode_holders(claims);
  json["times"] = encode_times(claims.times);
  json["log"] = encode_log(claims.log);
  json["exports"] = list_of(claims.exports, encode_export);
  json["claims"] = encode_sentences(certificate_claims());
  json["exclusions"] = encode_sentences(certificate_exclusions());
  return canonical_text(json);
}

Result<ErasureClaims> decode_claims(ByteView payload) {
  const Result<Json> json = parse_strict_json(as_text(payload));
  if (!json) return unverified("payload: " + json.error().context());
  std::string fault;
  JsonFields fields(*json, fault);
  const std::string type = fields.text("type");
  const std::uint64_t version = fields.number("version");
  if (!fault.empty() || type != kPayloadType)
    return unverified("payload is not an erasure certificate");
  if (version != kVersion)
    return Error(ErrorCode::kUnsupported, "certificate is of a version that is not known here");

  ErasureClaims claims = decode_members(fields, fault);
  if (!fault.empty()) return unverified("payload has a missing or malformed " + fault);
  if (encode_claims(claims) != as_text(payload))
    return unverified("payload has unknown members, other sentences or is not in canonical form");
  return claims;
}

}  // namespace quietus
