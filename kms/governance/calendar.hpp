// Periods of a retention policy, counted on the calendar in UTC, where no day is longer or shorter
// than another.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace quietus {

struct Period {
  enum class Unit : std::uint8_t { kDays, kMonths, kYears };
  std::uint32_t count = 0;
  Unit unit = Unit::kDays;
  friend bool operator==(const Period&, const Period&) = default;
};

// "30d", "2w" (14 days), "6m", "7y"; 0 to 36,500 days, 1,200 months or 100 years. No value for
// anything else.
std::optional<Period> parse_period(std::string_view text);
// "30d", "6m", "7y".
std::string to_text(const Period& period);

// The end of a period that begins then. Months and years keep the day and the time of day; where
// the month has no such day, it is the first of the next one: 29 February and a year is 1 March, so
// that nothing ends before its period is over. Beyond the year 9999 it is the end of that year.
UnixMillis after(UnixMillis begin, const Period& period);

// Whether `a` ends no later than `b`, whenever both begin: compared by the longest that `a` and the
// shortest that `b` can be.
bool never_longer(const Period& a, const Period& b);

// "2027-02-28", the beginning of that day; years 1970 to 9999.
std::optional<UnixMillis> parse_day(std::string_view text);
std::string day_text(UnixMillis time);

// The beginning of the day that the time lies in.
UnixMillis day_of(UnixMillis time);

inline constexpr UnixMillis kDayMillis = 86'400'000;

}  // namespace quietus
