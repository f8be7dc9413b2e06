#include "scope_paths.hpp"

#include "names.hpp"

namespace quietus {
namespace {

bool is_erased(const Error& error) {
  return error.code() == ErrorCode::kErased;
}

ScopeState public_state(KeyState state) {
  switch (state) {
    case KeyState::kPreActivation: return ScopeState::kPreActivation;
    case KeyState::kActive: return ScopeState::kActive;
    case KeyState::kSuspended: return ScopeState::kSuspended;
    case KeyState::kDeactivated: return ScopeState::kDeactivated;
    case KeyState::kCompromised: return ScopeState::kCompromised;
    case KeyState::kDestroyed:
    case KeyState::kDestroyedCompromised: break;
  }
  return ScopeState::kErased;
}

}  // namespace

Result<ScopeId> resolve_for_erasure(ControlReader& reader, ScopeTable& scopes,
                                    std::string_view path) {
  ScopeId scope = kVaultScope;
  if (path.empty()) return scope;
  QUIETUS_TRY_AS(const auto elements, parse_scope_path(path));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    QUIETUS_TRY_AS(const auto child, scopes.child_of_any_state(reader, scope, elements[i]));
    if (!child) return Error(ErrorCode::kNotFound, "no such scope");
    scope = *child;
  }
  const auto usable = scopes.keys(reader, scope);
  if (!usable && usable.error().code() != ErrorCode::kCorrupt) return usable.error();
  return scope;
}

Result<ScopeId> resolve_path(ControlReader& reader, ScopeTable& scopes, std::string_view path) {
  QUIETUS_TRY_AS(const ScopeId scope, resolve_for_erasure(reader, scopes, path));
  QUIETUS_TRY(scopes.keys(reader, scope));
  return scope;
}

Result<ScopeInfo> describe_scope(ControlReader& reader, ScopeTable& scopes, ScopeId id) {
  ScopeInfo info;
  info.id = id;
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), id));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  info.derived_from = row->sources;
  auto own = scopes.info(reader, id);
  if (own) {
    info.name = own->name;
    info.data_class = own->data_class;
    info.created_unix_ms = own->created;
    QUIETUS_TRY_AS(const auto keys, scopes.keys(reader, id));
    info.state = public_state(keys->standing.limited_by);
    QUIETUS_TRY_AS(info.path, path_of(reader, scopes, id));
    return info;
  }
  if (!is_erased(own.error())) return std::move(own).error();
  info.state = ScopeState::kErased;
  QUIETUS_TRY_AS(const auto tombstone, rows::tombstone(reader, scopes.seal(), id));
  if (tombstone) info.erased_unix_ms = tombstone->erased;
  return info;
}

Result<std::string> path_of(ControlReader& reader, ScopeTable& scopes, ScopeId id) {
  std::string path;
  for (std::size_t depth = 0; id != kVaultScope; ++depth) {
    if (depth > kMaxScopeDepth) return Error(ErrorCode::kCorrupt, "scope: nested too deep");
    QUIETUS_TRY_AS(const InfoRow info, scopes.info(reader, id));
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), id));
    if (!path.empty()) path.insert(0, "/");
    path.insert(0, info.name);
    id = row->parent;
  }
  return path;
}

}  // namespace quietus
