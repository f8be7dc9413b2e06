// Named places where tests make the world fail: an error, a kill, a stop. Compiled in only with
// QUIETUS_FAILPOINTS (the test builds); in a release build the macro is nothing.
#pragma once

#include <quietus/result.hpp>

#ifdef QUIETUS_FAILPOINTS

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus::failpoint {

// What a test does when execution reaches a point: return an error to inject it, or nothing to go
// on.
using Hook = std::function<Result<void>(std::string_view name)>;

// Installs the hook that every point calls; an empty one removes it. Thread-safe.
void install(Hook hook);

Result<void> reached(std::string_view name);

// A hook that lets n-1 points pass and calls `act` at the n-th (counted from 1).
Hook at_nth(int n, Hook act);

}  // namespace quietus::failpoint

// Stands in a function that returns a Result.
#define QUIETUS_FAILPOINT(name) QUIETUS_TRY(::quietus::failpoint::reached(name))

#else

#define QUIETUS_FAILPOINT(name) static_cast<void>(0)

#endif
