// Whether a backup is what it claims: without keys, and whether it opens with those of its vault.
#include <quietus/vault.hpp>

#include "backup_merge.hpp"
#include "backup_opening.hpp"
#include "backup_run.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/trust_file.hpp"
#include "restore.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// Counts what a source delivers.
class CountedSource {
 public:
  explicit CountedSource(const ByteSource& from)
      : source_([this, &from](MutableBytes to) {
          auto got = from(to);
          if (got) bytes_ += *got;
          return got;
        }) {}
  CountedSource(const CountedSource&) = delete;
  CountedSource& operator=(const CountedSource&) = delete;
  ~CountedSource() = default;

  const ByteSource& source() const noexcept { return source_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
  ByteSource source_;
};

CheckedBackup checked_of(const BackupManifest& manifest, const std::string& note,
                         std::string log_vkey) {
  CheckedBackup checked;
  checked.info.id = to_hex(manifest.backup);
  checked.info.begun_unix_ms = manifest.begun;
  checked.info.expires_unix_ms = manifest.expires;
  checked.info.records = manifest.content.records;
  checked.info.manifest_sha256 = to_hex(sha256(as_bytes(note)));
  if (manifest.base) {
    checked.info.base_id = to_hex(manifest.base->backup);
    checked.base_manifest_sha256 = to_hex(manifest.base->manifest);
  }
  checked.removed = manifest.content.removed;
  checked.vault_id = to_hex(manifest.vault);
  checked.log_origin = manifest.log.origin;
  checked.log_size = manifest.log.head.size;
  checked.log_root = to_hex(manifest.log.head.root);
  checked.log_vkey = std::move(log_vkey);
  return checked;
}

// Reads a BackupReader or a BackupMerge to its end.
template <class Reader>
Result<CheckedBackup> check_with(Reader& reader, const Trust* trust) {
  QUIETUS_TRY_AS(const BackupHead head, reader.head());
  QUIETUS_TRY_AS(const NoteKey key, backup_key(head, trust));
  while (true) {
    QUIETUS_TRY_AS(const auto row, reader.next());
    if (!row) break;
  }
  QUIETUS_TRY_AS(const BackupManifest manifest, reader.finish(key));
  CheckedBackup checked = checked_of(manifest, reader.note(), head.log_vkey);
  if (reader.seal()) checked.info.epoch_id = to_hex(reader.seal()->epoch);
  checked.trusted = trust != nullptr;
  return checked;
}

// That of the vault's own log, or of one that it goes on from.
Result<NoteKey> key_in_vault(VaultCore& core, const BackupHead& head) {
  NoteKey found;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(found, accepted_log_key(reader, scopes.seal(), core.header, head.log_vkey));
        return {};
      }));
  return found;
}

}  // namespace

Result<NoteKey> backup_key(const BackupHead& head, const Trust* trust) {
  const auto named = parse_vkey(head.log_vkey);
  if (!named)
    return named.error().code() == ErrorCode::kUnsupported
               ? Error(ErrorCode::kUnsupported, "backup: signed by a key of a kind not known here")
               : Error(ErrorCode::kCorrupt, "backup: the key that it names is malformed");
  if (trust == nullptr) return *named;
  for (const NoteKey& log : trust->rules().logs)
    if (format_vkey(log) == head.log_vkey) return log;
  return unverified("backup: signed by a log key that the trust file does not name: " +
                    named->name);
}

Result<CheckedBackup> check_backup(const ByteSource& backup, const Trust* trust,
                                   const ByteSource* base) {
  const CountedSource counted(backup);
  CheckedBackup checked;
  if (base == nullptr) {
    BackupReader reader(counted.source());
    QUIETUS_TRY_AS(checked, check_with(reader, trust));
    checked.records_in_all = checked.info.base_id.empty() ? checked.info.records : 0;
  } else {
    BackupMerge both(base, counted.source());
    QUIETUS_TRY_AS(checked, check_with(both, trust));
    checked.records_in_all = both.records();
  }
  checked.info.bytes = counted.bytes();
  return checked;
}

Result<OpenedBackup> Backups::verify(const ByteSource& backup, const ByteSource* base) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const CountedSource counted(backup);
  BackupMerge rows(base, counted.source());
  QUIETUS_TRY_AS(const BackupHead head, rows.head());
  if (head.vault != core->header.vault)
    return Error(ErrorCode::kRefused, "backup: it is of another vault");
  QUIETUS_TRY_AS(const NoteKey key, key_in_vault(*core, head));
  OpenedBackup report;
  BackupOpening opening(*core->keys, report);
  while (true) {
    QUIETUS_TRY_AS(const auto row, rows.next());
    if (!row) break;
    if (row->table) QUIETUS_TRY(opening.add(*row));
  }
  QUIETUS_TRY(opening.finish());
  QUIETUS_TRY_AS(const BackupManifest manifest, rows.finish(key));
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        return check_log_goes_on(reader, scopes.seal(), core->header, manifest);
      }));
  report.backup = checked_of(manifest, rows.note(), head.log_vkey);
  if (rows.seal()) report.backup.info.epoch_id = to_hex(rows.seal()->epoch);
  report.backup.info.bytes = counted.bytes();
  report.backup.records_in_all = rows.records();
  report.backup.trusted = true;
  return report;
}

}  // namespace quietus
