// From the options of a command to an open vault: which folder, which secret, reading or writing.
#pragma once

#include <quietus/vault.hpp>

#include <optional>
#include <string>

#include "passphrase_prompt.hpp"

namespace quietus::cli {

// Options that every command takes.
struct GlobalOptions {
  std::string vault;            // --vault, else $QUIETUS_VAULT
  bool vault_given = false;     // --vault
  std::string key_file;         // --key-file, else $QUIETUS_KEY_FILE
  std::string passphrase_file;  // --passphrase-file, else $QUIETUS_PASSPHRASE_FILE
  std::string acting;           // --as, else $QUIETUS_OPERATOR: who acts on a governed vault
  std::string identity;         // --identity, else $QUIETUS_IDENTITY: their SSH key
  std::string command;          // "request approve"
};

// An Unlock for one use, and the pipe that a typed passphrase is read from.
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

// An unlock secret: the name of a file, or a passphrase that was typed.
class Secret {
 public:
  static Secret key_file(std::string path) { return {Kind::kKeyFile, std::move(path), {}}; }
  static Secret passphrase_file(std::string path) {
    return {Kind::kPassphraseFile, std::move(path), {}};
  }
  static Secret typed(Passphrase passphrase) { return {Kind::kTyped, {}, std::move(passphrase)}; }

  // For handing to the library once; may be called again.
  Result<HeldUnlock> unlock() const;

 private:
  enum class Kind { kKeyFile, kPassphraseFile, kTyped };
  Secret(Kind kind, std::string path, std::optional<Passphrase> passphrase)
      : kind_(kind), path_(std::move(path)), passphrase_(std::move(passphrase)) {}

  Kind kind_;
  std::string path_;
  std::optional<Passphrase> passphrase_;
};

// Puts the environment in where an option was not given. kInvalidArgument when it contradicts
// itself.
Result<void> complete_from_environment(GlobalOptions& options);

// The secret of a vault that exists: a file, else a prompt. kWrongKey when there is neither.
Result<Secret> existing_secret(const GlobalOptions& options);

// A secret to be: a key file (made when it is not there, and then `key_file_made`), a passphrase
// file, else a prompt that asks twice.
Result<Secret> new_secret(const std::string& key_file, const std::string& passphrase_file,
                          bool& key_file_made);

// The vault's folder; kInvalidArgument when none was named.
Result<std::filesystem::path> vault_folder(const GlobalOptions& options);

// In a governed vault whoever acts shows it first, and may do no more than their roles allow:
// kRefused.
Result<Vault> open_for_writing(const GlobalOptions& options);

// Whoever has the unlock secret: for who comes when no admin can act any more.
Result<Vault> open_without_actor(const GlobalOptions& options);

// Opens normally; where that fails because the disk is read-only, the anchor is damaged or an
// erasure cannot be finished now, opens read-only and says so.
Result<Vault> open_for_reading(const GlobalOptions& options);
// Without changing anything, whatever is wrong that can be looked at.
Result<Vault> open_read_only(const GlobalOptions& options);

}  // namespace quietus::cli
