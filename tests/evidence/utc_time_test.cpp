#include "evidence/utc_time.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace quietus::test {
namespace {

TEST_CASE("a time reads back as the second it was written in", "[time]") {
  CHECK(parse_utc("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_utc("2026-03-01T12:30:05Z") == 1772368205000);
  CHECK(parse_utc("2024-02-29T23:59:59Z") == 1709251199000);
  CHECK(parse_utc("9999-12-31T23:59:59Z") == 253402300799000);
  CHECK(parse_utc(format_utc(1772368205999)) == 1772368205000);
}

TEST_CASE("every other form of a time is refused", "[time]") {
  const std::string refused[] = {
      "",
      "2026-03-01T12:30:05",
      "2026-03-01T12:30:05z",
      "2026-03-01t12:30:05Z",
      "2026-03-01 12:30:05Z",
      "2026-03-01T12:30:05.0Z",
      "2026-03-01T12:30:05+00:00",
      "2026-03-01T24:00:00Z",
      "2026-03-01T12:60:00Z",
      "2026-06-30T23:59:60Z",
      "2026-02-29T12:30:05Z",
      "2026-13-01T12:30:05Z",
      "2026-00-01T12:30:05Z",
      "2026-3-001T12:30:05Z",
      "2026--1-01T12:30:05Z",
      "-026-03-01T12:30:05Z",
      "1969-12-31T23:59:59Z",
      "2026-03-01T-1:30:05Z",
      "2026-03-01T12:30: 5Z",
      "2026x03-01T12:30:05Z",
  };
  for (const std::string& text : refused) {
    INFO(text);
    CHECK_FALSE(parse_utc(text));
  }
}

}  // namespace
}  // namespace quietus::test
