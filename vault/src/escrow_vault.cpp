// The escrow ring as the vault sees it whose keys the recovery site may open: ring files and
// receipts that are imported, and snapshots that are sealed.
#include <quietus/escrow.hpp>

#include <set>

#include "backup_run.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/ring_receipt.hpp"
#include "evidence/trust_file.hpp"
#include "keys/certificate_copies.hpp"
#include "keys/log_change.hpp"
#include "keys/snapshots.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr std::size_t kReissuedAtOnce = 20;  // certificates, in one transaction

Result<std::shared_ptr<VaultCore>> open_for_import(const std::weak_ptr<VaultCore>& core) {
  QUIETUS_TRY_AS(auto open, open_core(core));
  if (open->options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return open;
}

// The ring in a note that one of the trusted logs signed.
struct OpenedRing {
  RingFile file;
  std::string vkey;
};
Result<OpenedRing> open_trusted_ring(std::string_view note, const Trust& site) {
  for (const NoteKey& key : site.rules().logs)
    if (const auto file = open_ring(note, key)) return OpenedRing{*file, format_vkey(key)};
  return unverified("ring file: not signed by a log that the trust file names");
}

// A ring that is known goes on as it began, under the key that it began with.
Result<OpenedRing> open_known_ring(std::string_view note, const std::vector<TrustedRing>& known) {
  for (const TrustedRing& ring : known) {
    QUIETUS_TRY_AS(const NoteKey key, parse_vkey(ring.site_vkey));
    const auto file = open_ring(note, key);
    if (!file || file->ring != ring.ring) continue;
    QUIETUS_TRY_AS(const RingFile before, ring_file_of(ring));
    if (*file != before) QUIETUS_TRY(follows(*file, before));
    return OpenedRing{*file, ring.site_vkey};
  }
  return unverified(
      known.empty()
          ? "ring file: it is the first one; name the site's log in a trust file (--trust)"
          : "ring file: not of a ring that was imported; for another site's, name its log in "
            "a trust file (--trust)");
}

Result<OpenedRing> open_any_ring(std::string_view note, const std::vector<TrustedRing>& known,
                                 const Trust* site) {
  auto opened = open_known_ring(note, known);
  if (opened || site == nullptr) return opened;
  QUIETUS_TRY_AS(OpenedRing fresh, open_trusted_ring(note, *site));
  for (const TrustedRing& ring : known)
    if (ring.ring == fresh.file.ring) return opened;  // it does not follow, or another key signed
  return fresh;
}

// Marks the snapshots whose epochs the receipt names.
Result<ReceiptImport> mark_destroyed(ControlWriter& writer, const RowSeal& seal,
                                     const RingReceipt& receipt) {
  ReceiptImport found;
  found.ring_id = to_hex(receipt.ring);
  std::set<EpochId> epochs;
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(writer, seal));
  for (SnapshotRow row : snapshots) {
    if (row.ring != receipt.ring || row.destroyed != 0) continue;
    for (const DestroyedEpoch& gone : receipt.destroyed) {
      if (gone.epoch != row.epoch) continue;
      row.destroyed = gone.destroyed;
      QUIETUS_TRY(rows::put_snapshot(writer, seal, row));
      epochs.insert(row.epoch);
      ++found.snapshots;
    }
  }
  found.epochs = epochs.size();
  return found;
}

Result<RingReceipt> open_known_receipt(std::string_view note, std::vector<TrustedRing>& known) {
  for (const TrustedRing& ring : known) {
    QUIETUS_TRY_AS(const NoteKey key, parse_vkey(ring.site_vkey));
    auto receipt = open_receipt(note, key);
    if (receipt && receipt->ring == ring.ring) {
      known = {ring};
      return receipt;
    }
  }
  return unverified("receipt: not signed by the site of a ring that was imported");
}

// The next certificates, page by page; how many were looked at.
Result<std::size_t> reissue_page(VaultCore& core, CertificateId& from,
                                 std::vector<std::string>& issued) {
  std::vector<CertificateId> made;
  std::size_t looked_at = 0;
  CertificateId next = from;
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    made.clear();
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const auto page, waiting_certificates(writer, seal, from, kReissuedAtOnce));
    looked_at = page.size();
    for (const CertificateId& id : page) {
      const Reissue reissue{id, tool_version(), core.environment.clock.now()};
      QUIETUS_TRY_AS(const auto by, reissue_certificate(writer, seal, reissue));
      if (by) made.push_back(*by);
      next = id;
    }
    return {};
  }));
  from = next;
  for (auto byte = from.rbegin(); byte != from.rend() && ++*byte == 0; ++byte) {
  }
  for (const CertificateId& id : made) issued.push_back(to_hex(id));
  return looked_at;
}

}  // namespace

Result<RingImport> Escrow::import_ring(std::string_view ring_file, const Trust* site) {
  QUIETUS_TRY_AS(const auto core, open_for_import(core_));
  RingImport imported;
  QUIETUS_TRY(core->update([&](ControlWriter& writer, ScopeTable& scopes,
                               RootRow& root) -> Result<void> {
    const RowSeal seal = scopes.seal();
    const UnixMillis now = core->environment.clock.now();
    QUIETUS_TRY_AS(const auto known, rows::trusted_rings(writer, seal));
    QUIETUS_TRY_AS(const OpenedRing opened, open_any_ring(ring_file, known, site));
    const RingFile& file = opened.file;
    if (file.site == root.vault)
      return Error(ErrorCode::kRefused,
                   "the ring is this vault's own: keys sealed to it would open with themselves");
    TrustedRing row{file.ring, opened.vkey, now, 0, std::string(ring_file)};
    for (const TrustedRing& before : known) {
      row.imported = std::max(row.imported, before.imported + 1);  // it comes first
      if (before.ring == file.ring) row.receipt = before.receipt;
    }
    QUIETUS_TRY(rows::put_trusted_ring(writer, seal, row));
    imported = {to_hex(file.ring), to_hex(file.site), opened.vkey, file.epochs.size(),
                file.epochs.back().closes};
    return log_change(writer, seal,
                      entry_text(new_entry(now), RingImported{file.site, file.ring, file.issued,
                                                              file.epochs.size()}));
  }));
  return imported;
}

Result<BackupInfo> Escrow::snapshot(const ByteSink& sink) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return make_backup(*core, sink, {}, BackupParts::kKeys);
}

Result<ReceiptImport> Escrow::import_receipt(std::string_view receipt) {
  QUIETUS_TRY_AS(const auto core, open_for_import(core_));
  ReceiptImport imported;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(auto known, rows::trusted_rings(writer, seal));
        QUIETUS_TRY_AS(const RingReceipt opened, open_known_receipt(receipt, known));
        QUIETUS_TRY_AS(imported, mark_destroyed(writer, seal, opened));
        known[0].receipt = std::max(known[0].receipt, opened.issued);
        QUIETUS_TRY(rows::put_trusted_ring(writer, seal, known[0]));
        return log_change(writer, seal,
                          entry_text(new_entry(core->environment.clock.now()),
                                     ReceiptImported{opened.ring, opened.issued, imported.epochs,
                                                     imported.snapshots}));
      }));
  CertificateId from{};
  while (true) {
    QUIETUS_TRY_AS(const std::size_t looked_at, reissue_page(*core, from, imported.certificates));
    if (looked_at < kReissuedAtOnce) return imported;
  }
}

}  // namespace quietus
