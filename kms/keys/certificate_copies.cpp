#include "keys/certificate_copies.hpp"

#include <algorithm>
#include <map>

#include "crypto/random.hpp"
#include "evidence/jws.hpp"
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
// (I-25). A scope's first key counts, also when it was destroyed before: what lies below the scope
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

Result<void> claim_instances(ControlReader& reader, const RowSeal& seal, std::uint64_t oldest,
                             ErasureClaims& claims) {
  claims.instances.clear();
  claims.instances_known = true;
  QUIETUS_TRY_AS(const auto others,
                 rows::instances(reader, seal, [&] { claims.instances_known = false; }));
  for (const InstanceRow& other : others)
    if (oldest < other.log_size) claims.instances.push_back({other.instance, other.copied});
  return {};
}

// One line for each epoch: it is clear when the last snapshot that is sealed to it is.
Result<void> claim_snapshots(ControlReader& reader, const RowSeal& seal, std::uint64_t oldest,
                             ErasureClaims& claims) {
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(reader, seal));
  const UnixMillis erased = claims.times.keys_unreachable;
  std::map<EpochId, ClaimedSnapshot> epochs;
  for (const SnapshotRow& row : snapshots) {
    // One that was begun before, and destroyed before, never held them after the erasure.
    if (oldest >= row.log_size || (row.destroyed != 0 && row.destroyed < erased)) continue;
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

bool all_attested(const ErasureClaims& claims) {
  return std::ranges::all_of(claims.snapshots,
                             [](const ClaimedSnapshot& snapshot) { return snapshot.attested; });
}

CertificateStatus carried_status(const ErasureClaims& claims) {
  if (!slots_are_destroyed(claims.root) || !claims.exports_known || may_live_elsewhere(claims))
    return CertificateStatus::kPartial;
  return all_attested(claims) ? CertificateStatus::kComplete : CertificateStatus::kPendingSnapshots;
}

}  // namespace

Result<void> claim_copies(ControlReader& reader, const RowSeal& seal, ErasureClaims& claims) {
  QUIETUS_TRY_AS(const std::uint64_t oldest, oldest_key(reader, seal, claims));
  QUIETUS_TRY(claim_instances(reader, seal, oldest, claims));
  QUIETUS_TRY(claim_snapshots(reader, seal, oldest, claims));
  claims.phase = all_attested(claims) ? CertificatePhase::kFinal : CertificatePhase::kLive;
  claims.status = carried_status(claims);
  return {};
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
  const CertificatePhase phase = claims.phase;
  QUIETUS_TRY(claim_copies(writer, seal, claims));
  // Only what is better is worth another certificate, and only when it is the last word.
  if (phase == CertificatePhase::kFinal || claims.phase != CertificatePhase::kFinal)
    return std::optional<CertificateId>();
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
