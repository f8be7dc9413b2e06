// --subject NAME: everything of one person in a tenant, in place of a single scope.
#pragma once

#include <quietus/vault.hpp>

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace quietus::cli {

// The option; the SCOPE of the command is then the tenant.
void add_subject(CLI::App& command, std::string& subject);

// The scope itself without a subject. With one, its scopes in all classes; says which classes have
// nothing. kNotFound when none has.
Result<std::vector<std::string>> scopes_meant(Vault& vault, const std::string& scope,
                                              const std::string& subject);

}  // namespace quietus::cli
