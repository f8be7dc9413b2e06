#include "keys/erasure_certificate.hpp"

#include <algorithm>
#include <map>

#include "crypto/random.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/signed_note.hpp"
#include "keys/approved_by.hpp"
#include "keys/certificate_copies.hpp"

namespace quietus {
namespace {

// What a certificate is about.
struct Subjects {
  CertificateId certificate{};
  std::vector<ClaimedTarget> targets;
  std::vector<std::uint64_t> log_indices;  // of the key-created entries of their keys
  ClaimedUnreadable unreadable;
  std::string reason;
  std::optional<ClaimedBatch> batch;
};

Result<Subjects> collect_subjects(const CertificateInputs& inputs) {
  Subjects found;
  random_bytes(found.certificate);
  found.unreadable = inputs.outcome.intent.unreadable;
  found.reason = inputs.outcome.intent.reason;
  for (const IntentTarget& target : inputs.outcome.intent.targets) {
    ClaimedTarget claimed;
    claimed.scope = target.scope;
    claimed.level = target.level;
    claimed.subject = target.subject;
    auto row = rows::key_row(inputs.writer, inputs.seal, target.scope);
    if (!row.ok() || !row.value())
      return Error(ErrorCode::kCorrupt, "certificate: the row of an erased scope is damaged");
    for (const KeyRecord& key : row.value()->keys) {
      if (std::find(target.keys.begin(), target.keys.end(), key.id) == target.keys.end()) continue;
      claimed.keys.push_back({key.id, key.line, key.generation, key.commitment});
      found.log_indices.push_back(key.log_index);
    }
    found.targets.push_back(std::move(claimed));
  }
  return found;
}

ClaimedRoot claimed_root(const CertificateInputs& inputs) {
  ClaimedRoot root;
  root.provider = Code::parse(inputs.parts.provider.kind()).value_or(Code("unknown"));
  root.assurance = inputs.assurance.text;
  root.assurance_known = inputs.assurance.known;
  root.generation_before = inputs.outcome.intent.generation_before;
  root.generation_after = inputs.outcome.intent.slot.generation;
  for (const SlotDestruction& slot : inputs.outcome.destroyed)
    root.slots.push_back({slot.slot.id, slot.slot.generation, slot.mirrors, slot.overwritten,
                          slot.read_back, slot.gone});
  return root;
}

Result<ClaimedLog> claimed_log(const CertificateInputs& inputs,
                               std::vector<std::uint64_t> key_indices) {
  ClaimedLog log;
  log.origin = inputs.parts.origin;
  QUIETUS_TRY_AS(const SigningKey log_key,
                 rows::signing_key(inputs.writer, inputs.seal, "log-key"));
  log.vkey = format_vkey({log.origin, ed25519_public_key(log_key)});
  QUIETUS_TRY_AS(const std::string checkpoint,
                 signed_checkpoint(inputs.writer, inputs.seal, log.origin));
  std::vector<std::uint64_t> indices = {inputs.outcome.intent.log_index, inputs.destroyed_index};
  indices.insert(indices.end(), key_indices.begin(), key_indices.end());
  QUIETUS_TRY_AS(const TreeHead head, log_head(inputs.writer));
  const LogSeal seal{inputs.seal.key, inputs.seal.vault, inputs.seal.context};
  for (const std::uint64_t index : indices) {
    QUIETUS_TRY_AS(ProvenEntry proven,
                   prove_entry(inputs.writer, seal, index, head.size, checkpoint));
    log.proofs.push_back(std::move(proven));
  }
  return log;
}

// Which scopes die with the targets: the targets themselves, what lies below them, and what was
// derived from any of it. Each scope is looked at once.
class DyingScopes {
 public:
  DyingScopes(const CertificateInputs& inputs, const std::vector<ClaimedTarget>& targets)
      : inputs_(inputs) {
    for (const ClaimedTarget& target : targets) dies_[target.scope] = true;
  }

  bool contains(ScopeId scope, std::size_t depth = 0) {
    const auto known = dies_.find(scope);
    if (known != dies_.end()) return known->second;
    if (scope == kVaultScope || depth > kMaxScopeDepth) return false;
    const auto row = rows::key_row(inputs_.writer, inputs_.seal, scope);
    bool dies = false;
    if (row.ok() && row.value()) {
      dies = contains(row.value()->parent, depth + 1);
      for (const ScopeId source : row.value()->sources) dies = contains(source, depth + 1) || dies;
    }
    return dies_[scope] = dies;
  }

 private:
  const CertificateInputs& inputs_;
  std::map<ScopeId, bool> dies_;
};

Result<void> claim_exports(const CertificateInputs& inputs, ErasureClaims& claims) {
  DyingScopes dying(inputs, claims.targets);
  return rows::all_exports(
      inputs.writer, inputs.seal,
      [&](const ExportRow& row) {
        if (dying.contains(row.scope))
          claims.exports.push_back({row.scope, row.time, row.records, row.bytes});
      },
      [&] { claims.exports_known = false; });
}

Result<WrittenCertificate> write(const CertificateInputs& inputs, Subjects of) {
  const Intent& intent = inputs.outcome.intent;
  ErasureClaims claims;
  claims.certificate = of.certificate;
  claims.vault = inputs.seal.vault;
  claims.tool = inputs.parts.tool;
  claims.erasure = intent.id;
  claims.reason = Code::parse(of.reason).value_or(Code("other"));
  claims.targets = std::move(of.targets);
  claims.unreadable = of.unreadable;
  claims.batch = std::move(of.batch);
  claims.root = claimed_root(inputs);
  QUIETUS_TRY(claim_exports(inputs, claims));
  claims.holders_acknowledged = inputs.outcome.holders.acknowledged;
  claims.holders_ended = inputs.outcome.holders.ended;
  // A clock that went back meanwhile must not make the story run backwards.
  claims.times.begun = intent.begun;
  claims.times.keys_unreachable = std::max(intent.committed, intent.begun);
  claims.times.slot_destroyed = std::max(inputs.destroyed_time, claims.times.keys_unreachable);
  QUIETUS_TRY_AS(claims.log, claimed_log(inputs, std::move(of.log_indices)));
  QUIETUS_TRY(claim_copies(inputs.writer, inputs.seal, claims));
  QUIETUS_TRY(claim_decision(inputs.writer, inputs.seal, intent.governed, claims));
  claims.issued_at = std::max(inputs.parts.clock.now(), claims.times.slot_destroyed);
  return store_certificate(inputs.writer, inputs.seal, std::move(claims));
}

}  // namespace

Result<std::string> signed_checkpoint(ControlReader& reader, const RowSeal& seal,
                                      const std::string& origin) {
  QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, seal, "log-key"));
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  return sign_checkpoint({origin, head}, key);
}

Result<WrittenCertificate> write_certificate(const CertificateInputs& inputs) {
  QUIETUS_TRY_AS(Subjects subjects, collect_subjects(inputs));
  return write(inputs, std::move(subjects));
}

Result<WrittenCertificate> write_certificate(const CertificateInputs& inputs,
                                             const BatchStatement& scope,
                                             const StatementProof& proof) {
  Subjects subjects;
  subjects.certificate = scope.id;
  subjects.targets = {scope.target};
  subjects.log_indices = scope.log_indices;
  subjects.unreadable = scope.unreadable;
  subjects.reason = scope.reason;
  subjects.batch =
      ClaimedBatch{scope.id, inputs.outcome.intent.batch->scopes, proof.index, proof.hashes};
  return write(inputs, std::move(subjects));
}

}  // namespace quietus
