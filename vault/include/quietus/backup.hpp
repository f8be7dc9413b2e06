// Data backups: consistent copies of the records, as ciphertext, in one stream that can be kept
// anywhere, on media that cannot be rewritten too. No root slot is in one, so what is erased later
// is unrecoverable in every backup at once, and nothing of them has to be rewritten. The form is in
// docs/format.md; what a backup is good for, and until when, in docs/backup.md.
#pragma once

#include <quietus/report.hpp>
#include <quietus/scope.hpp>
#include <quietus/trust.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

struct VaultCore;

struct BackupOptions {  // how one is made
  // How long it will be kept, "30d", "6m", "1y": for so long, keys that it needs are not destroyed
  // because of a rotation. Empty: what the policy says (backup-retention), or 30 days.
  std::string keep;
  // An earlier backup of this vault, complete: only what changed since goes into the new one, which
  // is worth something together with that one alone. It is read once and to its end, and checked.
  // Empty: a complete backup.
  ByteSource base;
  // Called now and then: bytes written, and how many there will be about (0: not known). False
  // stops the backup, which comes to nothing then (kRefused).
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress;
};

// A backup, as the inventory of its vault or its own manifest tells. Times are Unix milliseconds.
struct BackupInfo {
  std::string id;                  // 32 hex digits
  std::int64_t begun_unix_ms = 0;  // it holds what was there then
  std::int64_t made_unix_ms = 0;   // 0: it was not finished, as far as is known
  std::int64_t expires_unix_ms = 0;
  // Later than that while others hold changes since this one; 0 where only the backup itself tells.
  std::int64_t needed_until_unix_ms = 0;
  std::uint64_t records = 0;  // that are in it
  std::uint64_t bytes = 0;    // of the file
  // The key snapshot in it: the epoch of the escrow ring that opens it, and until when. Empty: it
  // has none.
  std::string epoch_id;
  std::int64_t epoch_expires_unix_ms = 0;
  std::string manifest_sha256;  // 64 hex digits
  std::string base_id;          // of one that holds only the changes since; empty: complete
};

// What a backup says of itself, once its hashes and its signature were checked.
struct CheckedBackup {
  BackupInfo info;
  std::string vault_id;              // 32 hex digits
  std::string base_manifest_sha256;  // of an incremental one
  std::uint64_t removed = 0;         // records that its base has and that were gone
  std::uint64_t records_in_all = 0;  // in both; 0 for an incremental one without its base
  std::string log_origin;
  std::uint64_t log_size = 0;  // of the evidence log, when it was made
  std::string log_root;        // 64 hex digits
  std::string log_vkey;        // whose key signed it
  bool trusted = false;        // false: nobody vouched for that key; it is the one the backup names
};

// Reads a backup to its end: every block is the one that the manifest names, and the manifest is
// signed. Needs no vault and no keys. With `trust`, the key that signed it is one of its logs. With
// `base`, for an incremental one, both are, and that is the one whose changes it holds.
// kCorrupt: damaged or cut short; kUnverified: not what it claims; kUnsupported: of a newer
// version; kRefused: the two do not belong together.
QUIETUS_EXPORT Result<CheckedBackup> check_backup(const ByteSource& backup,
                                                  const Trust* trust = nullptr,
                                                  const ByteSource* base = nullptr);

struct RestoreOptions {              // how one is put back
  const ByteSource* base = nullptr;  // of an incremental backup; borrowed
  CreateOptions create;              // of the new instance
  // Called now and then with the bytes that were read. False stops it: nothing is restored then.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress;
};

// What became of each record of a backup.
struct RestoreReport {
  std::string instance_id;  // 32 hex digits
  std::string backup_id;
  std::int64_t as_of_unix_ms = 0;  // records are as they were then
  std::uint64_t restored = 0;      // and opened
  std::uint64_t bytes = 0;         // of their content
  std::uint64_t erased = 0;        // of scopes that were erased
  std::uint64_t purged = 0;        // of keys that a purge or a rotation destroyed
  std::uint64_t missing = 0;       // no key of theirs is known, which should not be
  std::vector<Damage> damages;     // of what was put back
  // Of a recovery at a site: a signed note for the lost host, should it come back (Escrow::yield).
  std::string takeover;

  bool complete() const noexcept { return missing == 0 && damages.empty(); }  // nothing is amiss
};

// What of a backup opens with the keys that the vault has now.
struct OpenedBackup {
  CheckedBackup backup;
  std::uint64_t records = 0;  // in it, with its base
  std::uint64_t opened = 0;   // those that authenticated, with all their content
  std::uint64_t bytes = 0;    // of that content
  std::uint64_t erased = 0;   // of scopes that were erased
  std::uint64_t purged = 0;   // of keys that a purge or the end of a rotation destroyed
  std::uint64_t missing = 0;  // no key of theirs is known, which should not be
  std::uint64_t damaged = 0;  // their key is there, and they do not open
  // Large ones of which the record opened; there are more than are kept in mind at a time (200,000)
  // for their content, which comes later in a backup.
  std::uint64_t contents_not_opened = 0;
  std::vector<Damage> damages;  // the first 100

