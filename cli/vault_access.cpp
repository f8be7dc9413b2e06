#include "vault_access.hpp"

#include "duties.hpp"
#include "passphrase_prompt.hpp"
#include "ssh_keygen.hpp"
#include "terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace quietus::cli {
namespace {

std::string from_environment(const char* name) {
  const char* value = secure_getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// A secret's file that is not there or not readable is a reason not to unlock, whatever the errno.
Result<void> check_readable(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return Error(ErrorCode::kWrongKey, io_error("cannot read " + path, errno).context());
  (void)close(descriptor);
  return {};
}

Result<Secret> typed(Result<Passphrase> answer) {
  QUIETUS_TRY_AS(Passphrase passphrase, std::move(answer));
  return Secret::typed(std::move(passphrase));
}

Result<Vault> open_with(const Secret& secret, const std::filesystem::path& folder,
                        const OpenOptions& options) {
  QUIETUS_TRY_AS(const HeldUnlock held, secret.unlock());
  return Vault::open(folder, held.unlock(), options).within(folder.string());
}

Result<Secret> key_file_to_be(const std::string& path, bool& made) {
  made = access(path.c_str(), F_OK) != 0 && errno == ENOENT;
  QUIETUS_TRY(made ? new_key_file(path) : check_readable(path));
  return Secret::key_file(path);
}

Result<Vault> with_actor(Result<Vault> opened, const GlobalOptions& options) {
  if (!opened) return opened;
  Governance governance = opened->governance();
  QUIETUS_TRY_AS(const bool governed, governance.governed());
  if (!governed) return opened;
  if (options.acting.empty() || options.identity.empty())
    return Error(ErrorCode::kRefused,
                 "the vault is governed: say who acts with --as NAME and --identity KEY "
                 "[$QUIETUS_OPERATOR, $QUIETUS_IDENTITY]");
  const std::string_view duty = duty_of(options.command);
  QUIETUS_TRY_AS(const std::string challenge,
                 governance.challenge(options.acting, options.command));
  QUIETUS_TRY_AS(const std::string signature,
                 sign_with(options.identity, kActNamespace, challenge));
  QUIETUS_TRY(governance.act(signature, duty));
  return opened;
}

bool may_be_readable(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kIo ||
         code == ErrorCode::kErasureIncomplete;
}

}  // namespace

HeldUnlock::~HeldUnlock() {
  if (pipe_ >= 0) (void)close(pipe_);
}

Result<HeldUnlock> Secret::unlock() const {
  if (kind_ == Kind::kKeyFile) return HeldUnlock(Unlock::key_file(path_));
  if (kind_ == Kind::kPassphraseFile) return HeldUnlock(Unlock::passphrase_file(path_));
  QUIETUS_TRY_AS(const int pipe, passphrase_->as_pipe());
  return HeldUnlock(Unlock::passphrase_from(pipe), pipe);
}

Result<void> complete_from_environment(GlobalOptions& options) {
  options.vault_given = !options.vault.empty();
  if (!options.vault_given) options.vault = from_environment("QUIETUS_VAULT");
  if (options.acting.empty()) options.acting = from_environment("QUIETUS_OPERATOR");
  if (options.identity.empty()) options.identity = from_environment("QUIETUS_IDENTITY");
  if (!options.key_file.empty() || !options.passphrase_file.empty()) return {};
  options.key_file = from_environment("QUIETUS_KEY_FILE");
  options.passphrase_file = from_environment("QUIETUS_PASSPHRASE_FILE");
  if (!options.key_file.empty() && !options.passphrase_file.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "QUIETUS_KEY_FILE and QUIETUS_PASSPHRASE_FILE are both set; unset one");
  return {};
}

Result<Secret> existing_secret(const GlobalOptions& options) {
  if (!options.key_file.empty()) {
    QUIETUS_TRY(check_readable(options.key_file));
    return Secret::key_file(options.key_file);
  }
  if (!options.passphrase_file.empty()) {
    QUIETUS_TRY(check_readable(options.passphrase_file));
    return Secret::passphrase_file(options.passphrase_file);
  }
  return typed(Passphrase::ask("Passphrase of the vault"));
}

Result<Secret> new_secret(const std::string& key_file, const std::string& passphrase_file,
                          bool& key_file_made) {
  if (!key_file.empty()) return key_file_to_be(key_file, key_file_made);
  if (passphrase_file.empty()) return typed(Passphrase::ask_new("New passphrase"));
  QUIETUS_TRY(check_readable(passphrase_file));
  return Secret::passphrase_file(passphrase_file);
}

Result<std::filesystem::path> vault_folder(const GlobalOptions& options) {
  if (options.vault.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "no vault was named; give --vault DIR or set QUIETUS_VAULT");
  return std::filesystem::path(options.vault);
}

Result<Vault> open_for_writing(const GlobalOptions& options) {
  QUIETUS_TRY_AS(const std::filesystem::path folder, vault_folder(options));
  QUIETUS_TRY_AS(const Secret secret, existing_secret(options));
  return with_actor(open_with(secret, folder, {}), options);
}

Result<Vault> open_without_actor(const GlobalOptions& options) {
  QUIETUS_TRY_AS(const std::filesystem::path folder, vault_folder(options));
  QUIETUS_TRY_AS(const Secret secret, existing_secret(options));
  return open_with(secret, folder, {});
}

Result<Vault> open_for_reading(const GlobalOptions& options) {
  QUIETUS_TRY_AS(const std::filesystem::path folder, vault_folder(options));
  QUIETUS_TRY_AS(const Secret secret, existing_secret(options));
  Result<Vault> vault = open_with(secret, folder, {});
  if (vault || !may_be_readable(vault.error().code())) return with_actor(std::move(vault), options);
  OpenOptions look;
  look.read_only = true;
  Result<Vault> readable = open_with(secret, folder, look);
  if (!readable) return vault;
  Terminal::message("warning: " + vault.error().context());
  Terminal::message("warning: the vault was opened read-only; nothing in it is changed");
  return with_actor(std::move(readable), options);
}

Result<Vault> open_read_only(const GlobalOptions& options) {
  QUIETUS_TRY_AS(const std::filesystem::path folder, vault_folder(options));
  QUIETUS_TRY_AS(const Secret secret, existing_secret(options));
  OpenOptions look;
  look.read_only = true;
  return with_actor(open_with(secret, folder, look), options);
}

}  // namespace quietus::cli
