// Log entries about copies of a vault: backups, key snapshots, other instances.
#include "evidence/entry_builder.hpp"

namespace quietus {

std::string entry_text(const EntryHead& head, const BackupBegun& entry) {
  EntryBuilder builder(head, entry_kinds::kBackupBegun);
  builder.bytes("backup", entry.backup).time("expires", entry.expires);
  if (entry.base != BackupId{}) builder.bytes("base", entry.base);
  return builder.text();
}

std::string entry_text(const EntryHead& head, const BackupMade& entry) {
  return EntryBuilder(head, entry_kinds::kBackupMade)
      .bytes("backup", entry.backup)
      .number("records", entry.records)
      .bytes("manifest_sha256", entry.manifest)
      .text();
}

std::string entry_text(const EntryHead& head, const BackupDropped& entry) {
  return EntryBuilder(head, entry_kinds::kBackupDropped).bytes("backup", entry.backup).text();
}

std::string entry_text(const EntryHead& head, const CopyMade& entry) {
  return EntryBuilder(head, entry_kinds::kCopyMade)
      .bytes("instance", entry.instance)
      .number("log_size", entry.log_size)
      .text();
}

std::string entry_text(const EntryHead& head, const CopyDropped& entry) {
  return EntryBuilder(head, entry_kinds::kCopyDropped).bytes("instance", entry.instance).text();
}

std::string entry_text(const EntryHead& head, const RecordsRestored& entry) {
  return EntryBuilder(head, entry_kinds::kRecordsRestored)
      .bytes("backup", entry.backup)
      .number("restored", entry.restored)
      .number("erased", entry.erased)
      .number("purged", entry.purged)
      .number("missing", entry.missing)
      .number("damaged", entry.damaged)
      .text();
}

std::string entry_text(const EntryHead& head, const InstanceBegun& entry) {
  return EntryBuilder(head, entry_kinds::kInstanceBegun)
      .bytes("instance", entry.instance)
      .number("origin_size", entry.origin_size)
      .bytes("origin_root", entry.origin_root)
      .bytes("backup", entry.backup)
      .text();
}

std::string entry_text(const EntryHead& head, const SnapshotBegun& entry) {
  return EntryBuilder(head, entry_kinds::kSnapshotBegun)
      .bytes("snapshot", entry.snapshot)
      .bytes("ring", entry.ring)
      .bytes("epoch", entry.epoch)
      .time("expires", entry.expires)
      .text();
}

std::string entry_text(const EntryHead& head, const SnapshotDropped& entry) {
  return EntryBuilder(head, entry_kinds::kSnapshotDropped).bytes("snapshot", entry.snapshot).text();
}

std::string entry_text(const EntryHead& head, const RingImported& entry) {
  return EntryBuilder(head, entry_kinds::kRingImported)
      .bytes("site", entry.site)
      .bytes("ring", entry.ring)
      .time("issued", entry.issued)
      .number("epochs", entry.epochs)
      .text();
}

std::string entry_text(const EntryHead& head, const ReceiptImported& entry) {
  return EntryBuilder(head, entry_kinds::kReceiptImported)
      .bytes("ring", entry.ring)
      .time("issued", entry.issued)
      .number("epochs", entry.epochs)
      .number("snapshots", entry.snapshots)
      .text();
}

std::string entry_text(const EntryHead& head, const InstanceReceiptImported& entry) {
  return EntryBuilder(head, entry_kinds::kInstanceReceiptImported)
      .bytes("instance", entry.instance)
      .bytes("certificate", entry.certificate)
      .number("scopes", entry.scopes)
      .text();
}

std::string entry_text(const EntryHead& head, const LogAccepted& entry) {
  EntryBuilder text(head, entry_kinds::kLogAccepted);
  text.number("snapshot_size", entry.snapshot_size)
      .number("size", entry.size)
      .bytes("root", entry.root)
      .number("destroyed", entry.destroyed);
  if (entry.as_of != 0) text.time("as_of", entry.as_of);
  return text.text();
}

std::string entry_text(const EntryHead& head, const VaultRecovered& entry) {
  return EntryBuilder(head, entry_kinds::kVaultRecovered)
      .bytes("vault", entry.vault)
      .bytes("instance", entry.instance)
      .bytes("epoch", entry.epoch)
      .text();
}

std::string entry_text(const EntryHead& head, const TakenOver& entry) {
  return EntryBuilder(head, entry_kinds::kTakenOver)
      .bytes("instance", entry.instance)
      .number("log_size", entry.log_size)
      .text();
}

std::string entry_text(const EntryHead& head, const DrillDone& entry) {
  return EntryBuilder(head, entry_kinds::kDrillDone)
      .bytes("backup", entry.backup)
      .number("restored", entry.restored)
      .number("compared", entry.compared)
      .number("erased", entry.erased)
      .number("passed", entry.passed ? 1 : 0)
      .bytes("report_sha256", entry.report)
      .text();
}

}  // namespace quietus
