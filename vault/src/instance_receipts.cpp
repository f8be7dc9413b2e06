// Certificates of other instances of the vault, as receipts: what they destroyed, too, this one's
// certificates need not list as held elsewhere (attacks C8).
#include <quietus/backup.hpp>
#include <quietus/certificate.hpp>

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/certificate.hpp"
#include "evidence/jws.hpp"
#include "evidence/signed_note.hpp"
#include "keys/instances.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/log_change.hpp"
#include "keys/snapshots.hpp"
#include "reissue.hpp"

namespace quietus {
namespace {

// An import, within one transaction.
struct ReceiptWriter {
  ControlWriter& writer;
  const RowSeal& seal;
  const InstanceId& own;
  UnixMillis now = 0;
  bool changed = false;
};

// Whose key the certificate names. Nothing of it is verified yet.
Result<InstanceRow> find_signer(const ReceiptWriter& in, const std::vector<InstanceRow>& others,
                                const std::string& kid) {
  for (const InstanceRow& other : others)
    if (other.issuing_key != Ed25519PublicKey{} && jwk_thumbprint(other.issuing_key) == kid)
      return other;
  QUIETUS_TRY_AS(const SigningKey own, rows::signing_key(in.writer, in.seal, kIssuingKey));
  if (jwk_thumbprint(ed25519_public_key(own)) == kid)
    return Error(ErrorCode::kRefused,
                 "that is a certificate of this instance itself; what is wanted is one of another");
  return unverified(
      "certificate: not signed by another instance of this vault that is known here with its keys");
}

Result<ErasureClaims> verified_claims(std::string_view file, const VaultId& vault,
                                      const InstanceRow& signer) {
  CertificateExpectations expectations;
  expectations.log_vkey = format_vkey({log_origin(vault, signer.instance), signer.log_key});
  QUIETUS_TRY(verify_certificate(as_bytes(file), ed25519_to_pem(signer.issuing_key), expectations));
  QUIETUS_TRY_AS(const UnverifiedJws opened, read_jws(as_bytes(file), kCertificateType));
  return decode_claims(opened.payload);
}

bool is_of_whole_instance(const ErasureClaims& claims) {
  return claims.targets.size() == 1 && claims.targets.front().scope == kVaultScope;
}

// Whether all snapshots that held the keys when that was written have gone since. A destroyed
// instance cannot say so any more; but the site's receipts say it here as well as there.
Result<bool> snapshots_are_gone(const ReceiptWriter& in, const ErasureClaims& claims) {
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(in.writer, in.seal));
  return std::ranges::all_of(claims.snapshots, [&](const ClaimedSnapshot& claimed) {
    return claimed.attested || std::ranges::any_of(snapshots, [&](const SnapshotRow& row) {
             return row.epoch == claimed.epoch && row.destroyed != 0;
           });
  });
}

// What the other instance exported, or who else has copies from it, is no matter of its own keys.
Result<void> check_is_receipt(const ReceiptWriter& in, const ErasureClaims& claims) {
  if (claims.vault != in.seal.vault)
    return Error(ErrorCode::kRefused, "the certificate is of another vault");
  if (!slots_are_destroyed(claims.root))
    return Error(ErrorCode::kRefused,
                 "that instance did not see all its root slots destroyed; it may hold the keys");
  QUIETUS_TRY_AS(const bool gone, snapshots_are_gone(in, claims));
  if (!gone)
    return Error(ErrorCode::kRefused,
                 "key snapshots of that instance still hold the keys; import this again, or the "
                 "certificate that takes its place, once the recovery site's receipt is there");
  if (!claims.instances_known)
    return Error(ErrorCode::kRefused,
                 "that instance does not know any more which other instances there are");
  if (is_of_whole_instance(claims)) return {};
  for (const ClaimedTarget& target : claims.targets) {
    const auto row = rows::key_row(in.writer, in.seal, target.scope);
    if (!row.ok() || row.value()) return {};
  }
  return Error(ErrorCode::kRefused,
               "the certificate is of scopes that never were in this instance");
}

// The certificate `id` of `instance` is of all these targets.
Result<void> put_receipts(ReceiptWriter& in, const InstanceId& instance, const CertificateId& id,
                          const std::vector<ClaimedTarget>& targets) {
  for (const ClaimedTarget& target : targets) {
    const auto before = rows::instance_receipt(in.writer, in.seal, instance, target.scope);
    if (before.ok() && before.value() == id) continue;
    QUIETUS_TRY(rows::put_instance_receipt(in.writer, in.seal, {instance, target.scope, id}));
    in.changed = true;
  }
  return {};
}

// What the other instance knows of further ones: their receipts, which it has seen, count here as
// well; those without may hold the keys.
Result<void> take_over_others(ReceiptWriter& in, const ErasureClaims& claims,
                              const std::vector<InstanceRow>& known, CertificateImport& found) {
  for (const ClaimedInstance& other : claims.instances) {
    if (other.instance == in.own) continue;
    if (other.receipt) {
      QUIETUS_TRY(put_receipts(in, other.instance, *other.receipt, claims.targets));
      continue;
    }
    if (std::ranges::any_of(known,
                            [&](const InstanceRow& row) { return row.instance == other.instance; }))
      continue;
    // Which keys it holds is not known: certificates name it, whenever theirs were made.
    QUIETUS_TRY(
        rows::put_instance(in.writer, in.seal, {other.instance, other.copied, UINT64_MAX, {}, {}}));
    found.named.push_back(to_hex(other.instance));
    in.changed = true;
  }
  return {};
}

Result<CertificateImport> take_receipt(ReceiptWriter& in, std::string_view file) {
  QUIETUS_TRY_AS(const UnverifiedJws opened, read_jws(as_bytes(file), kCertificateType));
  QUIETUS_TRY_AS(const auto known, rows::instances(in.writer, in.seal, [] {}));
  QUIETUS_TRY_AS(const InstanceRow signer, find_signer(in, known, opened.kid));
  QUIETUS_TRY_AS(const ErasureClaims claims, verified_claims(file, in.seal.vault, signer));
  QUIETUS_TRY(check_is_receipt(in, claims));
  CertificateImport found;
  found.instance_id = to_hex(signer.instance);
  found.certificate_id = to_hex(claims.certificate);
  found.scopes = is_of_whole_instance(claims) ? 0 : claims.targets.size();
  QUIETUS_TRY(put_receipts(in, signer.instance, claims.certificate, claims.targets));
  QUIETUS_TRY(take_over_others(in, claims, known, found));
  if (!in.changed) return found;
  const InstanceReceiptImported entry{signer.instance, claims.certificate, found.scopes};
  QUIETUS_TRY(log_change(in.writer, in.seal, entry_text(new_entry(in.now), entry)));
  return found;
}

}  // namespace

Result<CertificateImport> Backups::import_certificate(std::string_view certificate) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  CertificateImport imported;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        const RowSeal seal = scopes.seal();
        ReceiptWriter in{writer, seal, root.instance, core->environment.clock.now()};
        QUIETUS_TRY_AS(imported, take_receipt(in, certificate));
        return {};
      }));
  QUIETUS_FAILPOINT("import-certificate/receipt-written");
  QUIETUS_TRY(reissue_certificates(*core, imported.certificates));
  return imported;
}

}  // namespace quietus
