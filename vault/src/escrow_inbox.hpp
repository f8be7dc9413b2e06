// The inbox of a recovery site, as erasures and recoveries use it.
#pragma once

#include <quietus/escrow.hpp>

#include "vault_core.hpp"

namespace quietus {

// Tells what waits. What cannot be told goes on to wait.
void tell_if_possible(VaultCore& core);
// kRefused when the site could not be told of the end of the vault: nobody can tell it later.
Result<void> check_last_words(VaultCore& core);

// Receives the notices of that vault. kUnverified when one of its files cannot be believed.
Result<void> receive_all_of(VaultCore& site, const EscrowRecovery& from, const VaultId& vault);

}  // namespace quietus
