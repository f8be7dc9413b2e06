// The payload of a certificate: claims to bytes.
#include <optional>

#include "base/text_encoding.hpp"
#include "evidence/certificate.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {
namespace {

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

Json encode_approval(const ClaimedApproval& approval) {
  Json json;
  json["operator_id"] = to_hex(approval.person);
  json["key_sha256"] = to_hex(approval.key);
  json["time"] = format_utc(approval.time);
  json["touched"] = approval.touched;
  json["verified"] = approval.verified;
  return json;
}

Json encode_request(const ClaimedRequest& request) {
  Json json;
  json["request_id"] = to_hex(request.request);
  json["kind"] = request.kind.text();
  json["plan_sha256"] = to_hex(request.plan);
  json["approvals"] = list_of(request.approvals, encode_approval);
  return json;
}

Json encode_batch(const ClaimedBatch& batch) {
  Json json;
  json["statement_id"] = to_hex(batch.statement);
  json["scopes"] = batch.scopes;
  json["index"] = batch.index;
  json["proof"] = list_of(batch.proof, [](const Hash& hash) { return Json(to_hex(hash)); });
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

Json encode_proof(const ProvenEntry& proof) {
  Json json;
  json["kind"] = proof_kind(proof.entry);
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

Json encode_instance(const ClaimedInstance& other) {
  Json json;
  json["instance_id"] = to_hex(other.instance);
  json["copied"] = format_utc(other.copied);
  json["receipt"] = other.receipt ? to_hex(*other.receipt) : std::string();
  return json;
}

const char* instances_state(const ErasureClaims& claims) {
  for (const ClaimedInstance& other : claims.instances)
    if (!other.receipt) return "not-covered";
  if (!claims.instances_known) return "unknown";
  return claims.instances.empty() ? "never-existed" : "destroyed";
}

const char* snapshots_state(const ErasureClaims& claims) {
  if (claims.snapshots.empty()) return "never-existed";
  return claims.phase == CertificatePhase::kLive ? "ages-out" : "destroyed";
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
  add("key-snapshots", snapshots_state(claims));
  add("restored-instances", instances_state(claims));
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

std::string_view name_of(DecidedBy by) noexcept {
  switch (by) {
    case DecidedBy::kSingleUser: return "single-user";
    case DecidedBy::kPolicy: return "policy";
    case DecidedBy::kApproval: return "approval";
    case DecidedBy::kUnknown: break;
  }
  return "unknown";
}

std::string_view name_of(SiteInbox inbox) noexcept {
  switch (inbox) {
    case SiteInbox::kNone: return "none";
    case SiteInbox::kDelivered: return "delivered";
    case SiteInbox::kNotYet: return "not-yet";
  }
  return "unknown";
}

std::string proof_kind(ByteView entry) {
  const Result<LogEntry> parsed = LogEntry::parse(entry);
  return parsed ? parsed->kind() : "unknown";
}

std::string statement_text(const StatementHead& head, const ClaimedTarget& target,
                           const ClaimedUnreadable& unreadable) {
  Json json;
  json["statement_id"] = to_hex(head.id);
  json["erasure_id"] = to_hex(head.erasure);
  json["reason"] = head.reason.text();
  json["target"] = encode_target(target);
  json["unreadable"] = encode_unreadable(unreadable);
  return canonical_text(json);
}

std::string encode_claims(const ErasureClaims& claims) {
  Json json;
  json["version"] = kCertificateVersion;
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
  json["decided_by"] = name_of(claims.decided);
  if (claims.request) json["request"] = encode_request(*claims.request);
  json["targets"] = list_of(claims.targets, encode_target);
  json["unreadable"] = encode_unreadable(claims.unreadable);
  if (claims.batch) json["batch"] = encode_batch(*claims.batch);
  json["method"] = encode_method();
  json["root"] = encode_root(claims.root);
  json["holders"] = encode_holders(claims);
  json["times"] = encode_times(claims.times);
  json["log"] = encode_log(claims.log);
  json["exports"] = list_of(claims.exports, encode_export);
  json["exports_known"] = claims.exports_known;
  json["key_snapshots"] = list_of(claims.snapshots, encode_snapshot);
  json["instances"] = list_of(claims.instances, encode_instance);
  json["instances_known"] = claims.instances_known;
  if (claims.site_inbox != SiteInbox::kNone) json["site_inbox"] = name_of(claims.site_inbox);
  json["copies"] = encode_copies(claims);
  json["claims"] = encode_sentences(certificate_claims(claims));
  json["exclusions"] = encode_sentences(certificate_exclusions());
  return canonical_text(json);
}

}  // namespace quietus
