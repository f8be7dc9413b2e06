// Making a vault: what `init` and `escrow init` have in common.
#pragma once

#include "json_output.hpp"
#include "vault_access.hpp"

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace quietus::cli {

struct MakingOptions {
  std::string folder;
  std::string root;
  bool insecure_root_in_vault = false;
  bool accept_unknown_medium = false;
};
// DIR, --root and the two flags. `options` outlives the command.
void add_making_options(CLI::App& command, MakingOptions& options);

// The folder that --root names. kInvalidArgument; kUnsupported.
Result<std::filesystem::path> root_folder(const std::string& root);

struct MadeVault {
  Vault vault;
  VaultStatus status;
  bool key_file_made = false;
};
// Governed, with that first admin, when one is given.
Result<MadeVault> make_vault(const MakingOptions& command, const GlobalOptions& options,
                             const OperatorSpec* first = nullptr);

// What a vault is and where it lies.
std::vector<std::vector<std::string>> place_rows(const std::string& folder,
                                                 const VaultStatus& status);
Json place_json(const std::string& folder, const VaultStatus& status);

}  // namespace quietus::cli
