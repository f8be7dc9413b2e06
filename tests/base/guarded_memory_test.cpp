// What the system does with guarded memory: locks, core dumps, forks. Limits belong to a process,
// so those tests run this program again with one hidden case.
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/secret.hpp"
#include "support/child_process.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::all_zero;

namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

SecretBuffer filled_buffer(std::size_t size) {
  SecretBuffer buffer(size);
  buffer.fill([](MutableBytes out) { std::fill(out.begin(), out.end(), std::uint8_t{0xAB}); });
  return buffer;
}

std::uintptr_t page_address(const SecretBuffer& buffer) {
  return buffer.expose(
      [](ByteView bytes) { return reinterpret_cast<std::uintptr_t>(bytes.data()); });
}

bool is_zero(const SecretBuffer& buffer) {
  return buffer.expose([](ByteView bytes) { return all_zero(bytes); });
}

// The VmFlags of the mapping that holds `address`, with a space on both sides; empty when unknown.
std::string mapping_flags(std::uintptr_t address) {
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-')
      inside = begin <= address && address < end;
    else if (inside && line.starts_with("VmFlags:"))
      return line.substr(line.find(':') + 1) + " ";
  }
  return {};
}

bool has_flag(std::uintptr_t address, const std::string& flag) {
  return mapping_flags(address).find(" " + flag + " ") != std::string::npos;
}

std::size_t bytes_locked_by_kernel() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmLck:")) return std::stoul(line.substr(6)) * 1024;
  return 0;
}

// Takes the privilege that would override the limit, then sets it.
bool limit_locked_memory(rlim_t bytes) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> capabilities{};
  if (syscall(SYS_capget, &header, capabilities.data()) != 0) return false;
  capabilities[0].effective &= ~(1U << CAP_IPC_LOCK);
  capabilities[0].permitted &= ~(1U << CAP_IPC_LOCK);
  const rlimit limit{bytes, bytes};
  return syscall(SYS_capset, &header, capabilities.data()) == 0 &&
         setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

constexpr const char* kNewProcess = "QUIETUS_TEST_NEW_PROCESS";

// Runs one hidden case of this program in a fresh process, where no secret was made yet.
bool passes_in_new_process(const char* hidden_case) {
  const int status = test::status_of_child([&] {
    setenv(kNewProcess, "1", 1);  // NOLINT(concurrency-mt-unsafe): the child has one thread
    execl("/proc/self/exe", "base_test", hidden_case, nullptr);
    return false;
  });
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Hidden cases can still be selected by name or tag; outside a process of their own they do
// nothing.
bool in_new_process() {
  return std::getenv(kNewProcess) != nullptr;  // NOLINT(concurrency-mt-unsafe)
}

bool sanitized() {
  if (QUIETUS_TEST_SANITIZED) WARN("skipped: sanitizers take over memory locking");
  return QUIETUS_TEST_SANITIZED != 0;
}

}  // namespace

TEST_CASE("guarded memory is locked, not dumped and empty after a fork") {
  if (sanitized()) return;
  for (const std::size_t size : {std::size_t{32}, std::size_t{4096}, kMegabyte}) {
    INFO(size);
    const SecretBuffer buffer = filled_buffer(size);
    if (mapping_flags(page_address(buffer)).empty()) {
      WARN("skipped: this system shows no mapping flags");
      return;
    }
    CHECK(has_flag(page_address(buffer), "dd"));  // left out of core dumps
    CHECK(has_flag(page_address(buffer), "wf"));  // wiped on fork
    CHECK(has_flag(page_address(buffer), "dd") == has_flag(page_address(buffer) + size - 1, "dd"));
    if (guarded_memory_status().all_locked()) CHECK(has_flag(page_address(buffer), "lo"));
  }
}

TEST_CASE("a forked child reads zero where the parent has secrets, and may end or go on") {
  const SecretBuffer small = filled_buffer(32);
  const SecretBuffer middle = filled_buffer(4096);
  SecretBuffer large = filled_buffer(kMegabyte);
  REQUIRE_FALSE(is_zero(small));
  CHECK(test::true_in_child([&] {
    if (!is_zero(small) || !is_zero(middle) || !is_zero(large)) return false;
    large = SecretBuffer();
    const SecretBuffer own = filled_buffer(kMegabyte);
    return !is_zero(own);
  }));
  CHECK_FALSE(is_zero(small));
  CHECK_FALSE(is_zero(large));
}

TEST_CASE("a forked child may use guarded memory while the parent's threads do", "[concurrent]") {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) static_cast<void>(filled_buffer(32));
  });
  int good = 0;
  for (int i = 0; i < 50; ++i) {
    const auto use_all_sizes = [] {
      alarm(30);  // a lock that was held at the fork would wait for ever
      return !is_zero(filled_buffer(32)) && !is_zero(filled_buffer(4096)) &&
             !is_zero(filled_buffer(kMegabyte));
    };
    good += test::true_in_child(use_all_sizes) ? 1 : 0;
  }
  stop = true;
  busy.join();
  CHECK(good == 50);
}

