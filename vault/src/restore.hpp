// A new instance of a vault with the records of a backup: rows come from the backup, keys from the
// newest control state at hand, never the other way round.
#pragma once

#include <quietus/backup.hpp>

#include "backup_merge.hpp"
#include "vault_core.hpp"

namespace quietus {

// With the keys that the open vault `live` has now: Backups::restore().
Result<RestoreReport> restore_backup(VaultCore& live, const ByteSource& backup,
                                     const std::filesystem::path& folder, const Unlock& unlock,
                                     const RestoreOptions& options = {});

// A restore on trial: the root key is in memory alone, and what was made ends when this returns.
struct Trial {
  // Before the instance is registered.
  std::function<Result<void>(const InstanceId& instance, const BackupId& backup)> begun;
  std::function<Result<void>(VaultCore& fresh)> inspect;
};
Result<RestoreReport> restore_on_trial(VaultCore& live, const ByteSource& backup,
                                       const std::filesystem::path& folder,
                                       const RestoreOptions& options, const Trial& trial);

// Neither the new vault nor its root slots lie in the other one, which would take them along.
// kRefused.
Result<void> check_apart(const VaultCore& live, const std::filesystem::path& folder,
                         const RestoreOptions& options);

// Certificates do not name it any more: it came to nothing, or has ended.
Result<void> forget_instance(VaultCore& live, const InstanceId& instance);

// The key that a backup which names `log_vkey` must be signed with: that of the log of the vault
// whose rows these are, or of an instance that it comes from. kRefused for any other.
Result<NoteKey> accepted_log_key(ControlReader& reader, const RowSeal& seal,
                                 const VaultHeader& header, const std::string& log_vkey);
// Whether the log as it was when the backup was made is a beginning of the log of this control
// state, shared with whoever signed it. kRolledBack: the control state is the older one.
Result<void> check_log_goes_on(ControlReader& reader, const RowSeal& seal,
                               const VaultHeader& header, const BackupManifest& manifest);

// The second half of every restore: the rows that `reader` has not handed out yet go into `fresh`,
// which has its keys, then everything that was put back is opened, and counted. Nothing counts
// before the manifest was seen to be signed by `log`.
Result<BackupManifest> restore_records(VaultCore& fresh, BackupMerge& reader, const NoteKey& log,
                                       RestoreReport& report);
// In the log of the new instance.
Result<void> log_restored(VaultCore& fresh, const BackupId& backup, const RestoreReport& report);

}  // namespace quietus
