#include <quietus/certificate.hpp>

#include "base/text_encoding.hpp"
#include "crypto/hash.hpp"
#include "evidence/add_checkpoint.hpp"
#include "evidence/certificate.hpp"
#include "evidence/jws.hpp"
#include "evidence/log_evidence.hpp"
#include "evidence/subject.hpp"
#include "evidence/trust_file.hpp"

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

// How it was checked that the keys are among those that became unreachable.
std::string unreachable_line(const ErasureClaims& claims) {
  const std::string keys =
      "Keys: each of the " + std::to_string(count_keys(claims)) +
      " key(s) listed was logged when it was created, with the commitment stated, and is ";
  if (!claims.batch) return keys + "among those that became unreachable.";
  return keys + "in the statement of this scope, number " + std::to_string(claims.batch->index) +
         " of the " + std::to_string(claims.batch->scopes) +
         " whose hash tree the log holds as what became unreachable together.";
}

std::vector<std::string> checked_lines(const ErasureClaims& claims, const Checkpoint& checkpoint) {
  const std::string status(name_of(claims.status));
  const std::string_view unreachable =
      claims.batch ? entry_kinds::kBatchUnreachable : entry_kinds::kKeysUnreachable;
  return {
      "Signature: Ed25519, valid under the issuer's key " + claims.issuer_kid + ".",
      "Form: version 1, every member known, one canonical form, nothing added.",
      "Status " + status + ": agrees with the " + std::to_string(claims.root.slots.size()) +
          " root slot(s), the exports and the other instances listed, and with the assurance "
          "stated.",
      "Root generation: from " + std::to_string(claims.root.generation_before) + " to " +
          std::to_string(claims.root.generation_after) + ".",
      "Times: begun, keys unreachable, slot destroyed and issued follow each other.",
      "Log: " + std::string(unreachable) + " and slot-destroyed of this erasure are in the log " +
          checkpoint.origin + ", in this order, under one signed checkpoint of " +
          std::to_string(checkpoint.head.size) + " entries.",
      unreachable_line(claims),
  };
}

std::string instance_text(const ClaimedInstance& other) {
  return "Another instance of this vault, " + to_hex(other.instance) + ", copied " +
         format_utc(other.copied);
}

// What others state, in certificates that are not at hand.
std::vector<std::string> receipt_lines(const ErasureClaims& claims) {
  std::vector<std::string> lines;
  for (const ClaimedInstance& other : claims.instances)
    if (other.receipt)
      lines.push_back(instance_text(other) + ": its certificate " + to_hex(*other.receipt) +
                      " states that it destroyed the keys, too; ask for that one.");
  return lines;
}

// What the certificate does not cover: that which no certificate covers, and each other instance.
std::vector<std::string> uncovered_lines(const ErasureClaims& claims) {
  std::vector<std::string> lines = to_lines(certificate_exclusions());
  for (const ClaimedInstance& other : claims.instances)
    if (!other.receipt) lines.push_back(instance_text(other) + ": it may still hold the keys.");
  if (!claims.instances_known)
    lines.emplace_back(
        "Instances of this vault that are not known any more: they may still hold the keys.");
  return lines;
}

std::string statements_text(const std::vector<WitnessStatement>& witnesses) {
  std::string text;
  for (const WitnessStatement& statement : witnesses)
    text += (text.empty() ? "" : ", ") + statement.witness + " at " + format_utc(statement.unix_ms);
  return text;
}

// What the trust file adds to the lines above.
std::vector<std::string> trusted_lines(const Trust& trust, const Checkpoint& enclosed,
                                       const CheckedCheckpoint& witnessed) {
  std::vector<std::string> lines = {
      "Issuer: its key is that of " + trust.rules().issuer->name + " in the trust file.",
      "Log key: one of the trust file, " + witnessed.log_vkey + ".",
  };
  if (witnessed.size != enclosed.head.size)
    lines.push_back("Later checkpoint: the log goes on from the one in the certificate to one of " +
                    std::to_string(witnessed.size) + " entries.");
  if (trust.rules().quorum)
    lines.push_back("Witnesses: the checkpoint of " + std::to_string(witnessed.size) +
                    " entries meets the quorum " + trust.quorum() + ": " +
                    statements_text(witnessed.witnesses) + ".");
  return lines;
}

