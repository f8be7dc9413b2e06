#include "crypto/passphrase.hpp"

#include <sodium.h>

namespace quietus {

Result<void> check_argon2(const Argon2Parameters& parameters) {
  if (parameters.passes < kArgon2Floor.passes || parameters.memory_kib < kArgon2Floor.memory_kib)
    return Error(ErrorCode::kCorrupt, "argon2 parameters weaker than any that are ever written");
  if (parameters.passes > kArgon2Ceiling.passes ||
      parameters.memory_kib > kArgon2Ceiling.memory_kib)
    return Error(ErrorCode::kCorrupt, "argon2 parameters beyond the ceiling");
  return {};
}

Result<UnlockKey> derive_from_passphrase(ByteView passphrase, const Argon2Salt& salt,
                                         const Argon2Parameters& parameters) {
  static_assert(crypto_pwhash_argon2id_SALTBYTES == std::tuple_size_v<Argon2Salt>);
  QUIETUS_TRY(check_argon2(parameters));
  const char* const text = passphrase.empty() ? "" : as_text(passphrase).data();  // never null
  bool derived = false;
  UnlockKey key = UnlockKey::make([&](MutableBytes out) {
    derived = crypto_pwhash_argon2id(out.data(), out.size(), text, passphrase.size(), salt.data(),
                                     parameters.passes, std::size_t{parameters.memory_kib} * 1024,
                                     crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0;
  });
  if (!derived)
    return Error(ErrorCode::kUnavailable, "not enough memory to derive the key of a passphrase");
  return key;
}

}  // namespace quietus
