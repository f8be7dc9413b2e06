#include "keys/scope_graph.hpp"

#include <algorithm>

#include "keys/scope_table.hpp"

namespace quietus {
namespace {

bool was_erased(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  const auto row = rows::key_row(reader, seal, scope);
  return row.ok() && row.value() && is_destroyed(row.value()->state);
}

// Its own row says so, or that of something which a source of it depends on. Its parent is looked
// at on the way to it.
bool is_dead(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  const auto row = rows::key_row(reader, seal, scope);
  if (!row || !row.value()) return false;
  if (is_destroyed(row.value()->state)) return true;
  for (const ScopeId source : row.value()->sources) {
    const auto above = scopes_above(reader, seal, source);
    if (above && std::any_of(above->begin(), above->end(),
                             [&](ScopeId id) { return was_erased(reader, seal, id); }))
      return true;
  }
  return false;
}

}  // namespace

Result<std::set<ScopeId>> scopes_above(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  std::set<ScopeId> found;
  std::vector<ScopeId> open{scope};
  while (!open.empty()) {
    const ScopeId next = open.back();
    open.pop_back();
    if (next == kVaultScope || !found.insert(next).second) continue;
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, next));
    if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
    open.push_back(row->parent);
    open.insert(open.end(), row->sources.begin(), row->sources.end());
  }
  return found;
}

Result<std::set<ScopeId>> scopes_dying_with(ControlReader& reader, const RowSeal& seal,
                                            const std::vector<ScopeId>& scopes) {
  std::set<ScopeId> found;
  std::vector<ScopeId> open = scopes;
  while (!open.empty()) {
    const ScopeId next = open.back();
    open.pop_back();
    if (is_dead(reader, seal, next) || !found.insert(next).second) continue;
    QUIETUS_TRY_AS(const auto below, rows::children(reader, seal, next));
    QUIETUS_TRY_AS(const auto derived, rows::derived(reader, next));
    open.insert(open.end(), below.begin(), below.end());
    open.insert(open.end(), derived.begin(), derived.end());
  }
  return found;
}

}  // namespace quietus
