// --restricted-use: what restricted data is used for, where the law allows it.
#pragma once

#include <quietus/vault.hpp>

#include <optional>
#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace quietus::cli {

void add_restricted_use(CLI::App& command, std::string& code);

// None for an empty code. kInvalidArgument names the codes.
Result<std::optional<RestrictedUse>> parse_restricted_use(const std::string& code);

// The scope of a path, for that use if there is one.
Result<Scope> open_scope(Vault& vault, const std::string& path, const std::string& use);

}  // namespace quietus::cli
