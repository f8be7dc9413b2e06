// A vault's log in memory with one erasure in it, and the certificate of that erasure.
#pragma once

#include <memory>
#include <string>

#include "base/text_encoding.hpp"
#include "crypto/hash.hpp"
#include "evidence/certificate.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/jws.hpp"
#include "evidence/log_store.hpp"
#include "evidence/memory_store.hpp"
#include "evidence/merkle_reference.hpp"
#include "evidence/subject.hpp"
#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {

inline constexpr UnixMillis kStart = 1772368205000;  // 2026-03-01T12:30:05Z
inline constexpr UnixMillis kMinute = 60000;

template <std::size_t N>
std::array<std::uint8_t, N> bytes_from(const std::string& seed) {
  const Sha256 digest = sha256(as_bytes(seed));
  std::array<std::uint8_t, N> out{};
  std::copy_n(digest.begin(), N, out.begin());
  return out;
}

class SampleVault {
 public:
  explicit SampleVault(const std::string& name = "vault")
      : vault_(bytes_from<16>(name)),
        issuer_(signing_key(name + " issuer")),
        log_secret_(signing_key(name + " log")),
        rows_(key_from<RowRole>(sha256(as_bytes(name + " rows")))) {
    claims_.certificate = bytes_from<16>(name + " certificate");
    claims_.vault = vault_;
    claims_.issuer_kid = jwk_thumbprint(ed25519_public_key(issuer_));
    claims_.tool = "quietus 0.1.0";
    claims_.issued_at = kStart + 9 * kMinute;
    claims_.status = CertificateStatus::kComplete;
    claims_.erasure = bytes_from<16>(name + " erasure");
    claims_.reason = "customer-request";
    claims_.holders_acknowledged = 2;
    claims_.holders_ended = 1;
    claims_.times = {kStart + 2 * kMinute, kStart + 3 * kMinute, kStart + 4 * kMinute};
    claims_.exports = {{0x1001, kStart + kMinute, 12, 34567}};
    add_target(name, 0x1001, {{0x2001, KeyLine::kData}, {0x2002, KeyLine::kLasting}});
    add_target(name, 0x1002, {{0x2003, KeyLine::kData}});
    claims_.targets[0].level = 3;
    claims_.targets[0].subject =
        subject_commitment(bytes_from<32>("salt"), vault_, 0x1001, opening().path);
    claims_.unreadable = {4, 8, 12, 34567, true};
    set_root(name);
    fill_log();
    prove();
  }

  const ErasureClaims& claims() const noexcept { return claims_; }
  const SigningKey& issuer() const noexcept { return issuer_; }
  std::string issuer_pem() const { return ed25519_to_pem(ed25519_public_key(issuer_)); }
  std::string vkey() const { return claims_.log.vkey; }

  std::string certificate() const { return must(issue_certificate(claims_, issuer_)).file; }

  // Signs any payload, as an issuer could that does not keep to the rules.
  std::string sign(std::string_view payload) const {
    return sign_jws(as_bytes(payload), kCertificateType, issuer_);
  }
  Result<VerifiedCertificate> verify(std::string_view file) const {
    return verify_certificate(as_bytes(file), issuer_pem(), {vkey()});
  }

  // Of the first scope.
  SubjectOpening opening() const {
    return {0x1001, "acme/customer-data/user-7", to_hex(bytes_from<32>("salt"))};
  }

