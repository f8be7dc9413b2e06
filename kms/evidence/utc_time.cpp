#include "evidence/utc_time.hpp"

#include <array>
#include <charconv>
#include <chrono>

namespace quietus {
namespace {

// The number at `at`; the caller compares the whole text afterwards.
int digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
  int value = 0;
  std::from_chars(text.data() + at, text.data() + at + count, value);
  return value;
}

}  // namespace

std::optional<UnixMillis> parse_utc(std::string_view text) {
  if (text.size() != 20) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(digits(text, 0, 4)),
      std::chrono::month(static_cast<unsigned>(digits(text, 5, 2))),
      std::chrono::day(static_cast<unsigned>(digits(text, 8, 2)))};
  if (!date.ok() || date.year() < std::chrono::year(1970)) return std::nullopt;
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(digits(text, 11, 2)) +
                    std::chrono::minutes(digits(text, 14, 2)) +
                    std::chrono::seconds(digits(text, 17, 2));
  const UnixMillis millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  // Writing it again finds every form that is not the one form.
  if (format_utc(millis) != text) return std::nullopt;
  return millis;
}

}  // namespace quietus
