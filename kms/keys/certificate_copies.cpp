#include "keys/certificate_copies.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "crypto/random.hpp"
#include "evidence/jws.hpp"
#include "evidence/tlog_proof.hpp"
#include "keys/inbox.hpp"
#include "keys/instances.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/log_change.hpp"
#include "keys/row_codec.hpp"
#include "keys/sealed_rows.hpp"
#include "keys/snapshots.hpp"

namespace quietus {
namespace {

// The log entry with which the oldest of the erased scopes began. A copy of the keys that was made
// before has none of theirs: it shares no key but those of leaves with the tree that it was made of
// (I-26). A scope's first key counts, also when it was destroyed before: what lies below the scope
// may be older than its newest key.
Result<std::uint64_t> oldest_key(ControlReader& reader, const RowSeal& seal,
                                 const ErasureClaims& claims) {
  std::uint64_t oldest = UINT64_MAX;
  for (const ClaimedTarget& target : claims.targets) {
    const auto row = rows::key_row(reader, seal, target.scope);
    if (!row.ok() || !row.value()) return std::uint64_t{0};
    for (const KeyRecord& key : row.value()->keys) oldest = std::min(oldest, key.log_index);
  }
  return oldest;
}

// The span of the log in which a copy was made that holds keys of the erased scopes: not before the
// oldest of them, and not after they had become unreachable, which matters to certificates that are
// written later. A size of UINT64_MAX is not known, and may lie anywhere.
struct HeldSpan {
  std::uint64_t oldest = 0;
  std::uint64_t unreachable = UINT64_MAX;

  bool contains(std::uint64_t size) const noexcept { return contains(size, size); }
  // Of a copy that was made between the two.
  bool contains(std::uint64_t least, std::uint64_t most) const noexcept {
    return oldest < most && (most == UINT64_MAX || least <= unreachable);
  }
};

Result<HeldSpan> held_span(ControlReader& reader, const RowSeal& seal,
                           const ErasureClaims& claims) {
  HeldSpan span;
  QUIETUS_TRY_AS(span.oldest, oldest_key(reader, seal, claims));
  if (claims.log.proofs.empty()) return span;
  QUIETUS_TRY_AS(const TlogProof proof, parse_tlog_proof(claims.log.proofs.front().proof));
  span.unreachable = proof.index;
  return span;
}

// A scope, what it lies below, and what it or those were derived from: with any of them it died,
// in every instance, because parent and sources are fixed when a scope is made.
std::set<ScopeId> scopes_to_die_with(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  std::set<ScopeId> found;
  std::vector<ScopeId> next{scope};
  while (!next.empty()) {
    const ScopeId at = next.back();
    next.pop_back();
    if (!found.insert(at).second || at == kVaultScope) continue;
    const auto row = rows::key_row(reader, seal, at);
    if (!row.ok() || !row.value()) continue;
    next.push_back(row.value()->parent);
    next.insert(next.end(), row.value()->sources.begin(), row.value()->sources.end());
  }
  return found;
}

// The receipts of an instance, one of which has to be of each target. A row that is damaged is
// none.
class Receipts {
 public:
  Receipts(ControlReader& reader, const RowSeal& seal, const ErasureClaims& claims)
      : reader_(reader), seal_(seal) {
    for (const ClaimedTarget& target : claims.targets)
      targets_.push_back(scopes_to_die_with(reader, seal, target.scope));
  }

  std::optional<CertificateId> covering(const InstanceId& instance) const {
    if (const auto whole = of(instance, kVaultScope)) return whole;
    std::set<CertificateId> covers;
    for (const std::set<ScopeId>& scopes : targets_) {
      std::set<CertificateId> found;
      for (const ScopeId scope : scopes)
        if (const auto id = of(instance, scope))
          if (&scopes == &targets_.front() || covers.contains(*id)) found.insert(*id);
      covers = std::move(found);
    }
    return covers.empty() ? std::nullopt : std::optional(*covers.begin());
  }

 private:
  std::optional<CertificateId> of(const InstanceId& instance, ScopeId scope) const {
    const auto found = rows::instance_receipt(reader_, seal_, instance, scope);
    return found.ok() ? found.value() : std::nullopt;
  }