std::vector<std::string> unchecked_lines(const Checkpoint& checkpoint, bool pinned,
                                         const Trust* trust) {
  std::vector<std::string> lines;
  if (!pinned)
    lines.emplace_back(
        "Log key not pinned: the one in the certificate was used; compare it with one obtained "
        "from elsewhere.");
  if (trust != nullptr && trust->rules().quorum)
    lines.emplace_back(
        "Whether the witnesses are independent of the issuer and of each other: the trust file "
        "says that they are to be believed.");
  else
    lines.push_back("Whether others are shown the same log: compare its root " +
                    to_hex(checkpoint.head.root) +
                    " with a checkpoint obtained from elsewhere. No witness was asked" +
                    (trust == nullptr ? "." : ", the trust file needs none."));
  lines.emplace_back(
      "How many scopes, records and bytes became unreadable: counted by the vault when the erasure "
      "began.");
  lines.emplace_back(
      "Whose scopes they were: the certificate holds commitments, which their owner can open.");
  lines.emplace_back(kNoTimestampLine);
  return lines;
}

}  // namespace

class CertificateVerifier {
 public:
  // What the reader believes. The issuer's key says which algorithm verifies, never the file.
  struct Believed {
    Ed25519PublicKey issuer;
    std::optional<std::string> log_vkey;
    const Trust* trust = nullptr;
    std::optional<std::string_view> later;  // a checkpoint that the enclosed one leads to
  };
  explicit CertificateVerifier(Believed believed) : believed_(std::move(believed)) {}

  Result<VerifiedCertificate> verify(ByteView file) const {
    QUIETUS_TRY_AS(const Bytes payload, verify_jws(file, kCertificateType, believed_.issuer));
    QUIETUS_TRY_AS(const ErasureClaims claims, decode_claims(payload));
    if (claims.issuer_kid != jwk_thumbprint(believed_.issuer))
      return Error(ErrorCode::kUnverified, "payload names another issuer than the signature");
    if (believed_.log_vkey && *believed_.log_vkey != claims.log.vkey)
      return Error(ErrorCode::kUnverified, "log key is not the expected one");
    QUIETUS_TRY(check_claims(claims));
    QUIETUS_TRY_AS(const ProvenCheckpoint proven, verify_log_evidence(claims));
    VerifiedCertificate made = make(claims, proven.checkpoint);
    made.file_hash_ = sha256(file);
    if (believed_.trust != nullptr) QUIETUS_TRY(check_trust(*believed_.trust, proven, made));
    for (std::string& line : receipt_lines(claims))
      made.report_.not_checked.push_back(std::move(line));
    return made;
  }

 private:
  // A log that the trust file names signed the checkpoint, and its witnesses saw it or one that
  // goes on from it.
  Result<void> check_trust(const Trust& trust, const ProvenCheckpoint& proven,
                           VerifiedCertificate& made) const {
    QUIETUS_TRY_AS(const CheckedCheckpoint enclosed,
                   trust.open_checkpoint(proven.note).within("log of the certificate"));
    if (enclosed.log_vkey != made.log_vkey_)
      return Error(ErrorCode::kUnverified, "log key is not the one of the trust file");
    QUIETUS_TRY_AS(const CheckedCheckpoint witnessed, witnessed_checkpoint(trust, proven));
    made.log_key_pinned_ = true;
    made.witnesses_ = witnessed.witnesses;
    for (std::string& line : trusted_lines(trust, proven.checkpoint, witnessed))
      made.report_.checked.push_back(std::move(line));
    made.report_.not_checked = unchecked_lines(proven.checkpoint, true, &trust);
    return {};
  }

