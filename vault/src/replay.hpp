// The gate of a recovery (attacks I4): what was erased since a key snapshot was made, as far as the
// newest log at hand says, and the inbox of the site.
#pragma once

#include <quietus/escrow.hpp>

#include <string>
#include <vector>

#include "evidence/log_entry.hpp"
#include "keys/key_store.hpp"
#include "vault_core.hpp"

namespace quietus {

struct Gate {
  std::vector<ReplayedErasure> erasures;  // oldest first
  std::vector<LogEntry> copies;           // of the keys, that were made since the snapshot
  LogAccepted entry;                      // what is to be logged of it
};

// Of the backup that the keys come from.
struct SnapshotPoint {
  VaultId vault{};
  std::string origin;  // of its log
  TreeHead log;
  UnixMillis begun = 0;
};

// Errors as in Escrow::recover().
Result<Gate> replay_erasures(VaultCore& site, const EscrowRecovery& from,
                             const SnapshotPoint& snapshot);

}  // namespace quietus
