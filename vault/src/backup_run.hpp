// Making a backup, or a key snapshot alone, which is a backup without records.
#pragma once

#include <quietus/backup.hpp>

#include <optional>

#include "backup_format.hpp"
#include "vault_core.hpp"

namespace quietus {

enum class BackupParts { kRecordsAndKeys, kKeys };

// Backups::create() and Escrow::snapshot().
Result<BackupInfo> make_backup(VaultCore& core, const ByteSink& sink, const BackupOptions& options,
                               BackupParts parts);

// The key that a manifest has to be signed with: one of the trusted logs of that name, or else the
// one that the backup names. kUnverified, kUnsupported, kCorrupt.
Result<NoteKey> backup_key(const BackupHead& head, const Trust* trust);

}  // namespace quietus
