#include "faults/process_memory.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>

#include "crypto/random.hpp"
#include "support/child_process.hpp"

namespace quietus::test {
namespace {

// Has the bytes in a vector register while it waits in the system.
[[noreturn]] void wait_with_register([[maybe_unused]] ByteView bytes) {
#ifdef __x86_64__
  asm volatile("movdqu (%0), %%xmm9\n1: mov $34, %%eax\nsyscall\njmp 1b"
               :
               : "r"(bytes.data())
               : "rax", "rcx", "r11", "xmm9", "memory");
#endif
  for (;;) pause();
}

bool any_says(const std::vector<std::string>& found, std::string_view text) {
  for (const std::string& what : found)
    if (what.find(text) != std::string::npos) return true;
  return false;
}

TEST_CASE("keys are found in the memory and the registers of a process, in halves") {
  if (QUIETUS_TEST_SANITIZED != 0) {
    std::puts("skipped: the memory of a sanitized process is too large to read");
    return;
  }
  Bytes key(32);
  random_bytes(key);
  Bytes absent(32);
  random_bytes(absent);
  const Bytes half(key.begin() + 16, key.end());
  for (std::uint8_t& byte : absent) byte ^= 0x5A;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) wait_with_register(half);
  usleep(50'000);
  for (std::uint8_t& byte : absent) byte ^= 0x5A;
  const auto found = find_in_process(child, {{"key", key}, {"absent", absent}});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!found) {
    std::puts("skipped: this process may not look at the memory of another one");
    return;
  }
  CHECK(any_says(*found, "key, first half"));
  CHECK(any_says(*found, "key, second half"));
  CHECK_FALSE(any_says(*found, "absent"));
#ifdef __x86_64__
  CHECK(any_says(*found, "registers"));
#endif
}

}  // namespace
}  // namespace quietus::test