  Result<CheckedCheckpoint> witnessed_checkpoint(const Trust& trust,
                                                 const ProvenCheckpoint& proven) const {
    if (!believed_.later)
      return trust.check_checkpoint(proven.note).within("log of the certificate");
    QUIETUS_TRY_AS(const AddCheckpoint later,
                   parse_add_checkpoint(*believed_.later).within("later checkpoint"));
    QUIETUS_TRY_AS(CheckedCheckpoint witnessed,
                   trust.check_checkpoint(later.checkpoint).within("later checkpoint"));
    QUIETUS_TRY_AS(const SignedNote note, parse_note(later.checkpoint));
    QUIETUS_TRY_AS(const Checkpoint checkpoint, parse_checkpoint(note.text));
    if (checkpoint.origin != proven.checkpoint.origin)
      return Error(ErrorCode::kUnverified, "later checkpoint is of another log");
    QUIETUS_TRY(verify_consistency(proven.checkpoint.head, checkpoint.head, later.proof)
                    .within("fork: the log does not go on from the certificate's checkpoint to "
                            "the later one"));
    return witnessed;
  }

  VerifiedCertificate make(const ErasureClaims& claims, const Checkpoint& checkpoint) const {
    VerifiedCertificate made;
    made.certificate_id_ = to_hex(claims.certificate);
    made.vault_id_ = to_hex(claims.vault);
    made.erasure_id_ = to_hex(claims.erasure);
    made.reason_ = claims.reason.text();
    made.decision_.by = name_of(claims.decided);
    if (claims.request) {
      made.decision_.request_id = to_hex(claims.request->request);
      made.decision_.kind = claims.request->kind.text();
      made.decision_.plan_sha256 = to_hex(claims.request->plan);
      made.decision_.approvals = claims.request->approvals.size();
    }
    made.status_ = claims.status;
    made.phase_ = claims.phase;
    for (const ClaimedTarget& target : claims.targets) {
      made.scope_ids_.push_back(target.scope);
      made.scopes_.push_back(
          {target.scope, target.level, target.subject ? to_hex(*target.subject) : std::string()});
    }
    made.amount_ = {claims.unreadable.scopes_below, claims.unreadable.keys_below,
                    claims.unreadable.records, claims.unreadable.bytes, claims.unreadable.counted};
    for (const CertificateId& id : claims.supersedes) made.supersedes_.push_back(to_hex(id));
    made.times_ = {claims.times.begun, claims.times.keys_unreachable, claims.times.slot_destroyed,
                   claims.issued_at};
    made.issuer_kid_ = claims.issuer_kid;
    made.log_vkey_ = claims.log.vkey;
    made.log_key_pinned_ = believed_.log_vkey.has_value();
    made.report_.checked = checked_lines(claims, checkpoint);
    made.report_.not_checked = unchecked_lines(checkpoint, made.log_key_pinned_, nullptr);
    made.report_.claims = to_lines(certificate_claims(claims));
    made.report_.not_claimed = uncovered_lines(claims);
    return made;
  }

  Believed believed_;
};

Result<VerifiedCertificate> verify_certificate(ByteView file, std::string_view issuer_key_pem,
                                               const CertificateExpectations& expectations) {
  QUIETUS_TRY_AS(const Ed25519PublicKey issuer, ed25519_from_pem(issuer_key_pem));
  if (expectations.log_vkey) {
    const Result<NoteKey> log_key = parse_vkey(*expectations.log_vkey);
    if (!log_key) return Error(ErrorCode::kInvalidArgument, log_key.error().context());
  }
  return CertificateVerifier({issuer, expectations.log_vkey, nullptr, {}}).verify(file);
}

Result<VerifiedCertificate> verify_certificate(ByteView file, const Trust& trust,
                                               std::optional<std::string_view> later) {
  const TrustRules& rules = trust.rules();
  if (!rules.issuer)
    return Error(ErrorCode::kInvalidArgument, "trust file has no issuer line for certificates");
  if (rules.logs.empty()) return Error(ErrorCode::kInvalidArgument, "trust file has no log line");
  return CertificateVerifier({rules.issuer->key, std::nullopt, &trust, later}).verify(file);
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
