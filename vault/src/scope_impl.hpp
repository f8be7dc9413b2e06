// What a scope's handle holds.
#pragma once

#include <quietus/scope.hpp>

#include <memory>

#include "keys/scope_table.hpp"

namespace quietus {

struct VaultCore;

struct Scope::Impl {
  std::weak_ptr<VaultCore> core;  // gone once the vault is closed
  ScopeAccess access;
};

// Keeps the vault open for the length of a call. kUnavailable.
Result<std::shared_ptr<VaultCore>> open_core(const Scope::Impl& scope);

// A handle by exception; the use is in the log, durable on return.
Result<Scope> for_restricted_use(const std::shared_ptr<VaultCore>& core, ScopeId scope,
                                 RestrictedUse use);

// A callback that was left out.
Error no_callback();

// Requires: the scope exists.
Scope make_scope(const std::shared_ptr<VaultCore>& core, const ScopeAccess& access);

}  // namespace quietus
