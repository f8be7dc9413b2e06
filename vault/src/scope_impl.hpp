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

// Requires: the scope exists.
Scope make_scope(const std::shared_ptr<VaultCore>& core, const ScopeAccess& access);

}  // namespace quietus