  ControlReader& reader_;
  const RowSeal& seal_;
  std::vector<std::set<ScopeId>> targets_;
};

Result<void> claim_instances(ControlReader& reader, const RowSeal& seal, const HeldSpan& held,
                             ErasureClaims& claims) {
  claims.instances.clear();
  claims.instances_known = true;
  QUIETUS_TRY_AS(const auto others,
                 rows::instances(reader, seal, [&] { claims.instances_known = false; }));
  if (others.empty()) return {};
  const Receipts receipts(reader, seal, claims);
  for (const InstanceRow& other : others)
    if (held.contains(other.least_log_size.value_or(other.log_size), other.log_size))
      claims.instances.push_back({other.instance, other.copied, receipts.covering(other.instance)});
  return {};
}

// One line for each epoch: it is clear when the last snapshot that is sealed to it is.
Result<void> claim_snapshots(ControlReader& reader, const RowSeal& seal, const HeldSpan& held,
                             ErasureClaims& claims) {
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(reader, seal));
  const UnixMillis erased = claims.times.keys_unreachable;
  std::map<EpochId, ClaimedSnapshot> epochs;
  for (const SnapshotRow& row : snapshots) {
    // One that was begun before, and destroyed before, never held them after the erasure.
    if (!held.contains(row.log_size) || row.begun_index > held.unreachable ||
        (row.destroyed != 0 && row.destroyed < erased))
      continue;
    ClaimedSnapshot& claimed = epochs[row.epoch];
    const bool attested = row.destroyed != 0;
    claimed.attested = claimed.epoch == EpochId{} ? attested : claimed.attested && attested;
    claimed.epoch = row.epoch;
    claimed.clear_date =
        std::max({claimed.clear_date, erased, attested ? row.destroyed : row.expires});
  }
  claims.snapshots.clear();
  for (const auto& [epoch, claimed] : epochs) claims.snapshots.push_back(claimed);
  return {};
}

// A row that is damaged says nothing of what was delivered.
void claim_inbox(ControlReader& reader, const RowSeal& seal, const HeldSpan& held,
                 ErasureClaims& claims) {
  const auto inbox = rows::inbox(reader, seal);
  if (inbox && !*inbox) {
    claims.site_inbox = SiteInbox::kNone;
    return;
  }
  const bool delivered = inbox && held.unreachable < (*inbox)->told;
  claims.site_inbox = delivered ? SiteInbox::kDelivered : SiteInbox::kNotYet;
}

bool all_attested(const ErasureClaims& claims) {
  return std::ranges::all_of(claims.snapshots,
                             [](const ClaimedSnapshot& snapshot) { return snapshot.attested; });
}

bool names_without_receipt(const ErasureClaims& claims, const InstanceId& instance) {
  return std::ranges::any_of(claims.instances, [&](const ClaimedInstance& other) {
    return other.instance == instance && !other.receipt;
  });
}

// What a recovery site made of a snapshot since: no clear date and no receipt of another's ends it.
bool names_another(const ErasureClaims& now, const ErasureClaims& before) {
  return std::ranges::any_of(now.instances, [&](const ClaimedInstance& other) {
    return !other.receipt &&
           std::ranges::find(before.instances, other.instance, &ClaimedInstance::instance) ==
               before.instances.end();
  });
}

// Whether the one says more than the other that was written before, and takes nothing back. An
// instance that is not there any more came to nothing, like that of a drill.
bool is_better(const ErasureClaims& now, const ErasureClaims& before) {
  if (now.phase == CertificatePhase::kLive && before.phase == CertificatePhase::kFinal)
    return false;
  if (now.phase != before.phase) return true;
  if (names_another(now, before)) return true;
  return now.instances_known &&
         std::ranges::any_of(before.instances, [&](const ClaimedInstance& other) {
           return !other.receipt && !names_without_receipt(now, other.instance);
         });
}

CertificateStatus carried_status(const ErasureClaims& claims) {
  if (!slots_are_destroyed(claims.root) || !claims.exports_known || may_live_elsewhere(claims))
    return CertificateStatus::kPartial;
  return all_attested(claims) ? CertificateStatus::kComplete : CertificateStatus::kPendingSnapshots;
}

}  // namespace

