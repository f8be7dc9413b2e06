#include "governance/calendar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace quietus {
namespace {

namespace ch = std::chrono;

constexpr UnixMillis kLastMoment = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

struct UnitRow {
  char letter;
  Period::Unit unit;
  std::uint32_t factor;
  std::uint32_t most;  // of the unit that is kept
};
constexpr std::array kUnits{
    UnitRow{'d', Period::Unit::kDays, 1, 36'500}, UnitRow{'w', Period::Unit::kDays, 7, 36'500},
    UnitRow{'m', Period::Unit::kMonths, 1, 1'200}, UnitRow{'y', Period::Unit::kYears, 1, 100}};

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool plain = text.size() == 1 || !text.starts_with('0');
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !plain)
    return std::nullopt;
  return value;
}

ch::sys_days days_of(UnixMillis time) {
  return ch::floor<ch::days>(ch::sys_time<ch::milliseconds>(ch::milliseconds(time)));
}

UnixMillis millis_of(ch::sys_days day) {
  return ch::duration_cast<ch::milliseconds>(day.time_since_epoch()).count();
}

// The first of the next month where the day is not in this one.
ch::sys_days existing(ch::year_month_day date) {
  if (date.ok()) return date;
  return ch::sys_days((date.year() / date.month() + ch::months(1)) / ch::day(1));
}

std::uint64_t shortest_days(const Period& period) {
  switch (period.unit) {
    case Period::Unit::kDays: return period.count;
    case Period::Unit::kMonths: return std::uint64_t{period.count} * 28;
    case Period::Unit::kYears: return std::uint64_t{period.count} * 365;
  }
  return 0;
}

std::uint64_t longest_days(const Period& period) {
  switch (period.unit) {
    case Period::Unit::kDays: return period.count;
    case Period::Unit::kMonths: return std::uint64_t{period.count} * 31;
    case Period::Unit::kYears: return std::uint64_t{period.count} * 366;
  }
  return 0;
}

}  // namespace

std::optional<Period> parse_period(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const UnitRow& row) { return row.letter == text.back(); });
  const auto count = number(text.substr(0, text.size() - 1));
  if (unit == kUnits.end() || !count || *count > unit->most / unit->factor) return std::nullopt;
  return Period{*count * unit->factor, unit->unit};
}

std::string to_text(const Period& period) {
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const UnitRow& row) { return row.unit == period.unit; });
  return std::to_string(period.count) + unit->letter;
}

UnixMillis after(UnixMillis begin, const Period& period) {
  const ch::sys_days day = days_of(begin);
  const UnixMillis of_day = begin - millis_of(day);
  ch::sys_days end = day;
  if (period.unit == Period::Unit::kDays) {
    end = day + ch::days(period.count);
  } else {
    const ch::year_month_day date(day);
    const auto months =
        ch::months(period.unit == Period::Unit::kYears ? 12 * period.count : period.count);
    end = existing(date + months);
  }
  return std::min(millis_of(end) + of_day, kLastMoment);
}

bool never_longer(const Period& a, const Period& b) {
  // Counts of one kind compare as they are; a year is twelve months.
  const auto months = [](const Period& period) {
    return period.unit == Period::Unit::kYears ? 12 * period.count : period.count;
  };
  const bool days_a = a.unit == Period::Unit::kDays;
  const bool days_b = b.unit == Period::Unit::kDays;
  if (days_a && days_b) return a.count <= b.count;
  if (!days_a && !days_b) return months(a) <= months(b);
  return longest_days(a) <= shortest_days(b);
}

std::optional<UnixMillis> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : text.substr(at, size)) {
      if (c < '0' || c > '9') return std::optional<std::uint32_t>();
      value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return std::optional(value);
  };
  const auto year = part(0, 4);
  const auto month = part(5, 2);
  const auto day = part(8, 2);
  if (!year || !month || !day || *year < 1970) return std::nullopt;
  const ch::year_month_day date{ch::year(static_cast<int>(*year)), ch::month(*month),
                                ch::day(*day)};
  if (!date.ok()) return std::nullopt;
  return millis_of(ch::sys_days(date));
}

std::string day_text(UnixMillis time) {
  const ch::year_month_day date(days_of(time));
  std::array<char, 32> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return {text.data(), static_cast<std::size_t>(size)};
}

UnixMillis day_of(UnixMillis time) {
  return millis_of(days_of(time));
}

}  // namespace quietus
