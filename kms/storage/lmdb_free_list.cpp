#include "storage/lmdb_free_list.hpp"

#include <cstring>

#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

constexpr MDB_dbi kFreeListTable = 0;
constexpr std::size_t kNumber = 8;

std::uint64_t number_at(const MDB_val& entry, std::size_t position) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, static_cast<const char*>(entry.mv_data) + position * kNumber, kNumber);
  return number;
}

// An entry is a count, then so many page numbers, in falling order.
bool add_entry(const MDB_val& entry, std::uint64_t page_count, std::uint64_t end_from,
               LmdbFreePages& pages) noexcept {
  if (entry.mv_size < kNumber) return false;
  const std::uint64_t count = number_at(entry, 0);
  if (count > entry.mv_size / kNumber - 1) return false;
  std::uint64_t previous = page_count;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t page = number_at(entry, i);
    if (page < 2 || page >= previous) return false;
    pages.at_end += page >= end_from ? 1 : 0;
    previous = page;
  }
  pages.total += count;
  return true;
}

}  // namespace

Result<LmdbFreePages> read_free_list(MDB_txn* transaction, std::uint64_t page_count,
                                     std::uint64_t end_from) {
  MDB_cursor* cursor = nullptr;
  int rc = mdb_cursor_open(transaction, kFreeListTable, &cursor);
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "reading the free list");
  LmdbFreePages pages;
  bool sound = true;
  MDB_val key{};
  MDB_val entry{};
  while (sound && (rc = mdb_cursor_get(cursor, &key, &entry, MDB_NEXT)) == MDB_SUCCESS)
    sound = add_entry(entry, page_count, end_from, pages);
  mdb_cursor_close(cursor);
  if (!sound) return Error(ErrorCode::kCorrupt, "damaged free list");
  if (rc != MDB_NOTFOUND) return lmdb_error(rc, "reading the free list");
  return pages;
}

}  // namespace quietus
