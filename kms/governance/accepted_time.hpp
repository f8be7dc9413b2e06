// The guard against clocks that are wrong (attacks I8): what destroys by the calendar goes by
// accepted time alone. A clock that went back behind what was accepted before, or is far ahead of
// it, stops destruction, not service, until somebody vouches for it.
#pragma once

#include <quietus/result.hpp>

#include "keys/schedule.hpp"

namespace quietus {

inline constexpr UnixMillis kClockMayGoBack = 3'600'000;                     // an hour
inline constexpr UnixMillis kClockMayGoAhead = UnixMillis{31} * 86'400'000;  // 31 days

// kRefused when the clock cannot be believed: the text says what it shows, what was accepted before
// and what to do.
Result<void> check_clock(const TimeRow& before, UnixMillis now);

// Checks, and remembers the time when it is later.
Result<void> accept_time(ControlWriter& writer, const RowSeal& seal, UnixMillis now);

// Believes the clock from now on, whatever was accepted before. Logged.
Result<void> vouch_for_clock(ControlWriter& writer, const RowSeal& seal, UnixMillis now);

}  // namespace quietus
