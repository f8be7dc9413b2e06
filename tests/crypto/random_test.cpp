#include "crypto/random.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <set>

#include "crypto/labels.hpp"
#include "support/child_process.hpp"
#include "support/vector_files.hpp"

using namespace quietus;

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

namespace {

volatile std::sig_atomic_t interruptions = 0;

void count_interruption(int) {
  interruptions = interruptions + 1;
}

bool every_page_is_random(const Bytes& bytes) {
  for (std::size_t at = 0; at + 64 <= bytes.size(); at += 4096)
    if (test::all_zero(ByteView(bytes).subspan(at, 64))) return false;
  return true;
}

// Draws under a timer that interrupts every system call after a millisecond.
bool draw_while_interrupted() {
  struct sigaction action {};
  action.sa_handler = count_interruption;  // no SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  const itimerval every_millisecond{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every_millisecond, nullptr);
  Bytes bytes(std::size_t{1} << 25);
  random_bytes(bytes);
  return interruptions > 0 && every_page_is_random(bytes);
}

// From here on getrandom() fails with ENOSYS in this process.
bool forbid_getrandom() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("random bytes survive interrupted system calls") {
  CHECK(test::true_in_child(draw_while_interrupted));
}

TEST_CASE("no randomness ends the process") {
  if (!test::true_in_child(forbid_getrandom)) {
    WARN("skipped: this system has no seccomp filters");
    return;
  }
  CHECK(test::aborts([] {
    forbid_getrandom();
    Bytes bytes(32);
    random_bytes(bytes);
  }));
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
