#include "storage/erasure_reserve.hpp"

#include <fcntl.h>

#include <cerrno>

#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kReservedPages = 256;
// With more room than this behind the end of the file nobody counts the free list.
constexpr std::uint64_t kAmplePages = 4096;
// Topped up to kFullReserve when less than kLowReserve is left, so that a small transaction still
// leaves 1 MiB and not every one asks the file system.
constexpr std::uint64_t kLowReserve = std::uint64_t{3} << 19;
constexpr std::uint64_t kFullReserve = std::uint64_t{2} << 20;

}  // namespace

Result<void> ErasureReserve::admit() {
  const LmdbSpace space = environment_.space();
  free_pages_ = space.map_pages > space.used_pages ? space.map_pages - space.used_pages : 0;
  if (free_pages_ < kAmplePages) {
    QUIETUS_TRY_AS(const std::uint64_t inside, environment_.count_free_pages());
    free_pages_ += inside;
  }
  QUIETUS_TRY(still_there(0));
  return set_blocks_aside(space);
}

Result<void> ErasureReserve::still_there(std::uint64_t pages_taken) const {
  if (free_pages_ >= kReservedPages + pages_taken) return {};
  return Error(ErrorCode::kFull, "map is full but for what is kept for erasures");
}

Result<void> ErasureReserve::set_blocks_aside(const LmdbSpace& space) {
  const std::uint64_t end = space.used_pages * space.page_size;
  if (!on_disk() || end + kLowReserve <= reserved_end_) return {};
  int rc = 0;
  do {
    rc = fallocate(environment_.descriptor(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end),
                   static_cast<off_t>(kFullReserve)) == 0
             ? 0
             : errno;
  } while (rc == EINTR);
  if (rc == EOPNOTSUPP || rc == ENOSYS) {
    on_disk_.store(false, std::memory_order_relaxed);
    return {};
  }
  if (means_full(rc))
    return Error(ErrorCode::kFull, "disk is full but for what is kept for erasures");
  if (rc != 0) return lmdb_error(rc, "setting blocks aside");
  reserved_end_ = end + kFullReserve;
  return {};
}

}  // namespace quietus
