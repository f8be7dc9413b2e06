// The payload of a certificate: bytes back to claims.
#include <algorithm>
#include <array>
#include <optional>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/certificate.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {
namespace {

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

ClaimedRequest decode_request(JsonFields json, std::string& fault) {
  ClaimedRequest request;
  request.request = json.hex<16>("request_id");
  request.kind = json.code("kind");
  request.plan = json.hex<sizeof(Sha256)>("plan_sha256");
  for (const Json& approval : json.list("approvals")) {
    JsonFields fields(approval, fault);
    ClaimedApproval& one = request.approvals.emplace_back();
    one.person = fields.hex<16>("operator_id");
    one.key = fields.hex<sizeof(Sha256)>("key_sha256");
    one.time = fields.time("time");
    one.touched = fields.boolean("touched");
    one.verified = fields.boolean("verified");
  }
  return request;
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
  if (json.text("kind") != proof_kind(proof.entry)) json.fail("kind");
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

ClaimedInstance decode_instance(JsonFields json) {
  ClaimedInstance other;
  other.instance = json.hex<sizeof(InstanceId)>("instance_id");
  other.copied = json.time("copied");
  if (!json.text("receipt").empty()) other.receipt = json.hex<sizeof(CertificateId)>("receipt");
  return other;
}

// A list of hex texts of one length.
template <class Item>
std::vector<Item> decode_hex_list(JsonFields& json, const char* name) {
  std::vector<Item> items;
  for (const Json& text : json.list(name)) {
    const auto bytes = text.is_string() ? from_hex(text.get<std::string>()) : std::nullopt;
    if (!bytes || bytes->size() != std::tuple_size_v<Item>) {
      json.fail(name);
      return {};
    }
    Item item{};
    std::copy(bytes->begin(), bytes->end(), item.begin());
    items.push_back(item);
  }
  return items;
}

ClaimedBatch decode_batch(JsonFields json) {
  ClaimedBatch batch;
  batch.statement = json.hex<sizeof(StatementId)>("statement_id");
  batch.scopes = json.number("scopes");
  batch.index = json.number("index");
  batch.proof = decode_hex_list<Hash>(json, "proof");
  return batch;
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
  claims.supersedes = decode_hex_list<CertificateId>(json, "supersedes");
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
  claims.decided = decode_choice(json, "decided_by",
                                 std::array{DecidedBy::kSingleUser, DecidedBy::kPolicy,
                                            DecidedBy::kApproval, DecidedBy::kUnknown});
  if (json.has("request")) claims.request = decode_request(json.object("request"), fault);
  const bool approved = claims.decided == DecidedBy::kApproval;
  const bool may_name_it = approved || claims.decided == DecidedBy::kPolicy;
  if (claims.request ? !may_name_it : approved) json.fail("request");
  for (const Json& target : json.list("targets"))
    claims.targets.push_back(decode_target({target, fault}, fault));
  claims.unreadable = decode_unreadable(json.object("unreadable"));
  if (json.has("batch")) claims.batch = decode_batch(json.object("batch"));
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
  for (const Json& other : json.list("instances"))
    claims.instances.push_back(decode_instance({other, fault}));
  claims.instances_known = json.boolean("instances_known");
  if (json.has("site_inbox"))
    claims.site_inbox =
        decode_choice(json, "site_inbox", std::array{SiteInbox::kDelivered, SiteInbox::kNotYet});
  return claims;
}

}  // namespace

Result<ErasureClaims> decode_claims(ByteView payload) {
  const Result<Json> json = parse_strict_json(as_text(payload));
  if (!json) return unverified("payload: " + json.error().context());
  std::string fault;
  JsonFields fields(*json, fault);
  const std::string type = fields.text("type");
  const std::uint64_t version = fields.number("version");
  if (!fault.empty() || type != kPayloadType)
    return unverified("payload is not an erasure certificate");
  if (version != kCertificateVersion)
    return Error(ErrorCode::kUnsupported, "certificate is of a version that is not known here");

  ErasureClaims claims = decode_members(fields, fault);
  if (!fault.empty()) return unverified("payload has a missing or malformed " + fault);
  if (encode_claims(claims) != as_text(payload))
    return unverified("payload has unknown members, other sentences or is not in canonical form");
  return claims;
}

}  // namespace quietus
