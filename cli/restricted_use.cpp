#include "restricted_use.hpp"

#include <CLI/CLI.hpp>
#include <array>

namespace quietus::cli {
namespace {

constexpr std::array kUses{RestrictedUse::kConsent, RestrictedUse::kLegalClaims,
                           RestrictedUse::kRightsOfOthers, RestrictedUse::kPublicInterest};

}  // namespace

void add_restricted_use(CLI::App& command, std::string& code) {
  command.add_option("--restricted-use", code,
                     "Of restricted data: for which lawful use (consent, legal-claims, "
                     "rights-of-others, public-interest); it is logged");
}

Result<std::optional<RestrictedUse>> parse_restricted_use(const std::string& code) {
  if (code.empty()) return std::optional<RestrictedUse>();
  for (const RestrictedUse use : kUses)
    if (name_of(use) == code) return std::optional(use);
  return Error(ErrorCode::kInvalidArgument,
               "--restricted-use is one of consent, legal-claims, rights-of-others, "
               "public-interest");
}

Result<Scope> open_scope(Vault& vault, const std::string& path, const std::string& use) {
  QUIETUS_TRY_AS(const auto lawful, parse_restricted_use(use));
  return (lawful ? vault.scope(path, *lawful) : vault.scope(path)).within(path);
}

}  // namespace quietus::cli
