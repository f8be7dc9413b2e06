#include "base/clock.hpp"

#include <catch2/catch.hpp>
#include <ctime>
#include <limits>

using namespace quietus;

TEST_CASE("times are written in UTC and whole seconds") {
  CHECK(format_utc(0) == "1970-01-01T00:00:00Z");
  CHECK(format_utc(1'772'368'205'000) == "2026-03-01T12:30:05Z");
  CHECK(format_utc(951'782'400'000) == "2000-02-29T00:00:00Z");
  CHECK(format_utc(4'107'542'399'999) == "2100-02-28T23:59:59Z");
  CHECK(format_utc(253'402'300'799'999) == "9999-12-31T23:59:59Z");
}

TEST_CASE("parts of a second round down, before 1970 too") {
  CHECK(format_utc(999) == "1970-01-01T00:00:00Z");
  CHECK(format_utc(-1) == "1969-12-31T23:59:59Z");
  CHECK(format_utc(-1000) == "1969-12-31T23:59:59Z");
  CHECK(format_utc(-1001) == "1969-12-31T23:59:58Z");
}

TEST_CASE("no stored number is too large to be written") {
  CHECK(format_utc(std::numeric_limits<UnixMillis>::max()) == "292278994-08-17T07:12:55Z");
  CHECK(format_utc(std::numeric_limits<UnixMillis>::min()) == "-292275055-05-16T16:47:04Z");
}

TEST_CASE("the local time zone does not show") {
  setenv("TZ", "Asia/Kathmandu", 1);  // NOLINT(concurrency-mt-unsafe): tests run one by one
  tzset();
  CHECK(format_utc(0) == "1970-01-01T00:00:00Z");
  unsetenv("TZ");  // NOLINT(concurrency-mt-unsafe)
  tzset();
}

TEST_CASE("the system clock is the wall clock in milliseconds") {
  const UnixMillis before = UnixMillis{std::time(nullptr)} * 1000;
  const UnixMillis now = system_clock().now();
  const UnixMillis after = UnixMillis{std::time(nullptr)} * 1000;
  CHECK(now >= before - 1000);  // time() may lag behind by a tick
  CHECK(now <= after + 2000);
  CHECK(&system_clock() == &system_clock());
}
