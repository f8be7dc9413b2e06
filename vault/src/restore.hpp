// A new instance of a vault with the records of a backup. Not offered to callers yet:
// docs/backup.md says what is missing.
#pragma once

#include <quietus/report.hpp>
#include <quietus/scope.hpp>

#include <functional>

#include "vault_core.hpp"

namespace quietus {

struct RestoreOptions {
  CreateOptions create;  // of the new instance
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

  bool complete() const noexcept { return missing == 0 && damages.empty(); }
};

// Makes a new instance of the vault in `folder` (absent or empty), with a root slot of its own: the
// records are those of the backup, the keys are the ones the vault has now. So nothing that was
// erased comes back. Memory is bounded. The new instance has its own evidence log, which goes on
// where this one's copy ends, and is a second holder of the keys: certificates of both name the
// other from now on and are not `complete`. Every record that was put back was opened. kRefused: of
// another vault, or open for reading only; kBusy while an erasure or a purge is under way or not
// finished; errors of check_backup() and Vault::create(). After an error there is no new instance.
Result<RestoreReport> restore_backup(VaultCore& live, const ByteSource& backup,
                                     const std::filesystem::path& folder, const Unlock& unlock,
                                     const RestoreOptions& options = {});

}  // namespace quietus
