#include <quietus/result.hpp>

#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <string>

#include "support/result_matchers.hpp"

using namespace quietus;

namespace {

constexpr int kCodes = 20;

Result<int> half(int value) {
  if (value % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  QUIETUS_TRY_AS(const int once, half(value));
  QUIETUS_TRY_AS(const int twice, half(once));
  return twice;
}

Result<void> must_be_even(int value) {
  QUIETUS_TRY(half(value).within("check"));
  return {};
}

}  // namespace

TEST_CASE("every code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 1; code <= kCodes; ++code) {
    const std::string_view name = name_of(static_cast<ErrorCode>(code));
    INFO(code);
    CHECK_FALSE(name.empty());
    CHECK(name != "unknown error");
    CHECK(names.insert(name).second);
  }
  CHECK(name_of(static_cast<ErrorCode>(0)) == "unknown error");
  CHECK(name_of(static_cast<ErrorCode>(kCodes + 1)) == "unknown error");
  CHECK(name_of(static_cast<ErrorCode>(-1)) == "unknown error");
}

// They are the return codes of the C ABI.
TEST_CASE("the numbers of the codes are frozen") {
  const ErrorCode in_order[] = {
      ErrorCode::kInvalidArgument,
      ErrorCode::kNotFound,
      ErrorCode::kErased,
      ErrorCode::kRestricted,
      ErrorCode::kHeld,
      ErrorCode::kRefused,
      ErrorCode::kAlreadyExists,
      ErrorCode::kConflict,
      ErrorCode::kWrongKey,
      ErrorCode::kCorrupt,
      ErrorCode::kRolledBack,
      ErrorCode::kUnverified,
      ErrorCode::kBusy,
      ErrorCode::kFull,
      ErrorCode::kUnavailable,
      ErrorCode::kUnsupported,
      ErrorCode::kErasureIncomplete,
      ErrorCode::kIo,
      ErrorCode::kInternal,
      ErrorCode::kChanged,
  };
  int number = 0;
  for (const ErrorCode code : in_order) CHECK(static_cast<int>(code) == ++number);
  CHECK(number == kCodes);
  CHECK(name_of(ErrorCode::kErased) == "erased");
  CHECK(name_of(ErrorCode::kErasureIncomplete) == "erasure incomplete");
}

TEST_CASE("errors travel outward and collect context") {
  CHECK(test::must(quarter(8)) == 2);
  CHECK_FAILS_WITH(quarter(6), ErrorCode::kInvalidArgument);
  const auto outer = must_be_even(3).within("open");
  REQUIRE_FALSE(outer.ok());
  CHECK(outer.error().context() == "open: check: odd");
  CHECK(outer.error().code() == ErrorCode::kInvalidArgument);
  test::must(must_be_even(4).within("open"));
}

TEST_CASE("a result gives up a value that only moves") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  const std::unique_ptr<int> value = std::move(result).value();
  CHECK(*value == 5);
}
