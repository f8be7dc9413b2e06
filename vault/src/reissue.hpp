// Certificates that say more than the ones that were written before, once more is known: what every
// import of a receipt ends with.
#pragma once

#include <string>
#include <vector>

#include "vault_core.hpp"

namespace quietus {

// Looks at every certificate that waits for something, a few in each transaction, and writes
// another one where that is better (reissue_certificate). `issued` gets their ids. After an error
// those that were not looked at wait for the next import.
Result<void> reissue_certificates(VaultCore& core, std::vector<std::string>& issued);

}  // namespace quietus
