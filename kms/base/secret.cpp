#include "base/secret.hpp"

#include <sodium.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace quietus {
namespace {

// libsodium surrounds each allocation with guard pages and a canary, which costs four pages; so small
// cells share a slab. Sizes above the largest class get an allocation of their own.
constexpr std::size_t kSlabSize = 64 * 1024;
constexpr std::array<std::size_t, 3> kCellSizes = {32, 256, 4096};

std::atomic<LockPolicy> lock_policy{LockPolicy::kReport};
std::atomic<std::size_t> guarded_bytes{0};
std::atomic<std::size_t> locked_bytes{0};

// sodium_malloc ignores a refused mlock, so the lock is asked for again here, where the answer counts.
// The canary lies outside the pages named here, so they may read as zero in a forked child.
struct Allocation {
  std::uint8_t* memory;
  bool locked;
};

Allocation allocate_guarded(std::size_t size) {
  static const int initialised = sodium_init();
  if (initialised < 0) throw std::bad_alloc();
  auto* memory = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (memory == nullptr) throw std::bad_alloc();
  const bool locked = mlock(memory, size) == 0;
  if (!locked && lock_policy.load() == LockPolicy::kRequire) {
    sodium_free(memory);
    throw std::bad_alloc();
  }
  madvise(memory, size, MADV_WIPEONFORK);
  guarded_bytes += size;
  if (locked) locked_bytes += size;
  sodium_memzero(memory, size);
  return {memory, locked};
}

// Which of the allocations outside the pools are locked.
class LargeAllocations {
 public:
  std::uint8_t* remember(Allocation allocation) {
    const std::lock_guard lock(mutex_);
    locked_[allocation.memory] = allocation.locked;
    return allocation.memory;
  }
  bool forget(std::uint8_t* memory) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = locked_.find(memory);
    const bool locked = found != locked_.end() && found->second;
    if (found != locked_.end()) locked_.erase(found);
    return locked;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint8_t*, bool> locked_;
};

LargeAllocations& large_allocations() {
  static auto* const allocations = new LargeAllocations;
  return *allocations;
}

class CellPool {
 public:
  explicit CellPool(std::size_t cell_size) : cell_size_(cell_size) {}

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

 private:
  void add_slab() {
    const std::size_t count = kSlabSize / cell_size_;
    cells_ += count;
    free_.reserve(cells_);
    std::uint8_t* slab = allocate_guarded(kSlabSize).memory;
    for (std::size_t i = 0; i < count; ++i) free_.push_back(slab + i * cell_size_);
  }

  std::mutex mutex_;
  std::size_t cell_size_;
  std::size_t cells_ = 0;
  std::vector<std::uint8_t*> free_;
};

// Pools live for ever: secrets in static objects may be given back after any destructor here ran.
CellPool* pool_for(std::size_t size) {
  static auto* const pools = new std::array<CellPool, 3>{
      CellPool(kCellSizes[0]), CellPool(kCellSizes[1]), CellPool(kCellSizes[2])};
  for (std::size_t i = 0; i < kCellSizes.size(); ++i)
    if (size <= kCellSizes[i]) return &(*pools)[i];
  return nullptr;
}

std::size_t page_rounded(std::size_t size) { return (size + 4095) / 4096 * 4096; }

}  // namespace

void set_lock_policy(LockPolicy policy) noexcept { lock_policy = policy; }

GuardedMemoryStatus guarded_memory_status() noexcept {
  return {guarded_bytes.load(), locked_bytes.load()};
}

void wipe(MutableBytes bytes) noexcept { sodium_memzero(bytes.data(), bytes.size()); }

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace guarded {

std::uint8_t* take(std::size_t size) {
  if (CellPool* pool = pool_for(size)) return pool->take();
  return large_allocations().remember(allocate_guarded(page_rounded(size)));
}

void give_back(std::uint8_t* cell, std::size_t size) noexcept {
  if (CellPool* pool = pool_for(size)) {
    sodium_memzero(cell, size);
    pool->give_back(cell);
    return;
  }
  const std::size_t rounded = page_rounded(size);
  guarded_bytes -= rounded;
  if (large_allocations().forget(cell)) locked_bytes -= rounded;
  sodium_free(cell);
}

}  // namespace guarded
}  // namespace quietus
