// A key sealed under another key, and opened straight into guarded memory: nonce (24) ||
// XAES-256-GCM ciphertext (32) || tag (16).
#pragma once

#include <quietus/result.hpp>

#include <algorithm>

#include "crypto/aead.hpp"
#include "crypto/labels.hpp"

namespace quietus {

template <class Role, class WrapperRole>
Bytes wrap_key(GcmContext& context, const Key<WrapperRole>& wrapper, ByteView associated,
               const Key<Role>& key) {
  return wrapper.expose([&](std::span<const std::uint8_t, kKeySize> wrapping) {
    return key.expose(
        [&](ByteView bytes) { return xaes_seal_random(context, wrapping, associated, bytes); });
  });
}

// kCorrupt.
template <class Role, class WrapperRole>
Result<Key<Role>> unwrap_key(GcmContext& context, const Key<WrapperRole>& wrapper,
                             ByteView associated, ByteView sealed) {
  if (sealed.size() != kKeySize + kSealOverhead)
    return Error(ErrorCode::kCorrupt, "wrapped key: wrong size");
  XaesNonce nonce{};
  std::copy_n(sealed.begin(), nonce.size(), nonce.begin());
  Result<void> opened;
  auto key = Key<Role>::make([&](MutableBytes out) {
    opened = wrapper.expose([&](std::span<const std::uint8_t, kKeySize> wrapping) {
      return xaes_open(context, wrapping, nonce, associated, sealed.subspan(nonce.size()), out);
    });
  });
  if (!opened) return std::move(opened).error();
  return key;
}

}  // namespace quietus