  bool sound() const noexcept { return missing == 0 && damaged == 0; }  // all opens
};

struct DrillOptions {                // how a restore is tried
  std::filesystem::path scratch;     // where to restore to; empty: the system's temporary folder
  std::uint32_t days = 30;           // erased scopes of so many days are tried
  const ByteSource* base = nullptr;  // of an incremental backup; borrowed
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress;  // as in RestoreOptions
};

// What a restore on trial showed.
struct DrillReport {
  RestoreReport restore;
  std::uint64_t milliseconds = 0;  // until every record was back and was opened
  std::uint64_t compared = 0;      // records, with the same version in the vault
  std::uint64_t differing = 0;     // of those: another content
  std::uint64_t changed = 0;       // replaced or removed since the backup
  std::uint64_t restricted_scopes =
      0;  // not to be read by the state of their key: opened, not compared
  std::uint64_t erased_scopes = 0;  // that were tried
  std::uint64_t erased_scopes_readable = 0;
  std::int64_t done_unix_ms = 0;
  bool key_memory_locked = false;  // false: the root key may have been swapped
  std::string signed_report;       // JWS by the issuing key, as certificates are

  bool passed() const noexcept {  // a backup that can be relied on
    return restore.complete() && differing == 0 && erased_scopes_readable == 0;
  }
};

// Of an open vault; valid as long as that is. Thread-safe.
class QUIETUS_EXPORT Backups {
 public:
  // Hands a backup to `sink`, as a snapshot of the records at one moment and, later, of their keys;
  // reads and writes go on meanwhile, in all processes. It is in the inventory and in the log from
  // before its snapshot is taken. Memory is bounded. What the sink got is a backup when this
  // returns without an error; otherwise it is to be thrown away. kInvalidArgument for `keep`;
  // kRefused in a vault that is open for reading only, and for a `base` that is not a complete
  // backup of this vault, in its inventory and not expired; the errors of check_backup() for a
  // base; the errors of `sink`.
  Result<BackupInfo> create(const ByteSink& sink, const BackupOptions& options = {});
  // Makes a new instance of the vault in `folder` (absent or empty), with a root slot of its own
  // under `unlock`: the records are those of the backup, the keys are the ones the vault has now.
  // So nothing that was erased comes back. Memory is bounded. The new instance has its own evidence
  // log, which goes on where this one's copy ends, and is a second holder of the keys that there
  // are: certificates of both name the other from now on and are not `complete`, until the other
  // one's receipt is imported. Every record that was put back was opened. kRefused: of another
  // vault, into a vault, or open for reading only; kRolledBack: this is an older copy of the vault
  // than the backup; kBusy while an erasure or a purge is under way or not finished; errors of
  // check_backup() and Vault::create(). After an error there is no new instance.
  Result<RestoreReport> restore(const ByteSource& backup, const std::filesystem::path& folder,
                                const Unlock& unlock, const RestoreOptions& options = {});
  // Takes the certificate of another instance of this vault as its receipt: what it names was
  // destroyed in that instance too, so this one's certificates of the same scopes, or of scopes
  // that lay below them, need not wait for it any more. Those that waited are written anew, the new
  // one superseding the old. The certificate that a destroyed instance left is a receipt for
  // everything. Again is no error. kUnverified: not signed by an instance that is known here with
  // its keys, or not what it claims; kRefused: this instance's own, one whose root slots were not
  // all seen destroyed, which waits for key snapshots, or does not know all instances that it would
  // have to name, one of scopes that never were here, or a vault that is open for reading only.
  Result<CertificateImport> import_certificate(std::string_view certificate);
  // Reads a backup of this vault as check_backup() does, signed with a log key that restore() would
  // accept, and opens every record of it with the keys that the vault has now. An incremental one
  // is read with its base. What was opened is wiped; nothing is written. Memory is bounded.
  // kRefused: of another vault or another instance, or the base is missing or the wrong one;
  // kRolledBack as for restore(); errors of check_backup().
  Result<OpenedBackup> verify(const ByteSource& backup, const ByteSource* base = nullptr);
  // Restores into a scratch place that is removed again, under a root key that is in guarded memory
  // alone; compares what came back with what the vault has, and tries what was erased. The report
  // is signed, and in the log. Errors of restore(); a report that did not pass is no error.
  Result<DrillReport> drill(const ByteSource& backup, const DrillOptions& options = {});
  // Every backup that was ever begun and not dropped, in that order.
  Result<std::vector<BackupInfo>> list();
  // Takes one out of the inventory, because its file was removed before it expired: keys that it
  // alone needed are no longer kept for it. Nothing else changes, and if a copy is left after all,
  // it is worth what the keys still open. kInvalidArgument, kNotFound; kRefused as long as others
  // hold changes since it that have not expired, and in a vault that is open for reading only.
  Result<BackupInfo> forget(std::string_view id);

  explicit Backups(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
