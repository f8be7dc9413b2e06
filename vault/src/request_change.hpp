// Changes of a vault's own rules: operators, the policy, holds.
#pragma once

#include "base/byte_writer.hpp"
#include "requests.hpp"

namespace quietus {

// kNotFound; kRefused; kInvalidArgument: it could not be made now.
Result<void> check_change(ControlReader& reader, const RowSeal& seal, std::string_view change,
                          UnixMillis now);
bool is_of_operators(std::string_view change) noexcept;
// What is to be changed as it is now: the operator of that name, the newest policy, the hold. So
// that of two changes of the same thing which were approved only one is made.
Result<void> cover_changed(ControlReader& reader, const RowSeal& seal, std::string_view change,
                           ByteWriter& covered);
// The same for people; empty when there is nothing to say.
Result<std::string> changed_now(ControlReader& reader, ScopeTable& scopes, std::string_view change);
Result<void> make_change(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                         const RequestRow& row, const OperatorId& by, UnixMillis now);

}  // namespace quietus
