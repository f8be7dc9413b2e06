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
  json["level"] = target.level;
  json["subject"] = target.subject ? to_hex(*target.subject) : std::string();
  json["keys"] = list_of(target.keys, encode_key);
  return json;
}

Json encode_unreadable(const ClaimedUnreadable& unreadable) {
  Json json;
  json["scopes_below"] = unreadable.scopes_below;
  json["keys_below"] = unreadable.keys_below;
  json["records"] = unreadable.records;
  json["bytes"] = unreadable.bytes;
  json["counted"] = unreadable.counted;
  return json;
}

Json encode_method() {
  Json json;
  json["sanitization"] = "purge";
  json["technique"] = "cryptographic erase by key destruction";
  json["extent"] = "partial sanitization of the medium";
  json["verification"] =
      "each root slot read back through a new descriptor; the provider listed exactly those in use";
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

Json encode_snapshot(const ClaimedSnapshot& snapshot) {
  Json json;
  json["epoch_id"] = to_hex(snapshot.epoch);
  json["clear_date"] = format_utc(snapshot.clear_date);
  json["attested"] = snapshot.attested;
  return json;
}

// Every place where a copy of the keys or of the data can be, with what is known of it.
Json encode_copies(const ErasureClaims& claims) {
  Json list = Json::array();
  const auto add = [&](const char* copy, const char* state) {
    Json json;
    json["copy"] = copy;
    json["state"] = state;
    list.push_back(std::move(json));
  };
  add("root-slots", slots_are_destroyed(claims.root) ? "destroyed" : "unknown");
  add("process-memory", "destroyed");
  add("key-snapshots", claims.snapshots.empty() ? "never-existed" : "ages-out");
  const char* const exports = claims.exports.empty() ? "never-existed" : "outside";
  add("known-exports", claims.exports_known ? exports : "unknown");
  add("copies-outside-the-vault", "outside");
  return list;
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

std::optional<Sha256> decode_subject(JsonFields& json) {
  if (json.text("subject").empty()) return std::nullopt;
  return json.hex<sizeof(Sha256)>("subject");
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

ClaimedTarget decode_target(JsonFields json, std::string& fault) {
  ClaimedTarget target;
  target.scope = json.id("scope_id");
  target.level = json.number("level");
  target.subject = decode_subject(json);
  for (const Json& key : json.list("keys")) target.keys.push_back(decode_key({key, fault}));
  return target;
}

ClaimedUnreadable decode_unreadable(JsonFields json) {
  ClaimedUnreadable unreadable;
  unreadable.scopes_below = json.number("scopes_below");
  unreadable.keys_below = json.number("keys_below");
  unreadable.records = json.number("records");
  unreadable.bytes = json.number("bytes");
  unreadable.counted = json.boolean("counted");
  return unreadable;
}

ClaimedSnapshot decode_snapshot(JsonFields json) {
  ClaimedSnapshot snapshot;
  snapshot.epoch = json.hex<16>("epoch_id");
  snapshot.clear_date = json.time("clear_date");
  snapshot.attested = json.boolean("attested");
  return snapshot;
}

// A list of 32 hex digits each.
std::vector<CertificateId> decode_superseded(JsonFields& json) {
  std::vector<CertificateId> ids;
  for (const Json& item : json.list("supersedes")) {
    const auto bytes = item.is_string() ? from_hex(item.get<std::string>()) : std::nullopt;
    if (!bytes || bytes->size() != std::tuple_size_v<CertificateId>) {
      json.fail("supersedes");
      return {};
    }
    CertificateId id{};
    std::copy(bytes->begin(), bytes->end(), id.begin());
    ids.push_back(id);
  }
  return ids;
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

template <class Value, std::size_t N>
Value decode_choice(JsonFields json, const char* name, std::array<Value, N> choices) {
  const std::string text = json.text(name);
  for (const Value choice : choices)
    if (text == name_of(choice)) return choice;
  json.fail(name);
  return choices[0];
}

ErasureClaims decode_members(JsonFields json, std::string& fault) {
  ErasureClaims claims;
  claims.certificate = json.hex<sizeof(CertificateId)>("certificate_id");
  claims.supersedes = decode_superseded(json);
  claims.vault = json.hex<sizeof(VaultId)>("vault_id");
  JsonFields issuer = json.object("issuer");
  claims.issuer_kid = issuer.text("kid");
  claims.tool = issuer.text("tool");
  claims.issued_at = json.time("issued_at");
  claims.status =
      decode_choice(json, "status",
                    std::array{CertificateStatus::kPartial, CertificateStatus::kComplete,
                               CertificateStatus::kPendingSnapshots});
  claims.phase =
      decode_choice(json, "phase", std::array{CertificatePhase::kLive, CertificatePhase::kFinal});
  claims.erasure = json.hex<sizeof(ErasureId)>("erasure_id");
  claims.reason = json.code("reason");
  for (const Json& target : json.list("targets"))
    claims.targets.push_back(decode_target({target, fault}, fault));
  claims.unreadable = decode_unreadable(json.object("unreadable"));
  claims.root = decode_root(json.object("root"), fault);
  JsonFields holders = json.object("holders");
  claims.holders_acknowledged = holders.number("acknowledged");
  claims.holders_ended = holders.number("ended");
  claims.times = decode_times(json.object("times"));
  claims.log = decode_log(json.object("log"), fault);
  for (const Json& made : json.list("exports"))
    claims.exports.push_back(decode_export({made, fault}));
  claims.exports_known = json.boolean("exports_known");
  for (const Json& snapshot : json.list("key_snapshots"))
    claims.snapshots.push_back(decode_snapshot({snapshot, fault}));
  return claims;
}

}  // namespace

std::string_view name_of(CertificateStatus status) noexcept {
  switch (status) {
    case CertificateStatus::kComplete: return "complete";
    case CertificateStatus::kPendingSnapshots: return "pending-snapshots";
    case CertificateStatus::kPartial: break;
  }
  return "partial";
}

std::string_view name_of(CertificatePhase phase) noexcept {
  return phase == CertificatePhase::kFinal ? "final" : "live";
}

std::string encode_claims(const ErasureClaims& claims) {
  Json json;
  json["version"] = kVersion;
  json["type"] = kPayloadType;
  json["certificate_id"] = to_hex(claims.certificate);
  json["supersedes"] =
      list_of(claims.supersedes, [](const CertificateId& id) { return Json(to_hex(id)); });
  json["vault_id"] = to_hex(claims.vault);
  json["issuer"] = encode_issuer(claims);
  json["issued_at"] = format_utc(claims.issued_at);
  json["status"] = name_of(claims.status);
  json["phase"] = name_of(claims.phase);
  json["erasure_id"] = to_hex(claims.erasure);
  json["reason"] = claims.reason.text();
  json["targets"] = list_of(claims.targets, encode_target);
  json["unreadable"] = encode_unreadable(claims.unreadable);
  json["method"] = encode_method();
  json["root"] = encode_root(claims.root);
  json["holders"] = encode_holders(claims);
  json["times"] = encode_times(claims.times);
  json["log"] = encode_log(claims.log);
  json["exports"] = list_of(claims.exports, encode_export);
  json["exports_known"] = claims.exports_known;
  json["key_snapshots"] = list_of(claims.snapshots, encode_snapshot);
  json["copies"] = encode_copies(claims);
  json["claims"] = encode_sentences(certificate_claims(!claims.snapshots.empty()));
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
