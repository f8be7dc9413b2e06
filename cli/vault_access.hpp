// From the options of a command to an open vault: which folder, which secret, reading or writing.
#pragma once

#include <quietus/vault.hpp>

#include <string>

namespace quietus::cli {

// Options that every command takes.
struct GlobalOptions {
  std::string vault;            // --vault, else $QUIETUS_VAULT
  std::string key_file;         // --key-file, else $QUIETUS_KEY_FILE
  std::string passphrase_file;  // --passphrase-file, else $QUIETUS_PASSPHRASE_FILE
};

// An unlock secret, and the pipe that a typed one is read from: to be kept until it was used.
class HeldUnlock {
 public:
  explicit HeldUnlock(Unlock unlock, int pipe = -1) : unlock_(std::move(unlock)), pipe_(pipe) {}
  HeldUnlock(HeldUnlock&& other) noexcept
      : unlock_(std::move(other.unlock_)), pipe_(std::exchange(other.pipe_, -1)) {}
  HeldUnlock& operator=(HeldUnlock&&) = delete;
  HeldUnlock(const HeldUnlock&) = delete;
  HeldUnlock& operator=(const HeldUnlock&) = delete;
  ~HeldUnlock();

  const Unlock& unlock() const noexcept { return unlock_; }

 private:
  Unlock unlock_;
  int pipe_;
};

// Puts the environment in where an option was not given. kInvalidArgument when it contradicts
// itself.
Result<void> complete_from_environment(GlobalOptions& options);

// The secret of a vault that exists: a file, else a prompt. kWrongKey when there is neither.
Result<HeldUnlock> existing_secret(const GlobalOptions& options);

// A secret to be: a key file (made when it is not there, and then `key_file_made`), a passphrase
// file, else a prompt that asks twice.
Result<HeldUnlock> new_secret(const std::string& key_file, const std::string& passphrase_file,
                              bool& key_file_made);

// The vault's folder; kInvalidArgument when none was named.
Result<std::filesystem::path> vault_folder(const GlobalOptions& options);

Result<Vault> open_for_writing(const GlobalOptions& options);

// Opens normally; where that fails because the disk is read-only, the anchor is damaged or an
// erasure cannot be finished now, opens read-only and says so.
Result<Vault> open_for_reading(const GlobalOptions& options);

}  // namespace quietus::cli
