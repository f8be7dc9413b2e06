// Dates on the command line: YYYY-MM-DD, the beginning of that day in UTC.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <string_view>

namespace quietus::cli {

// Milliseconds since 1970-01-01T00:00:00Z. kInvalidArgument.
Result<std::int64_t> parse_date(std::string_view text);

}  // namespace quietus::cli
