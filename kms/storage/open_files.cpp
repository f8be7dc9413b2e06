#include "storage/open_files.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace quietus {
namespace {

struct OpenFile {
  dev_t device;
  ino_t inode;
  std::uint64_t generation;  // of the process that opened it
  bool operator==(const OpenFile&) const = default;
};

std::atomic<std::uint64_t> generation{0};

struct Registry {
  std::mutex mutex;
  std::vector<OpenFile> files;  // guarded by mutex
};

// Never destroyed: stores in static storage may outlive it.
Registry& registry() {
  static auto* const only = new Registry;
  return *only;
}

// The mutex is held across fork, so that the child finds it free and the list whole.
bool watch_forks() {
  return pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                        [] {
                          generation.fetch_add(1, std::memory_order_relaxed);
                          registry().mutex.unlock();
                        }) == 0;
}

}  // namespace

std::uint64_t fork_generation() noexcept {
  static const bool watched = watch_forks();
  static_cast<void>(watched);
  return generation.load(std::memory_order_relaxed);
}

std::optional<OpenFileClaim> OpenFileClaim::take(dev_t device, ino_t inode) {
  const OpenFile file{device, inode, fork_generation()};
  const std::lock_guard lock(registry().mutex);
  auto& files = registry().files;
  if (std::find(files.begin(), files.end(), file) != files.end()) return std::nullopt;
  files.push_back(file);
  return OpenFileClaim(device, inode);
}

OpenFileClaim::OpenFileClaim(OpenFileClaim&& other) noexcept
    : device_(other.device_), inode_(other.inode_), held_(std::exchange(other.held_, false)) {}

OpenFileClaim::~OpenFileClaim() {
  if (!held_) return;
  const OpenFile file{device_, inode_, fork_generation()};
  const std::lock_guard lock(registry().mutex);
  // In the child of a fork there is nothing to find: the claim was the parent's.
  std::erase(registry().files, file);
}

}  // namespace quietus
