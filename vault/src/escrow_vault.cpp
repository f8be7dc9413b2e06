// The escrow ring as the vault sees it whose keys the recovery site may open: ring files and
// receipts that are imported, and snapshots that are sealed.
#include <quietus/escrow.hpp>

#include <algorithm>
#include <set>

#include "backup_run.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/log_store.hpp"
#include "evidence/ring_receipt.hpp"
#include "evidence/takeover.hpp"
#include "evidence/trust_file.hpp"
#include "keys/instances.hpp"
#include "keys/log_change.hpp"
#include "keys/scope_state.hpp"
#include "keys/snapshots.hpp"
#include "reissue.hpp"

namespace quietus {
namespace {

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
      // What the site itself is not sure of attests nothing.
      if (gone.epoch != row.epoch || !gone.complete) continue;
      row.destroyed = gone.destroyed;
      QUIETUS_TRY(rows::put_snapshot(writer, seal, row));
      epochs.insert(row.epoch);
      ++found.snapshots;
    }
  }
  found.epochs = epochs.size();
  return found;
}

// An instance that the site made of a snapshot that is sealed to that epoch; of which one, it does
// not say. It may be one of this instance, or one of another that is not known here, and then has
// what that one shares with this one.
InstanceRow opened_instance(const OpenedEpoch& opened, const std::vector<SnapshotRow>& snapshots,
                            const std::vector<InstanceRow>& others) {
  std::vector<std::uint64_t> sizes;
  for (const SnapshotRow& row : snapshots)
    if (row.epoch == opened.epoch) sizes.push_back(row.log_size);
  if (sizes.empty())  // of a snapshot that is not known here
    return {opened.instance, opened.opened, UINT64_MAX, {}, {}};
  for (const InstanceRow& other : others) {
    sizes.push_back(other.least_log_size.value_or(other.log_size));
    sizes.push_back(other.log_size);
  }
  const auto [least, most] = std::ranges::minmax(sizes);
  return {opened.instance, opened.opened, most, {}, {}, least};
}

// Instances of this vault that the site made: they hold what the snapshots of that epoch hold.
Result<void> note_opened(ControlWriter& writer, const RowSeal& seal, const InstanceId& own,
                         const RingReceipt& receipt) {
  QUIETUS_TRY_AS(const auto known, rows::instances(writer, seal, [] {}));
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(writer, seal));
  for (const OpenedEpoch& opened : receipt.opened) {
    if (opened.vault != seal.vault || opened.instance == own) continue;
    if (std::ranges::find(known, opened.instance, &InstanceRow::instance) != known.end()) continue;
    QUIETUS_TRY(rows::put_instance(writer, seal, opened_instance(opened, snapshots, known)));
  }
  return {};
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

}  // namespace

Result<RingImport> Escrow::import_ring(std::string_view ring_file, const Trust* site) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
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

namespace {

Result<Takeover> open_known_takeover(std::string_view note, const std::vector<TrustedRing>& known) {
  for (const TrustedRing& ring : known) {
    QUIETUS_TRY_AS(const NoteKey key, parse_vkey(ring.site_vkey));
    if (auto takeover = open_takeover(note, key)) return takeover;
  }
  return unverified("takeover: not signed by the site of a ring that was imported");
}

// The other one's log goes on from a beginning of this one's.
Result<void> check_takeover(ControlReader& reader, const VaultHeader& own,
                            const Takeover& takeover) {
  if (takeover.vault != own.vault) return Error(ErrorCode::kRefused, "takeover: of another vault");
  if (takeover.instance == own.instance)
    return Error(ErrorCode::kRefused, "takeover: this is the instance that took over");
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  if (takeover.log.size > head.size)
    return Error(ErrorCode::kRolledBack,
                 "takeover: the other instance knows more log entries than there are here");
  QUIETUS_TRY_AS(const Hash root, root_at(reader, takeover.log.size));
  if (root != takeover.log.root) return unverified("takeover: of another log");
  return {};
}

}  // namespace

Result<void> Escrow::yield(std::string_view takeover) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(core->keys->update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const auto known, rows::trusted_rings(writer, seal));
        QUIETUS_TRY_AS(const Takeover stated, open_known_takeover(takeover, known));
        QUIETUS_TRY(check_takeover(writer, core->header, stated));
        QUIETUS_TRY(rows::put_instance(writer, seal,
                                       {stated.instance, stated.issued, stated.log.size, {}, {}}));
        QUIETUS_TRY_AS(const auto row, rows::key_row(writer, seal, kVaultScope));
        if (row && row->state == KeyState::kDeactivated) return {};  // once is enough
        QUIETUS_TRY(change_state(writer, seal,
                                 {kVaultScope, KeyState::kDeactivated, Code("taken-over"), now}));
        return log_change(writer, seal,
                          entry_text(new_entry(now), TakenOver{stated.instance, stated.log.size}));
      }));
  return {};
}

Result<BackupInfo> Escrow::snapshot(const ByteSink& sink) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return make_backup(*core, sink, {}, BackupParts::kKeys);
}

Result<ReceiptImport> Escrow::import_receipt(std::string_view receipt) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  ReceiptImport imported;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(auto known, rows::trusted_rings(writer, seal));
        QUIETUS_TRY_AS(const RingReceipt opened, open_known_receipt(receipt, known));
        QUIETUS_TRY_AS(imported, mark_destroyed(writer, seal, opened));
        QUIETUS_TRY(note_opened(writer, seal, core->header.instance, opened));
        known[0].receipt = std::max(known[0].receipt, opened.issued);
        QUIETUS_TRY(rows::put_trusted_ring(writer, seal, known[0]));
        return log_change(writer, seal,
                          entry_text(new_entry(core->environment.clock.now()),
                                     ReceiptImported{opened.ring, opened.issued, imported.epochs,
                                                     imported.snapshots}));
      }));
  QUIETUS_TRY(reissue_certificates(*core, imported.certificates));
  return imported;
}

}  // namespace quietus