TEST_CASE("memory outside the pools is counted while it lives") {
  const GuardedMemoryStatus before = guarded_memory_status();
  {
    const SecretBuffer buffer = filled_buffer(kMegabyte + 1);
    const GuardedMemoryStatus during = guarded_memory_status();
    CHECK(during.bytes > before.bytes + kMegabyte);
    CHECK(during.locked_bytes <= during.bytes);
  }
  CHECK(guarded_memory_status().bytes == before.bytes);
  CHECK(guarded_memory_status().locked_bytes == before.locked_bytes);
}

TEST_CASE("the lock status is honest under a limit") {
  if (!sanitized()) CHECK(passes_in_new_process("hidden: limited"));
}
TEST_CASE("hidden: limited", "[.child]") {
  if (!in_new_process()) return;
  const rlim_t limit = rlim_t{200} * 1024;
  REQUIRE(limit_locked_memory(limit));
  CHECK(guarded_memory_status().bytes == 0);
  CHECK(guarded_memory_status().all_locked());
  const SecretBuffer first = filled_buffer(32);  // a slab of 64 KiB fits
  CHECK(guarded_memory_status().bytes > 0);
  CHECK(guarded_memory_status().all_locked());
  const SecretBuffer second = filled_buffer(kMegabyte);  // a MiB does not
  const GuardedMemoryStatus status = guarded_memory_status();
  CHECK_FALSE(status.all_locked());
  CHECK(status.bytes >= kMegabyte + status.locked_bytes);
  CHECK(status.locked_bytes > 0);
  CHECK(status.locked_bytes <= bytes_locked_by_kernel());
  CHECK(bytes_locked_by_kernel() <= limit);
  CHECK(has_flag(page_address(first), "lo"));
  CHECK_FALSE(has_flag(page_address(second), "lo"));
  CHECK(has_flag(page_address(second), "dd"));  // what cannot be locked is still not dumped
}

TEST_CASE("required locks are refused rather than forgone") {
  if (!sanitized()) CHECK(passes_in_new_process("hidden: required"));
}
TEST_CASE("hidden: required", "[.child]") {
  if (!in_new_process()) return;
  REQUIRE(limit_locked_memory(rlim_t{200} * 1024));
  set_lock_policy(LockPolicy::kRequire);
  const SecretBuffer fits = filled_buffer(32);
  CHECK_THROWS_AS(SecretBuffer(kMegabyte), std::bad_alloc);
  CHECK(guarded_memory_status().all_locked());
  const SecretBuffer still_fits = filled_buffer(32);
  CHECK_FALSE(is_zero(still_fits));

  std::vector<SecretBuffer> cells;  // until the pool needs a slab that cannot be locked
  const auto take_many = [&] {
    for (int i = 0; i < 100; ++i) cells.push_back(filled_buffer(4096));
  };
  CHECK_THROWS_AS(take_many(), std::bad_alloc);
  CHECK(guarded_memory_status().all_locked());
  cells.clear();
  cells.push_back(filled_buffer(4096));  // a cell given back is there again
}

TEST_CASE("a forked child locks its memory again") {
  if (!sanitized()) CHECK(passes_in_new_process("hidden: forked"));
}
TEST_CASE("hidden: forked", "[.child]") {
  if (!in_new_process()) return;
  const SecretBuffer inherited = filled_buffer(32);
  if (!guarded_memory_status().all_locked()) {
    WARN("skipped: this system locks no memory");
    return;
  }
  CHECK(test::true_in_child([&] {
    return guarded_memory_status().all_locked() && has_flag(page_address(inherited), "lo") &&
           guarded_memory_status().locked_bytes <= bytes_locked_by_kernel();
  }));
}

TEST_CASE("a forked child that cannot lock says so, or refuses") {
  if (!sanitized()) CHECK(passes_in_new_process("hidden: fork refused"));
}
TEST_CASE("hidden: fork refused", "[.child]") {
  if (!in_new_process()) return;
  const SecretBuffer inherited = filled_buffer(32);
  REQUIRE(limit_locked_memory(0));  // what is locked already stays so
  CHECK(test::true_in_child([] {
    const GuardedMemoryStatus status = guarded_memory_status();
    return status.locked_bytes == 0 && status.bytes > 0 && !is_zero(filled_buffer(32));
  }));
  set_lock_policy(LockPolicy::kRequire);
  CHECK(test::true_in_child([] {
    try {
      static_cast<void>(filled_buffer(32));
      return false;
    } catch (const std::bad_alloc&) {
      return true;
    }
  }));
}
