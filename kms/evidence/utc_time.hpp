// Reads the times that format_utc() writes.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace quietus {

// "2026-03-01T12:30:05Z" and no other form; years 1970 to 9999.
std::optional<UnixMillis> parse_utc(std::string_view text);

}  // namespace quietus
