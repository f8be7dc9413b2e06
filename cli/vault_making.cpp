#include "vault_making.hpp"

#include "attach.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

// Before a key file is made for it.
Result<void> check_free(const std::string& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored) || std::filesystem::is_empty(folder, ignored))
    return {};
  return Error(ErrorCode::kAlreadyExists, folder + " is there already and is not empty");
}

}  // namespace

Result<std::filesystem::path> root_folder(const std::string& root) {
  constexpr std::string_view kFile = "file:";
  if (root.empty()) return std::filesystem::path();
  if (root.starts_with("tpm2:") || root.starts_with("pkcs11:"))
    return Error(ErrorCode::kUnsupported, root + ": not offered by this build");
  if (!root.starts_with(kFile) || root.size() == kFile.size())
    return Error(ErrorCode::kInvalidArgument, "--root " + root + ": want file:PATH");
  return std::filesystem::absolute(root.substr(kFile.size()));
}

void add_making_options(CLI::App& command, MakingOptions& options) {
  command.add_option("DIR", options.folder, "Folder to make it in: absent or empty")->required();
  command.add_option("--root", options.root,
                     "Where the root slots lie: file:PATH. Keep that out of every backup");
  command.add_flag("--insecure-root-in-vault", options.insecure_root_in_vault,
                   "Allow root slots inside the vault's folder");
  command.add_flag("--accept-unknown-medium", options.accept_unknown_medium,
                   "Allow a file system not known to overwrite in place");
}

Result<MadeVault> make_vault(const MakingOptions& command, const GlobalOptions& options,
                             const OperatorSpec* first) {
  CreateOptions how;
  how.insecure_root_in_vault = command.insecure_root_in_vault;
  how.accept_unknown_medium = command.accept_unknown_medium;
  QUIETUS_TRY_AS(how.root_folder, root_folder(command.root));
  QUIETUS_TRY(check_free(command.folder));
  bool made = false;
  QUIETUS_TRY_AS(const Secret secret, new_secret(options.key_file, options.passphrase_file, made));
  QUIETUS_TRY_AS(const HeldUnlock held, secret.unlock());
  Result<Vault> vault = first == nullptr
                            ? Vault::create(command.folder, held.unlock(), how)
                            : Vault::create_governed(command.folder, held.unlock(), *first, how);
  if (made)
    Terminal::hint("the key file " + options.key_file +
                   " was made; without it nothing in the vault can be read, so keep a copy of it "
                   "apart from the vault");
  QUIETUS_TRY_AS(Vault made_vault, std::move(vault).within(command.folder));
  QUIETUS_TRY_AS(VaultStatus status, made_vault.status());
  return MadeVault{std::move(made_vault), std::move(status), made};
}

std::vector<std::vector<std::string>> place_rows(const std::string& folder,
                                                 const VaultStatus& status) {
  return {{"vault", folder},
          {"id", status.vault_id},
          {"root", status.root_provider + ":" + status.root_location},
          {"assurance", status.assurance}};
}

Json place_json(const std::string& folder, const VaultStatus& status) {
  return {{"vault", folder},
          {"vault_id", status.vault_id},
          {"format_version", status.format_version},
          {"root_provider", status.root_provider},
          {"root_location", status.root_location},
          {"assurance", status.assurance}};
}

}  // namespace quietus::cli
