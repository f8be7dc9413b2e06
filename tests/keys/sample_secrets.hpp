// Secrets and ids for tests of root slots, and what a test may do with them.
#pragma once

#include <algorithm>
#include <memory>

#include "base/secret.hpp"
#include "crypto/hash.hpp"
#include "keys/root_provider.hpp"

namespace quietus::test {

template <class Role>
Key<Role> key_from(ByteView bytes) {
  return Key<Role>::make(
      [&](MutableBytes out) { std::copy(bytes.begin(), bytes.end(), out.begin()); });
}

template <class Role>
Key<Role> named_key(std::string_view name) {
  return key_from<Role>(sha256(as_bytes(name)));
}

template <class Role>
Bytes bytes_of(const Key<Role>& key) {
  return key.expose([](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); });
}

inline Bytes bytes_of(const SecretBuffer& secret) {
  return secret.expose([](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); });
}

template <class Role>
bool same_key(const Key<Role>& a, const Key<Role>& b) {
  return bytes_of(a) == bytes_of(b);
}

inline SecretBuffer secret_from(ByteView bytes) {
  SecretBuffer secret(bytes.size());
  secret.fill([&](MutableBytes to) { std::copy(bytes.begin(), bytes.end(), to.begin()); });
  return secret;
}

inline std::shared_ptr<const UnlockSecret> key_file_secret(std::string_view name) {
  return std::make_shared<const UnlockSecret>(UnlockKind::kKeyFile,
                                              secret_from(sha256(as_bytes(name))));
}

inline std::shared_ptr<const UnlockSecret> passphrase_secret(std::string_view passphrase) {
  return std::make_shared<const UnlockSecret>(UnlockKind::kPassphrase,
                                              secret_from(as_bytes(passphrase)));
}

// With fresh parameters; of a passphrase the cheapest that are allowed.
inline SlotUnlock unlock_with(const std::shared_ptr<const UnlockSecret>& secret) {
  return {secret, secret->fresh_parameters(kArgon2Floor)};
}

inline VaultId vault_id(std::uint8_t n) {
  VaultId id{};
  id.fill(n);
  return id;
}

inline SlotName slot_name(std::uint64_t generation, std::uint8_t n) {
  SlotName slot;
  slot.generation = generation;
  slot.id.fill(n);
  return slot;
}

}  // namespace quietus::test
