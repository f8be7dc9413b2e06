#include <quietus/certificate.hpp>

#include "base/text_encoding.hpp"
#include "evidence/certificate.hpp"
#include "evidence/jws.hpp"
#include "evidence/log_evidence.hpp"
#include "evidence/subject.hpp"

namespace quietus {
namespace {

std::vector<std::string> to_lines(std::span<const std::string_view> sentences) {
  return {sentences.begin(), sentences.end()};
}

std::size_t count_keys(const ErasureClaims& claims) {
  std::size_t count = 0;
  for (const ClaimedTarget& target : claims.targets) count += target.keys.size();
  return count;
}

std::vector<std::string> checked_lines(const ErasureClaims& claims, const Checkpoint& checkpoint) {
  const std::string status(name_of(claims.status));
  return {
      "Signature: Ed25519, valid under the issuer's key " + claims.issuer_kid + ".",
      "Form: version 1, every member known, one canonical form, nothing added.",
      "Status " + status + ": agrees with the " + std::to_string(claims.root.slots.size()) +
          " root slot(s) listed and with the assurance stated.",
      "Root generation: from " + std::to_string(claims.root.generation_before) + " to " +
          std::to_string(claims.root.generation_after) + ".",
      "Times: begun, keys unreachable, slot destroyed and issued follow each other.",
      "Log: keys-unreachable and slot-destroyed of this erasure are in the log " +
          checkpoint.origin + ", in this order, under one signed checkpoint of " +
          std::to_string(checkpoint.head.size) + " entries.",
      "Keys: each of the " + std::to_string(count_keys(claims)) +
          " key(s) listed was logged when it was created, with the commitment stated, and is among "
          "those that became unreachable.",
  };
}

std::vector<std::string> unchecked_lines(const Checkpoint& checkpoint, bool pinned) {
  std::vector<std::string> lines;
  if (!pinned)
    lines.emplace_back(
        "Log key not pinned: the one in the certificate was used; compare it with one obtained "
        "from "
        "elsewhere.");
  lines.emplace_back("Whether others are shown the same log: compare its root " +
                     to_hex(checkpoint.head.root) +
                     " with a checkpoint obtained from elsewhere. No witness was asked.");
  lines.emplace_back(
      "How many scopes, records and bytes became unreadable: counted by the vault when the erasure "
      "began.");
  lines.emplace_back(
      "Whose scopes they were: the certificate holds commitments, which their owner can open.");
  lines.emplace_back("The clock: times are the issuer's own, no time stamp is enclosed.");
  return lines;
}

}  // namespace

class CertificateVerifier {
 public:
  CertificateVerifier(const Ed25519PublicKey& issuer, const CertificateExpectations& expectations)
      : issuer_(issuer), expectations_(expectations) {}

  Result<VerifiedCertificate> verify(ByteView file) const {
    QUIETUS_TRY_AS(const Bytes payload, verify_jws(file, kCertificateType, issuer_));
    QUIETUS_TRY_AS(const ErasureClaims claims, decode_claims(payload));
    if (claims.issuer_kid != jwk_thumbprint(issuer_))
      return Error(ErrorCode::kUnverified, "payload names another issuer than the signature");
    if (expectations_.log_vkey && *expectations_.log_vkey != claims.log.vkey)
      return Error(ErrorCode::kUnverified, "log key is not the expected one");
    QUIETUS_TRY(check_claims(claims));
    QUIETUS_TRY_AS(const Checkpoint checkpoint, verify_log_evidence(claims));
    return make(claims, checkpoint);
  }

 private:
  VerifiedCertificate make(const ErasureClaims& claims, const Checkpoint& checkpoint) const {
    VerifiedCertificate made;
    made.certificate_id_ = to_hex(claims.certificate);
    made.vault_id_ = to_hex(claims.vault);
    made.erasure_id_ = to_hex(claims.erasure);
    made.reason_ = claims.reason.text();
    made.status_ = claims.status;
    made.phase_ = claims.phase;
    for (const ClaimedTarget& target : claims.targets) {
      made.scope_ids_.push_back(target.scope);
      made.scopes_.push_back(
          {target.scope, target.level, target.subject ? to_hex(*target.subject) : std::string()});
    }
    made.amount_ = {claims.unreadable.scopes_below, claims.unreadable.keys_below,
                    claims.unreadable.records, claims.unreadable.bytes};
    for (const CertificateId& id : claims.supersedes) made.supersedes_.push_back(to_hex(id));
    made.times_ = {claims.times.begun, claims.times.keys_unreachable, claims.times.slot_destroyed,
                   claims.issued_at};
    made.issuer_kid_ = claims.issuer_kid;
    made.log_vkey_ = claims.log.vkey;
    made.log_key_pinned_ = expectations_.log_vkey.has_value();
    made.report_.checked = checked_lines(claims, checkpoint);
    made.report_.not_checked = unchecked_lines(checkpoint, made.log_key_pinned_);
    made.report_.claims = to_lines(certificate_claims(!claims.snapshots.empty()));
    made.report_.not_claimed = to_lines(certificate_exclusions());
    return made;
  }

  const Ed25519PublicKey& issuer_;
  const CertificateExpectations& expectations_;
};

Result<VerifiedCertificate> verify_certificate(ByteView file, std::string_view issuer_key_pem,
                                               const CertificateExpectations& expectations) {
  QUIETUS_TRY_AS(const Ed25519PublicKey issuer, ed25519_from_pem(issuer_key_pem));
  if (expectations.log_vkey) {
    const Result<NoteKey> log_key = parse_vkey(*expectations.log_vkey);
    if (!log_key) return Error(ErrorCode::kInvalidArgument, log_key.error().context());
  }
  return CertificateVerifier(issuer, expectations).verify(file);
}

Result<void> check_subject(const VerifiedCertificate& certificate, const SubjectOpening& opening) {
  const auto salt = from_hex(opening.salt);
  const auto vault = from_hex(certificate.vault_id());
  if (!salt || salt->size() != kSubjectSaltSize || !vault)
    return Error(ErrorCode::kInvalidArgument, "the salt of a subject is 64 hex digits");
  VaultId id{};
  std::copy(vault->begin(), vault->end(), id.begin());
  const std::string commitment =
      to_hex(subject_commitment(*salt, id, opening.scope_id, opening.path));
  for (const CertifiedScope& scope : certificate.scopes())
    if (scope.scope_id == opening.scope_id && scope.subject_commitment == commitment) return {};
  return Error(ErrorCode::kUnverified, "the certificate is of no scope of this path");
}

Result<std::string> issuer_key_jwk(std::string_view pem) {
  QUIETUS_TRY_AS(const Ed25519PublicKey key, ed25519_from_pem(pem));
  return format_jwk(key);
}

Result<std::string> issuer_key_pem(std::string_view jwk) {
  QUIETUS_TRY_AS(const Ed25519PublicKey key, parse_jwk(jwk));
  return ed25519_to_pem(key);
}

}  // namespace quietus
