#include "governance/calendar.hpp"

#include <catch2/catch.hpp>

using namespace quietus;

namespace {

UnixMillis day(std::string_view text) {
  const auto parsed = parse_day(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string ends(std::string_view begin, std::string_view period) {
  const auto parsed = parse_period(period);
  REQUIRE(parsed);
  return day_text(after(day(begin), *parsed));
}

}  // namespace

TEST_CASE("periods are counted on the calendar") {
  const struct {
    const char* begin;
    const char* period;
    const char* end;
  } cases[] = {{"2027-01-31", "0d", "2027-01-31"},  {"2027-01-31", "30d", "2027-03-02"},
               {"2027-01-31", "2w", "2027-02-14"},  {"2027-01-15", "1m", "2027-02-15"},
               {"2027-01-31", "1m", "2027-03-01"},  {"2028-01-31", "1m", "2028-03-01"},
               {"2028-01-29", "1m", "2028-02-29"},  {"2027-10-31", "4m", "2028-03-01"},
               {"2024-02-29", "1y", "2025-03-01"},  {"2024-02-29", "4y", "2028-02-29"},
               {"2023-02-28", "1y", "2024-02-28"},  {"2027-12-31", "1d", "2028-01-01"},
               {"2027-11-30", "3m", "2028-03-01"},  {"1970-01-01", "100y", "2070-01-01"},
               {"9990-01-01", "100y", "9999-12-31"}};
  for (const auto& one : cases) {
    INFO(one.begin << " + " << one.period);
    CHECK(ends(one.begin, one.period) == one.end);
  }
}

TEST_CASE("the time of day is kept, and no period is shorter than its name says") {
  const UnixMillis noon = day("2024-02-29") + kDayMillis / 2 + 123;
  CHECK(after(noon, *parse_period("1y")) == day("2025-03-01") + kDayMillis / 2 + 123);
  for (UnixMillis begin = day("2023-12-25"); begin < day("2029-01-05"); begin += kDayMillis) {
    CHECK(after(begin, *parse_period("1y")) - begin >= 365 * kDayMillis);
    CHECK(after(begin, *parse_period("1y")) - begin <= 366 * kDayMillis);
    CHECK(after(begin, *parse_period("1m")) - begin >= 28 * kDayMillis);
    CHECK(after(begin, *parse_period("1m")) - begin <= 32 * kDayMillis);
    // Later beginnings never end sooner.
    for (const char* period : {"1d", "1m", "7m", "1y", "7y"})
      CHECK(after(begin, *parse_period(period)) <=
            after(begin + kDayMillis, *parse_period(period)));
  }
}

TEST_CASE("what is no period is none") {
  for (const char* text : {"", "d", "30", "30D", "30 d", "-1d", "+1d", "030d", "1.5y", "36501d",
                           "1201m", "101y", "5215w", "1d1d", "99999999999d", "1s", " 1d", "0x1d"}) {
    INFO(text);
    CHECK_FALSE(parse_period(text));
  }
  for (const char* text : {"0d", "36500d", "1200m", "100y", "6m"})
    CHECK(to_text(*parse_period(text)) == text);
  CHECK(to_text(*parse_period("2w")) == "14d");
}

TEST_CASE("never_longer holds for every beginning, or is false") {
  std::vector<Period> all;
  for (const char* text : {"0d", "27d", "28d", "31d", "32d", "365d", "366d", "367d", "0m", "1m",
                           "12m", "13m", "0y", "1y", "2y"})
    all.push_back(*parse_period(text));
  for (const Period& a : all)
    for (const Period& b : all) {
      INFO(to_text(a) << " and " << to_text(b));
      bool holds = true;
      for (UnixMillis begin = day("2023-12-25"); begin < day("2025-03-05"); begin += kDayMillis)
        holds = holds && after(begin, a) <= after(begin, b);
      if (never_longer(a, b)) CHECK(holds);
      if (a.unit == b.unit) CHECK(never_longer(a, b) == holds);
    }
}

TEST_CASE("days are read and written strictly") {
  CHECK(day("1970-01-01") == 0);
  CHECK(day("2027-02-01") == 1801440000000);
  for (const char* text : {"", "2027-2-1", "2027-02-30", "2027-13-01", "1969-12-31", "27-02-01",
                           "2027-02-01 ", "2027/02/01", "2027-02-0x", "+027-02-01"})
    CHECK_FALSE(parse_day(text));
  CHECK(day_text(day("2028-02-29")) == "2028-02-29");
  CHECK(day_of(day("2028-02-29") + kDayMillis - 1) == day("2028-02-29"));
  CHECK(day_of(-1) == -kDayMillis);
}
