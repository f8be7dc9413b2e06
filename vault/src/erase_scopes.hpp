// Erasing many scopes in one run, each for its own reason: what a sweep does.
#pragma once

#include <quietus/report.hpp>

#include <span>
#include <string>
#include <vector>

#include "vault_core.hpp"

namespace quietus {

struct DueErasure {
  ScopeId scope = 0;
  std::string reason;  // a code
};

using RootChangeGuard = decltype(RootChangeRequest::guard);

// Errors of KeyStore::change_root(). kErased when one is gone already.
Result<std::vector<ErasureReport>> erase_scopes(VaultCore& core, std::span<const DueErasure> due,
                                                const RootChangeGuard& guard);

// In one root change that has that id.
Result<ErasureReport> erase_approved(VaultCore& core, std::span<const ScopeId> scopes,
                                     const std::string& reason, const RootChangeGuard& guard,
                                     const ErasureId& id);

}  // namespace quietus