Result<void> claim_copies(ControlReader& reader, const RowSeal& seal, ErasureClaims& claims) {
  QUIETUS_TRY_AS(const HeldSpan held, held_span(reader, seal, claims));
  QUIETUS_TRY(claim_instances(reader, seal, held, claims));
  QUIETUS_TRY(claim_snapshots(reader, seal, held, claims));
  claim_inbox(reader, seal, held, claims);
  claims.phase = all_attested(claims) ? CertificatePhase::kFinal : CertificatePhase::kLive;
  claims.status = carried_status(claims);
  return {};
}

Result<UnixMillis> snapshots_clear(ControlReader& reader, const RowSeal& seal,
                                   const std::vector<ScopeId>& targets) {
  ErasureClaims claims;
  for (const ScopeId scope : targets) claims.targets.emplace_back().scope = scope;
  QUIETUS_TRY_AS(const HeldSpan held, held_span(reader, seal, claims));
  QUIETUS_TRY(claim_snapshots(reader, seal, held, claims));
  UnixMillis clear = 0;
  for (const ClaimedSnapshot& snapshot : claims.snapshots)
    if (!snapshot.attested) clear = std::max(clear, snapshot.clear_date);
  return clear;
}

Result<WrittenCertificate> store_certificate(ControlWriter& writer, const RowSeal& seal,
                                             ErasureClaims claims) {
  QUIETUS_TRY_AS(const SigningKey issuer, rows::signing_key(writer, seal, kIssuingKey));
  const CertificateId id = claims.certificate;
  const CertificateRow row{claims.erasure, claims.issued_at, claims.status, 0, {}};
  QUIETUS_TRY_AS(IssuedCertificate certificate, issue_certificate(std::move(claims), issuer));
  QUIETUS_TRY(rows::put_certificate(writer, seal, id, row, certificate.file));
  QUIETUS_TRY(log_change(
      writer, seal, entry_text(new_entry(row.issued), CertificateIssued{id, certificate.payload})));
  return WrittenCertificate{id, std::move(certificate.file)};
}

Result<std::vector<CertificateId>> waiting_certificates(ControlReader& reader, const RowSeal& seal,
                                                        const CertificateId& from,
                                                        std::size_t limit) {
  std::vector<CertificateId> found;
  const Bytes begin = rows::row_key('X', from);
  QUIETUS_TRY(reader.scan(Bytes{'X'}, begin, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto row = content ? codec::decode_certificate_row(*content) : std::nullopt;
    if (!row || key.size() != begin.size()) return true;
    if (row->status == CertificateStatus::kComplete || row->superseded_by != CertificateId{})
      return true;
    std::ranges::copy(key.subspan(1), found.emplace_back().begin());
    return found.size() < limit;
  }));
  return found;
}

Result<std::optional<CertificateId>> reissue_certificate(ControlWriter& writer, const RowSeal& seal,
                                                         const Reissue& reissue) {
  QUIETUS_TRY_AS(const auto document, rows::certificate(writer, seal, reissue.id));
  if (!document) return std::optional<CertificateId>();
  QUIETUS_TRY_AS(const UnverifiedJws file, read_jws(as_bytes(*document), kCertificateType));
  QUIETUS_TRY_AS(ErasureClaims claims, decode_claims(file.payload));
  if (claims.log.origin != reissue.origin) return std::optional<CertificateId>();
  const ErasureClaims before = claims;
  QUIETUS_TRY(claim_copies(writer, seal, claims));
  if (before.site_inbox == SiteInbox::kDelivered) claims.site_inbox = SiteInbox::kDelivered;
  if (!is_better(claims, before)) return std::optional<CertificateId>();
  claims.supersedes.push_back(claims.certificate);
  random_bytes(claims.certificate);
  claims.tool = reissue.tool;
  claims.issued_at = std::max(claims.issued_at, reissue.now);
  QUIETUS_TRY_AS(const WrittenCertificate written,
                 store_certificate(writer, seal, std::move(claims)));
  QUIETUS_TRY(rows::supersede_certificate(writer, seal, reissue.id, written.id));
  return std::optional(written.id);
}

}  // namespace quietus
