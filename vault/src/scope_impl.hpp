// What a scope's handle holds.
#pragma once

#include <quietus/scope.hpp>

#include <memory>

#include "base/ids.hpp"

namespace quietus {

struct VaultCore;

struct Scope::Impl {
  std::weak_ptr<VaultCore> core;  // gone once the vault is closed
  ScopeId id = 0;
};

// Requires: the scope exists.
Scope make_scope(const std::shared_ptr<VaultCore>& core, ScopeId id);

}  // namespace quietus
