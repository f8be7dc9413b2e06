#include "crypto/row_seal.hpp"

#include "base/byte_writer.hpp"

namespace quietus {

Bytes row_associated_data(const VaultId& vault, ByteView row_key) {
  return ByteWriter().raw(as_bytes(labels::kRowData)).u8(0).raw(vault).field(row_key).take();
}

Bytes seal_row(GcmContext& context, const RowKey& key, const VaultId& vault, ByteView row_key,
               ByteView plaintext) {
  const Bytes associated = row_associated_data(vault, row_key);
  return key.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    return xaes_seal_random(context, bytes, associated, plaintext);
  });
}

Result<Bytes> open_row(GcmContext& context, const RowKey& key, const VaultId& vault,
                       ByteView row_key, ByteView sealed) {
  const Bytes associated = row_associated_data(vault, row_key);
  return key.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    return xaes_open_random(context, bytes, associated, sealed);
  });
}

}  // namespace quietus
