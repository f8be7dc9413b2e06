// What depends on what: a scope's keys on those of its parent and of its sources, and so on up to
// the vault's own scope, which neither function counts.
#pragma once

#include <quietus/result.hpp>

#include <set>
#include <vector>

#include "keys/control_rows.hpp"

namespace quietus {

// The scope itself and everything that its keys depend on. kCorrupt when a row on the way is
// missing or damaged.
Result<std::set<ScopeId>> scopes_above(ControlReader& reader, const RowSeal& seal, ScopeId scope);

// The scopes themselves and everything whose keys depend on them: what dies with them. Without what
// was erased earlier, and all that depended on that alone. A scope whose key row is damaged counts
// as alive. kCorrupt when a row that names a child is damaged.
Result<std::set<ScopeId>> scopes_dying_with(ControlReader& reader, const RowSeal& seal,
                                            const std::vector<ScopeId>& scopes);

}  // namespace quietus
