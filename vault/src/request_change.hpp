// Changes of a vault's own rules: operators, the policy, holds.
#pragma once

#include "requests.hpp"

namespace quietus {

// kNotFound; kRefused; kInvalidArgument: it could not be made now.
Result<void> check_change(ControlReader& reader, const RowSeal& seal, std::string_view change,
                          UnixMillis now);
Result<void> make_change(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                         const RequestRow& row, const OperatorId& by, UnixMillis now);

}  // namespace quietus
