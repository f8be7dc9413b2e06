// Whether a backup is what it claims: without keys.
#include <quietus/backup.hpp>

#include "backup_merge.hpp"
#include "backup_run.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/trust_file.hpp"

namespace quietus {
namespace {

// The manifest of a BackupReader or a BackupMerge, read to the end.
template <class Reader>
Result<BackupManifest> read_all(Reader& reader, const NoteKey& key) {
  while (true) {
    QUIETUS_TRY_AS(const auto row, reader.next());
    if (!row) return reader.finish(key);
  }
}

template <class Reader>
Result<CheckedBackup> check_with(Reader& reader, const Trust* trust) {
  QUIETUS_TRY_AS(const BackupHead head, reader.head());
  QUIETUS_TRY_AS(const NoteKey key, backup_key(head, trust));
  QUIETUS_TRY_AS(const BackupManifest manifest, read_all(reader, key));
  CheckedBackup checked;
  checked.info.id = to_hex(manifest.backup);
  checked.info.begun_unix_ms = manifest.begun;
  checked.info.expires_unix_ms = manifest.expires;
  checked.info.records = manifest.content.records;
  checked.info.manifest_sha256 = to_hex(sha256(as_bytes(reader.note())));
  if (reader.seal()) checked.info.epoch_id = to_hex(reader.seal()->epoch);
  if (manifest.base) {
    checked.info.base_id = to_hex(manifest.base->backup);
    checked.base_manifest_sha256 = to_hex(manifest.base->manifest);
  }
  checked.removed = manifest.content.removed;
  checked.vault_id = to_hex(manifest.vault);
  checked.log_origin = manifest.log.origin;
  checked.log_size = manifest.log.head.size;
  checked.log_root = to_hex(manifest.log.head.root);
  checked.log_vkey = head.log_vkey;
  checked.trusted = trust != nullptr;
  return checked;
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
  std::uint64_t bytes = 0;
  const ByteSource source = [&](MutableBytes to) {
    auto got = backup(to);
    if (got) bytes += *got;
    return got;
  };
  CheckedBackup checked;
  if (base == nullptr) {
    BackupReader reader(source);
    QUIETUS_TRY_AS(checked, check_with(reader, trust));
    checked.records_in_all = checked.info.base_id.empty() ? checked.info.records : 0;
  } else {
    BackupMerge both(base, source);
    QUIETUS_TRY_AS(checked, check_with(both, trust));
    checked.records_in_all = both.records();
  }
  checked.info.bytes = bytes;
  return checked;
}

}  // namespace quietus