  std::uint64_t log(std::string_view entry) {
    return must(append_entry(store_, seal(), as_bytes(entry)));
  }
  // Signs the log as it is now.
  std::string checkpoint() {
    return must(sign_checkpoint({log_origin(vault_), must(log_head(store_))}, log_secret_));
  }
  std::uint64_t log_size() { return must(log_head(store_)).size; }
  std::vector<Hash> proof_from(std::uint64_t old_size) {
    return must(consistency_proof(store_, old_size, log_size()));
  }
  ProvenEntry prove(std::uint64_t index) { return prove(index, checkpoint()); }
  ProvenEntry prove(std::uint64_t index, const std::string& note) {
    const std::uint64_t size = must(log_head(store_)).size;
    return must(prove_entry(store_, seal(), index, size, note));
  }
  // The claims with fresh proofs of these entries under one checkpoint.
  ErasureClaims with_proofs(const std::vector<std::uint64_t>& indices) {
    return with_proofs(claims_, indices);
  }
  ErasureClaims with_proofs(ErasureClaims claims, const std::vector<std::uint64_t>& indices) {
    claims.log.proofs.clear();
    const std::string note = checkpoint();
    for (const std::uint64_t index : indices) claims.log.proofs.push_back(prove(index, note));
    return claims;
  }
  // The first scope, erased as number `index` of a batch.
  ErasureClaims of_batch(std::uint64_t index, std::uint64_t scopes) {
    ErasureClaims claims = claims_;
    claims.erasure =
        bytes_from<16>("batch " + std::to_string(index) + " " + std::to_string(scopes));
    claims.targets.resize(1);
    ClaimedBatch batch{bytes_from<16>("statement"), scopes, index, {}};
    reference::Leaves leaves = reference::numbered_leaves(scopes);
    leaves.at(index) = statement_text({batch.statement, claims.erasure, claims.reason},
                                      claims.targets[0], claims.unreadable);
    batch.proof = reference::path(index, leaves);
    const BatchUnreachable unreachable{claims.erasure, 7, 9, scopes, reference::root(leaves)};
    const SlotDestroyed destroyed{
        claims.erasure, {claims.root.slots[0].id, claims.root.slots[1].id}, "overwritten", 2, 1};
    const auto first = log(entry_text(new_entry(claims.times.keys_unreachable), unreachable));
    const auto second = log(entry_text(new_entry(claims.times.slot_destroyed), destroyed));
    claims.batch = std::move(batch);
    return with_proofs(std::move(claims), {first, second, proven_[0], proven_[1]});
  }
  const std::vector<std::uint64_t>& proven() const noexcept { return proven_; }

 private:
  using KeyOfLine = std::pair<KeyId, KeyLine>;

  LogSeal seal() { return {rows_, vault_, *context_}; }

  void add_target(const std::string& name, ScopeId scope, const std::vector<KeyOfLine>& keys) {
    ClaimedTarget target;
    target.scope = scope;
    for (const auto& [id, line] : keys)
      target.keys.push_back({id, line, 1, bytes_from<32>(name + std::to_string(id))});
    claims_.targets.push_back(std::move(target));
  }

  void set_root(const std::string& name) {
    ClaimedRoot& root = claims_.root;
    root.provider = "file";
    root.assurance = "Clear, by overwriting two mirrored files in place on ext4";
    root.assurance_known = true;
    root.generation_before = 7;
    root.generation_after = 9;
    root.slots = {{bytes_from<16>(name + " slot"), 7, 2, true, true, true},
                  {bytes_from<16>(name + " abandoned slot"), 8, 2, true, true, true}};
  }

  void fill_log() {
    log(entry_text(new_entry(kStart), VaultCreated{vault_}));
    for (const ClaimedTarget& target : claims_.targets)
      for (const ClaimedKey& key : target.keys)
        proven_.push_back(
            log(entry_text(new_entry(kStart), KeyCreated{target.scope, key.id, key.line,
                                                         key.generation, key.commitment})));
    log(entry_text(new_entry(kStart), KeyCreated{0x1003, 0x2004, KeyLine::kData, 1, {}}));
    log(entry_text(new_entry(kStart + kMinute), ExportMade{0x1001, 12, 34567}));
    // The erasure is of one key more than the certificate is.
    proven_.push_back(
        log(entry_text(new_entry(claims_.times.keys_unreachable),
                       KeysUnreachable{claims_.erasure, 7, 9, {0x2001, 0x2002, 0x2003, 0x2004}})));
    proven_.push_back(
        log(entry_text(new_entry(claims_.times.slot_destroyed),
                       SlotDestroyed{claims_.erasure,
                                     {claims_.root.slots[0].id, claims_.root.slots[1].id},
                                     "overwritten",
                                     2,
                                     1})));
  }

  void prove() {
    claims_.log.origin = log_origin(vault_);
    claims_.log.vkey = format_vkey({claims_.log.origin, ed25519_public_key(log_secret_)});
    claims_ = with_proofs(proven_);
  }

  VaultId vault_;
  SigningKey issuer_;
  SigningKey log_secret_;
  RowKey rows_;
  std::unique_ptr<GcmContext> context_ = openssl_engine().make_context();
  MemoryStore store_;
  ErasureClaims claims_;
  std::vector<std::uint64_t> proven_;  // what the certificate rests on
};

}  // namespace quietus::test
