// Which duty each command is (docs/roles.md).
#pragma once

#include <string_view>

namespace quietus::cli {

// "look", "records", …; empty: a command that is not in the table, which nobody may.
std::string_view duty_of(std::string_view command) noexcept;

}  // namespace quietus::cli
