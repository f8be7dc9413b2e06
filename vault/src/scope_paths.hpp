// Scope paths and what they lead to.
#pragma once

#include <quietus/report.hpp>

#include <string_view>

#include "keys/scope_table.hpp"

namespace quietus {

// The scope a path names; kVaultScope for "". kInvalidArgument, kNotFound, kErased.
Result<ScopeId> resolve_path(ControlReader& reader, ScopeTable& scopes, std::string_view path);

// As resolve_path, but a scope whose own rows are damaged is found too: it can still be erased.
Result<ScopeId> resolve_for_erasure(ControlReader& reader, ScopeTable& scopes,
                                    std::string_view path);

// What is known of a scope; an erased one comes without name and path.
Result<ScopeInfo> describe_scope(ControlReader& reader, ScopeTable& scopes, ScopeId id);

// "acme/customer-data" from the scope's own rows.
Result<std::string> path_of(ControlReader& reader, ScopeTable& scopes, ScopeId id);

}  // namespace quietus
