// The bytes of one slot file: 32 KiB, of which every sector is needed.
//
//   offset size
//        0    8  "QUIETUSS"
//        8    2  format version (1)
//       10    1  unlock kind (1 key file, 2 passphrase)
//       11    1  mirror (0 or 1)
//       12    4  Argon2id passes        16  4  Argon2id memory, KiB (both 0 for a key file)
//       20   16  salt
//       36   16  vault id
//       52    8  root generation        60 16  slot id
//       76    4  stripes (450)
//       80   32  SHA-256 of the material
//      112   32  SHA-256 of bytes 0 to 111
//      144       material: anti-forensic split of the sealed root key into 450 stripes of 72 bytes
//    32544  224  random
//
// Sealed root key: nonce (24) || XAES-256-GCM ciphertext (32) || tag (16) under the slot key, which
// is HKDF-Expand(unlock key, "quietus/v1/slot" || 00 || vault id || root generation || slot id);
// associated data "quietus/v1/ad/slot" || bytes 0 to 79.
#pragma once

#include <quietus/result.hpp>

#include "crypto/aead.hpp"
#include "keys/root_provider.hpp"
#include "keys/unlock.hpp"

namespace quietus {

inline constexpr std::size_t kSlotFileSize = 32768;
inline constexpr std::uint8_t kSlotMirrors = 2;

struct SlotAddress {
  VaultId vault{};
  SlotName slot;
  std::uint8_t mirror = 0;
};

// Requires: file.size() == kSlotFileSize.
Result<void> encode_slot(const SlotAddress& address, const UnlockSecret& unlock,
                         const UnlockParameters& parameters, const RootKey& key, MutableBytes file);

// kCorrupt (damaged, or not the slot asked for), kUnsupported, kWrongKey.
Result<RootKey> decode_slot(const SlotAddress& address, const UnlockSecret& unlock, ByteView file);

// The unlock parameters alone. kCorrupt, kUnsupported.
Result<UnlockParameters> decode_slot_parameters(const SlotAddress& address, ByteView file);

}  // namespace quietus
