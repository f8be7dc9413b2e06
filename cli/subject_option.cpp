#include "subject_option.hpp"

#include "printable_text.hpp"
#include "terminal.hpp"

#include <CLI/CLI.hpp>

namespace quietus::cli {

void add_subject(CLI::App& command, std::string& subject) {
  command.add_option("--subject", subject,
                     "All scopes of the tenant SCOPE whose path ends in this name");
}

Result<std::vector<std::string>> scopes_meant(Vault& vault, const std::string& scope,
                                              const std::string& subject) {
  if (subject.empty()) return std::vector<std::string>{scope};
  QUIETUS_TRY_AS(SubjectScopes found, vault.subject(scope, subject).within(scope));
  for (const std::string& path : found.nothing_in)
    Terminal::message(std::string("nothing of ").append(subject).append(" in ").append(path));
  if (found.erased > 0)
    Terminal::message(counted(found.erased, "scope") + " of " + subject + " erased before");
  if (found.unreadable > 0)
    Terminal::message(counted(found.unreadable, "scope") +
                      " cannot be read and may be theirs too; `quietus check` names the damage");
  if (found.paths.empty())
    return Error(found.erased > 0 ? ErrorCode::kErased : ErrorCode::kNotFound,
                 scope + ": nothing of " + subject + " is there");
  return std::move(found.paths);
}

}  // namespace quietus::cli
