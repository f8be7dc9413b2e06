// Time, as seen by everything that records or decides by it. Tests inject their own.
#pragma once

#include <cstdint>
#include <string>

namespace quietus {

// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX).
using UnixMillis = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixMillis now() const = 0;
};

// The system's wall clock.
const Clock& system_clock() noexcept;

// "2026-03-01T12:30:05Z" (RFC 3339, UTC, whole seconds).
std::string format_utc(UnixMillis time);

}  // namespace quietus
