// Checks on Result that say the error when they fail.
#pragma once

#include <quietus/result.hpp>

#include <catch2/catch.hpp>
#include <string>

namespace quietus::test {

template <class T>
std::string describe(const Result<T>& result) {
  if (result.ok()) return "a value";
  return std::string(name_of(result.error().code())) + " (" + result.error().context() + ")";
}

// The value, or a failed test that says why there is none.
template <class T>
T must(Result<T> result) {
  INFO(describe(result));
  REQUIRE(result.ok());
  return std::move(result).value();
}
inline void must(const Result<void>& result) {
  INFO(describe(result));
  REQUIRE(result.ok());
}

}  // namespace quietus::test

#define CHECK_FAILS_WITH(expression, expected)                                    \
  do {                                                                            \
    const auto quietus_result = (expression);                                     \
    INFO("got " << ::quietus::test::describe(quietus_result));                    \
    CHECK((!quietus_result.ok() && quietus_result.error().code() == (expected))); \
  } while (false)
