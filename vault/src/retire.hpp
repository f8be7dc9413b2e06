// The end of keys that a plain rotation left behind.
#pragma once

#include <vector>

#include "vault_core.hpp"

namespace quietus {

struct RetireReport {
  std::uint64_t scopes = 0;  // whose older keys were destroyed, or would be
  std::uint64_t keys = 0;
  std::uint64_t root_changes = 0;    // one for every thousand scopes or so
  std::uint64_t held = 0;            // scopes passed over because of a legal hold
  std::uint64_t damaged = 0;         // scopes passed over because a row of theirs is damaged
  std::vector<ScopeId> held_scopes;  // the first kMaxTold of them
  static constexpr std::size_t kMaxTold = 1000;
};

// Destroys the older generations of data lines that no live row needed any more before that time,
// of all scopes in one root change; so the caller takes the time at which the oldest backup was
// made that counts. What was to be destroyed at once and was not goes along. Scopes that are held,
// damaged or erased are passed over, and so is every key that a live row needs. `guard` is that of
// RootChangeRequest; `dry_run` counts. Memory is bounded. Errors of KeyStore::change_root: what was
// destroyed before stays destroyed.
using RetireGuard = decltype(RootChangeRequest::guard);
Result<RetireReport> retire_older_keys(VaultCore& core, UnixMillis unneeded_before, bool dry_run,
                                       const RetireGuard& guard = {});

}  // namespace quietus
