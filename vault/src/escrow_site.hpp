// What a recovery site hands to those who recover a vault with it. The site's vault is open.
#pragma once

#include "crypto/epoch_seal.hpp"
#include "evidence/ring_receipt.hpp"
#include "vault_core.hpp"

namespace quietus {

// The private half of an epoch. kErased when its key was destroyed; kNotFound when it is not of
// this ring, or the vault has none; kRestricted and kRefused as reading under its scope. An erasure
// waits for keys in use, but not for this copy: whoever gets it lets it go at once.
Result<EpochPrivateKey> epoch_private_key(VaultCore& site, const EpochId& epoch);

// What the site publishes now. kNotFound.
Result<RingFile> site_ring_file(VaultCore& site);
Result<RingReceipt> site_receipt(VaultCore& site);
// What its ring file and its receipt are signed with.
Result<NoteKey> site_note_key(VaultCore& site);

}  // namespace quietus
