// The unlock secret: a key file or a passphrase, turned into the key that seals root slots.
//
// Key file, one line of text:  quietus-key-1 <base64url of 32 bytes>
#pragma once

#include <quietus/result.hpp>

#include <filesystem>
#include <mutex>
#include <optional>

#include "crypto/labels.hpp"
#include "crypto/passphrase.hpp"
#include "storage/file.hpp"

namespace quietus {

// Numbers reach the disk: do not change them.
enum class UnlockKind : std::uint8_t { kKeyFile = 1, kPassphrase = 2 };

// Lies in the clear in every slot; authenticated there.
struct UnlockParameters {
  UnlockKind kind = UnlockKind::kKeyFile;
  Argon2Salt salt{};
  Argon2Parameters argon2;  // zero for a key file
};

class UnlockSecret {
 public:
  // `secret`: the 32 bytes of the key file, or the passphrase.
  UnlockSecret(UnlockKind kind, SecretBuffer secret) : kind_(kind), secret_(std::move(secret)) {}

  UnlockKind kind() const noexcept { return kind_; }

  // Fresh parameters for a new vault or a changed secret.
  UnlockParameters fresh_parameters(const Argon2Parameters& argon2) const;

  // Derives the key; Argon2id runs once per salt and the key is then kept in guarded memory,
  // because every root change and every root change of others needs it again. Thread-safe.
  // kWrongKey when the parameters are of another kind; kCorrupt; kUnavailable.
  Result<UnlockKey> key_for(const UnlockParameters& parameters) const;

 private:
  UnlockKind kind_;
  SecretBuffer secret_;
  mutable std::mutex mutex_;
  mutable std::optional<std::pair<UnlockParameters, UnlockKey>> derived_;  // guarded by mutex_
};

// kNotFound, kCorrupt (not a key file), kIo.
Result<SecretBuffer> read_key_file(FileSystem& files, const std::filesystem::path& path);
// 256 random bits, mode 0600, durable on return. kAlreadyExists.
Result<void> write_new_key_file(FileSystem& files, const std::filesystem::path& path);

// The first line of a descriptor or file, at most 1,024 bytes, straight into guarded memory.
// kInvalidArgument when it is empty or longer.
Result<SecretBuffer> read_passphrase(int descriptor);

}  // namespace quietus
