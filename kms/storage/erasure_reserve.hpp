// Keeps enough of the map and of the disk free for an erasure, by refusing ordinary writes in time:
// a full disk must not keep anybody's data alive.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/lmdb_environment.hpp"

namespace quietus {

// Used inside write transactions only, which the engine runs one at a time.
class ErasureReserve {
 public:
  explicit ErasureReserve(LmdbEnvironment& environment) noexcept : environment_(environment) {}

  // Before an ordinary transaction changes anything: kFull when it would have to live off the
  // reserve. Sets disk blocks aside behind the end of the file as it grows.
  Result<void> admit();

  // Before it is committed: the same question, now that it is known how much it takes.
  Result<void> still_there(std::uint64_t pages_taken) const;

  // False where the file system cannot set blocks aside.
  bool on_disk() const noexcept { return on_disk_.load(std::memory_order_relaxed); }

 private:
  Result<void> set_blocks_aside(const LmdbSpace& space);

  LmdbEnvironment& environment_;
  std::uint64_t free_pages_ = 0;    // counted by admit()
  std::uint64_t reserved_end_ = 0;  // bytes; blocks are set aside up to here
  std::atomic<bool> on_disk_{true};
};

}  // namespace quietus
