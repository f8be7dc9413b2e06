// The end of the file. LMDB does not write pages that one transaction both took and freed, so a
// sound file may end before the last page that its meta page counts; a file that was cut off ends
// there too. The two are told apart by the free list, and the sound one is made as long as it says.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_error.hpp"
#include "storage/lmdb_free_list.hpp"

namespace quietus {
namespace {

std::uint64_t length_of(int descriptor) noexcept {
  struct stat status {};
  return fstat(descriptor, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

int set_length(int descriptor, std::uint64_t bytes) noexcept {
  return ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? MDB_SUCCESS : errno;
}

}  // namespace

Result<std::uint64_t> LmdbEnvironment::count_free_pages() {
  const LmdbSpace now = space();
  std::uint64_t count = 0;
  QUIETUS_TRY(read([&](LmdbRows& rows) -> Result<void> {
    QUIETUS_TRY_AS(const LmdbFreePages pages,
                   read_free_list(rows.transaction(), now.used_pages, now.used_pages));
    count = pages.total;
    return {};
  }));
  return count;
}

// At opening. LMDB has looked at nothing but the meta pages so far.
Result<void> LmdbEnvironment::settle_tail() {
  const auto missing = [this] {
    const LmdbSpace now = space();
    return length_of(descriptor_) < now.used_pages * now.page_size;
  };
  if (!missing()) return {};
  if (read_only_) return Error(ErrorCode::kCorrupt, "truncated, or not closed by its last writer");
  // The lock of the writers is held from here on, so that nobody else changes the length.
  return write([&](LmdbRows&) -> Result<void> {
    if (!missing()) return {};
    const LmdbSpace now = space();
    const std::uint64_t length = length_of(descriptor_);
    const std::uint64_t present = length / now.page_size;
    // The free list may itself lie in what is missing; it is then read as zeros and not found
    // sound.
    if (const int rc = set_length(descriptor_, now.used_pages * now.page_size); rc != MDB_SUCCESS)
      return lmdb_error(rc, "restoring the length of the file");
    LmdbFreePages pages;
    const Result<void> walked = read([&](LmdbRows& rows) -> Result<void> {
      QUIETUS_TRY_AS(pages, read_free_list(rows.transaction(), now.used_pages, present));
      return {};
    });
    if (walked && pages.at_end == now.used_pages - present) return {};
    set_length(descriptor_, length);
    return Error(ErrorCode::kCorrupt, "truncated");
  });
}

// After a commit, which is durable already: so failures are left to the next opening. The length
// only ever grows, and only while the lock of the writers is held.
void LmdbEnvironment::cover_tail() noexcept {
  const auto needed = [this] {
    const LmdbSpace now = space();
    return now.used_pages * now.page_size;
  };
  if (length_of(descriptor_) >= needed()) return;
  MDB_txn* lock = nullptr;
  if (mdb_txn_begin(env_, nullptr, 0, &lock) != MDB_SUCCESS) return;
  if (length_of(descriptor_) < needed()) set_length(descriptor_, needed());
  mdb_txn_abort(lock);
}

}  // namespace quietus
