#include "storage/system_faults.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

namespace quietus::test {
namespace {

struct Fault {
  std::atomic<int> left{0};
  std::atomic<int> error{0};
};

std::array<Fault, 4> faults;
std::atomic<int> sync_time{0};  // microseconds

// The error planned for this call, or 0.
int planned(SystemCall call) noexcept {
  Fault& fault = faults[static_cast<std::size_t>(call)];
  if (fault.left.load() == 0 || fault.left.fetch_sub(1) != 1) return 0;
  const int error = fault.error.load();
  if (error == kKill) kill(getpid(), SIGKILL);
  return error;
}

ssize_t failed(int error) noexcept {
  errno = error;
  return -1;
}

}  // namespace

void fail_call(SystemCall call, int n, int error) {
  Fault& fault = faults[static_cast<std::size_t>(call)];
  fault.error = error;
  fault.left = n;
}

void fail_no_calls() {
  for (Fault& fault : faults) fault.left = 0;
}

void slow_data_syncs(int microseconds) {
  sync_time = microseconds;
}

}  // namespace quietus::test

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library reserves its
// names

using quietus::test::failed;
using quietus::test::kShortWrite;
using quietus::test::planned;
using quietus::test::sync_time;
using quietus::test::SystemCall;

#define TAKES_THE_PLACE extern "C" __attribute__((visibility("default")))

TAKES_THE_PLACE int fdatasync(int descriptor) {
  const int error = planned(SystemCall::kDataSync);
  if (error != 0) return static_cast<int>(failed(error));
  if (const int time = sync_time; time > 0)
    std::this_thread::sleep_for(std::chrono::microseconds(time));
  return static_cast<int>(syscall(SYS_fdatasync, descriptor));
}

TAKES_THE_PLACE int fsync(int descriptor) {
  const int error = planned(SystemCall::kSync);
  if (error != 0) return static_cast<int>(failed(error));
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

TAKES_THE_PLACE ssize_t pwrite(int descriptor, const void* from, size_t size, off_t offset) {
  const bool meta = offset < 8192 && size < 200;
  const int error = planned(meta ? SystemCall::kMetaWrite : SystemCall::kPageWrite);
  if (error == kShortWrite) size /= 2;
  if (error > 0) return failed(error);
  return syscall(SYS_pwrite64, descriptor, from, size, offset);
}

TAKES_THE_PLACE ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  const int error = planned(SystemCall::kPageWrite);
  if (error == kShortWrite) count = 1;
  if (error > 0) return failed(error);
  return syscall(SYS_writev, descriptor, parts, count);
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
