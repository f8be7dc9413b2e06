// Whether a vault is governed, and what its rows of operators are (governance/operators.hpp, "g"):
// the root row has a hash over them, so that a row which was taken away or put back by anybody but
// the program is noticed.
#pragma once

#include "keys/control_rows.hpp"
#include "keys/root_row.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

// Whether it ever got operators. There is no way back.
bool is_governed(const RootRow& root) noexcept;

// SHA-256 over the rows "g": of each, in the order of their keys, the key and what it says, as
// fields.
Result<Sha256> hash_of_rights(ControlReader& reader, const RowSeal& seal);
// To be called in each transaction that writes such a row, after it.
Result<void> seal_rights(ControlWriter& writer, const ScopeTable& scopes, RootRow& root);
// kCorrupt: they are not what was written last.
Result<void> check_rights(ControlReader& reader, const RowSeal& seal, const RootRow& root);

}  // namespace quietus
