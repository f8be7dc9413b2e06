#include "crypto/random.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <set>
#include <vector>

#include "crypto/labels.hpp"
#include "support/child_process.hpp"
#include "support/vector_files.hpp"

using namespace quietus;

namespace {

// What the next calls of getrandom() answer: a negated errno, or at most so many bytes. When it is
// empty the kernel answers.
std::vector<int> script;

}  // namespace

// Stands in front of the C library's, for the whole test program.
extern "C" ssize_t getrandom(void* buffer, std::size_t size, unsigned flags) noexcept {
  if (script.empty()) return syscall(SYS_getrandom, buffer, size, flags);
  const int answer = script.front();
  script.erase(script.begin());
  if (answer > 0)
    return syscall(SYS_getrandom, buffer, std::min(size, static_cast<std::size_t>(answer)), flags);
  errno = -answer;
  return answer == 0 ? 0 : -1;
}

TEST_CASE("random bytes fill the whole buffer and do not repeat") {
  std::set<Bytes> seen;
  for (int i = 0; i < 1000; ++i) {
    Bytes bytes(16);
    random_bytes(bytes);
    CHECK(seen.insert(bytes).second);
  }
  random_bytes({});
}

TEST_CASE("random bytes go on where the kernel stops early") {
  // One getrandom() call gives at most 2^25 - 1 bytes.
  Bytes bytes((std::size_t{1} << 25) + 4096);
  random_bytes(bytes);
  CHECK_FALSE(test::all_zero(ByteView(bytes).last(4096)));
}

TEST_CASE("interrupted and short answers are asked again") {
  script = {-EINTR, -EINTR, 1, -EINTR, 5, 31};
  Bytes bytes(64);
  random_bytes(bytes);
  CHECK(script.empty());
  for (std::size_t at = 0; at < bytes.size(); at += 16)
    CHECK_FALSE(test::all_zero(ByteView(bytes).subspan(at, 16)));
}

TEST_CASE("no randomness ends the process") {
  for (const int answer : {-ENOSYS, -EAGAIN, -EFAULT, 0}) {
    INFO(answer);
    CHECK(test::aborts([=] {
      script = {answer};
      Bytes bytes(32);
      random_bytes(bytes);
    }));
    CHECK(test::aborts([=] {
      script = {16, answer};
      Bytes bytes(32);
      random_bytes(bytes);
    }));
  }
}

TEST_CASE("random ids have 63 bits and are never zero") {
  std::uint64_t any = 0;
  std::uint64_t all = ~std::uint64_t{0};
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t id = random_id63();
    CHECK(id != 0);
    any |= id;
    all &= id;
  }
  CHECK(any == ~std::uint64_t{0} >> 1);  // every bit but the top one occurs …
  CHECK(all == 0);                       // … and is missing at times
}

TEST_CASE("random keys differ") {
  const auto a = random_key<ScopeRole>();
  const auto b = random_key<ScopeRole>();
  a.expose([&](ByteView left) {
    b.expose([&](ByteView right) { CHECK_FALSE(equal_constant_time(left, right)); });
  });
}
