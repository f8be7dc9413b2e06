#include "base/failpoint.hpp"

#ifdef QUIETUS_FAILPOINTS

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/result_matchers.hpp"

using namespace quietus;

namespace {

Result<int> two_steps(std::vector<std::string>& done) {
  QUIETUS_FAILPOINT("first");
  done.emplace_back("first");
  QUIETUS_FAILPOINT("second");
  done.emplace_back("second");
  return 2;
}

// Points are silent again when a test is over, failed or not.
struct Installed {
  explicit Installed(failpoint::Hook hook) { failpoint::install(std::move(hook)); }
  ~Installed() { failpoint::install({}); }
  Installed(const Installed&) = delete;
  Installed& operator=(const Installed&) = delete;
};

failpoint::Hook fail_at(int n) {
  return failpoint::at_nth(n, [](std::string_view name) -> Result<void> {
    return Error(ErrorCode::kIo, std::string(name));
  });
}

}  // namespace

TEST_CASE("points without a hook do nothing") {
  std::vector<std::string> done;
  CHECK(test::must(two_steps(done)) == 2);
}

TEST_CASE("the hook sees every point by name, in order") {
  std::vector<std::string> seen;
  const Installed installed([&](std::string_view name) {
    seen.emplace_back(name);
    return Result<void>();
  });
  std::vector<std::string> done;
  test::must(two_steps(done));
  CHECK(seen == std::vector<std::string>{"first", "second"});
}

TEST_CASE("at_nth fails the n-th point and no other") {
  for (const int n : {1, 2, 3}) {
    const Installed installed(fail_at(n));
    std::vector<std::string> done;
    const auto result = two_steps(done);
    CHECK(result.ok() == (n == 3));
    CHECK(done.size() == static_cast<std::size_t>(n - 1));
    if (n == 2) CHECK(result.error().context() == "second");
  }
}

TEST_CASE("at_nth counts across calls and fires once") {
  const Installed installed(fail_at(3));
  std::vector<std::string> done;
  CHECK(two_steps(done).ok());
  CHECK_FAILS_WITH(two_steps(done), ErrorCode::kIo);
  for (int i = 0; i < 10; ++i) CHECK(two_steps(done).ok());
}

TEST_CASE("an empty hook removes the last one") {
  failpoint::install(fail_at(1));
  failpoint::install({});
  std::vector<std::string> done;
  CHECK(two_steps(done).ok());
}

TEST_CASE("of many threads exactly one meets the n-th point", "[concurrent]") {
  const Installed installed(fail_at(500));
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 250; ++round)
        if (!failpoint::reached("point").ok()) ++failures;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 1);
}

#endif
