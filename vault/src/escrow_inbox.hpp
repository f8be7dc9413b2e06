// The inbox of a recovery site, as a recovery uses it.
#pragma once

#include <quietus/escrow.hpp>

#include "vault_core.hpp"

namespace quietus {

// Receives the notices of that vault. kUnverified when one of its files cannot be believed.
Result<void> receive_all_of(VaultCore& site, const EscrowRecovery& from, const VaultId& vault);

}  // namespace quietus
