#include "base/secret.hpp"

#include <pthread.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace quietus {
namespace {

// libsodium surrounds each allocation with guard pages and a canary, which costs four pages; so
// small cells share a slab. Sizes above the largest class get an allocation of their own.
constexpr std::size_t kSlabSize = std::size_t{64} * 1024;
constexpr std::array<std::size_t, 3> kCellSizes = {32, 256, 4096};

std::atomic<LockPolicy> lock_policy{LockPolicy::kReport};

std::uint8_t* allocate_pages(std::size_t size) {
  auto* memory = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// Every guarded allocation, and whether it is really locked.
class Allocations {
 public:
  // Requires: size is a whole number of pages. libsodium's canary lies in front of them, so they
  // may read as zero in a forked child without harm to it.
  std::uint8_t* add(std::size_t size) {
    std::uint8_t* const memory = allocate_pages(size);
    // sodium_malloc ignores a refused mlock, so it is asked for again where the answer counts.
    const bool locked = mlock(memory, size) == 0;
    if (!locked && lock_policy.load() == LockPolicy::kRequire) {
      sodium_free(memory);
      throw std::bad_alloc();
    }
    madvise(memory, size, MADV_WIPEONFORK);
    sodium_memzero(memory, size);
    const std::lock_guard lock(mutex_);
    all_[memory] = {size, locked};
    return memory;
  }

  void remove(std::uint8_t* memory) noexcept {
    {
      const std::lock_guard lock(mutex_);
      all_.erase(memory);
    }
    sodium_free(memory);
  }

  GuardedMemoryStatus status() const noexcept {
    const std::lock_guard lock(mutex_);
    GuardedMemoryStatus status;
    for (const auto& [memory, allocation] : all_) {
      status.bytes += allocation.size;
      if (allocation.locked) status.locked_bytes += allocation.size;
    }
    return status;
  }

  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

  // A forked child inherits the memory, empty, but none of the locks. False when one is refused.
  bool lock_again_in_child() noexcept {
    bool all_locked = true;
    for (auto& [memory, allocation] : all_) {
      allocation.locked = mlock(memory, allocation.size) == 0;
      all_locked = all_locked && allocation.locked;
    }
    return all_locked;
  }

 private:
  struct Allocation {
    std::size_t size;
    bool locked;
  };
  mutable std::mutex mutex_;
  std::map<std::uint8_t*, Allocation> all_;
};

class CellPool {
 public:
  CellPool(std::size_t cell_size, Allocations& allocations)
      : cell_size_(cell_size), allocations_(allocations) {}

  std::uint8_t* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) add_slab();
    std::uint8_t* cell = free_.back();
    free_.pop_back();
    return cell;
  }

  void give_back(std::uint8_t* cell) noexcept {
    const std::lock_guard lock(mutex_);
    free_.push_back(cell);  // never allocates: add_slab reserved room for every cell
  }

  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  void add_slab() {
    const std::size_t count = kSlabSize / cell_size_;
    free_.reserve(cells_ + count);
    std::uint8_t* slab = allocations_.add(kSlabSize);
    cells_ += count;
    for (std::size_t i = 0; i < count; ++i) free_.push_back(slab + i * cell_size_);
  }

  std::mutex mutex_;
  std::size_t cell_size_;
  Allocations& allocations_;
  std::size_t cells_ = 0;
  std::vector<std::uint8_t*> free_;
};

// All of it, for ever: secrets in static objects may be given back after any destructor here ran.
class GuardedMemory {
 public:
  static GuardedMemory& instance() {
    static auto* const memory = [] {
      if (sodium_init() < 0) throw std::bad_alloc();
      auto* made = new GuardedMemory;
      pthread_atfork([] { instance().before_fork(); }, [] { instance().after_fork(); },
                     [] { instance().after_fork_in_child(); });
      return made;
    }();
    return *memory;
  }

  std::uint8_t* take(std::size_t size) {
    if (refused_) throw std::bad_alloc();
    if (CellPool* pool = pool_for(size)) return pool->take();
    return allocations_.add(page_rounded(size));
  }

  void give_back(std::uint8_t* cell, std::size_t size) noexcept {
    sodium_memzero(cell, size);
    if (CellPool* pool = pool_for(size)) return pool->give_back(cell);
    allocations_.remove(cell);
  }

  GuardedMemoryStatus status() const noexcept { return allocations_.status(); }

 private:
  CellPool* pool_for(std::size_t size) noexcept {
    for (std::size_t i = 0; i < kCellSizes.size(); ++i)
      if (size <= kCellSizes[i]) return &pools_[i];
    return nullptr;
  }

  static std::size_t page_rounded(std::size_t size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (size + page - 1) / page * page;
  }

  // No other thread may be half way through a change when the child gets its copy.
  void before_fork() {
    for (CellPool& pool : pools_) pool.before_fork();
    allocations_.before_fork();
  }
  void after_fork() {
    allocations_.after_fork();
    for (CellPool& pool : pools_) pool.after_fork();
  }
  void after_fork_in_child() {
    const bool locked = allocations_.lock_again_in_child();
    refused_ = !locked && lock_policy.load() == LockPolicy::kRequire;
    after_fork();
  }

  Allocations allocations_;
  std::array<CellPool, 3> pools_{CellPool(kCellSizes[0], allocations_),
                                 CellPool(kCellSizes[1], allocations_),
                                 CellPool(kCellSizes[2], allocations_)};
  std::atomic<bool> refused_{false};  // in a child that could not lock what it must
};

// Made when the program starts: a child forked while another thread is the first to use it would
// wait for that thread, which it does not have.
// NOLINTNEXTLINE(cert-err58-cpp): without memory at the start of the program there is nothing to do
[[maybe_unused]] const GuardedMemory& made_at_start = GuardedMemory::instance();

}  // namespace

void set_lock_policy(LockPolicy policy) noexcept {
  lock_policy = policy;
}

GuardedMemoryStatus guarded_memory_status() noexcept {
  return GuardedMemory::instance().status();
}

void wipe(MutableBytes bytes) noexcept {
  sodium_memzero(bytes.data(), bytes.size());
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace guarded {

std::uint8_t* take(std::size_t size) {
  return GuardedMemory::instance().take(size);
}

void give_back(std::uint8_t* cell, std::size_t size) noexcept {
  GuardedMemory::instance().give_back(cell, size);
}

}  // namespace guarded
}  // namespace quietus
