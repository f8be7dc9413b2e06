// Rows of the control store are sealed at rest: XAES-256-GCM under a row key, with the vault and
// the row's own key in the associated data, so that a row cannot be moved. nonce (24) || ciphertext
// || tag.
#pragma once

#include <quietus/result.hpp>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"

namespace quietus {

// label || 00 || vault id (16) || length of the row's key (4) || the row's key
Bytes row_associated_data(const VaultId& vault, ByteView row_key);

Bytes seal_row(GcmContext& context, const RowKey& key, const VaultId& vault, ByteView row_key,
               ByteView plaintext);
// kCorrupt.
Result<Bytes> open_row(GcmContext& context, const RowKey& key, const VaultId& vault,
                       ByteView row_key, ByteView sealed);

}  // namespace quietus
