// LMDB's list of the pages that are free inside the file.
#pragma once

#include <lmdb.h>
#include <quietus/result.hpp>

#include <cstdint>

namespace quietus {

struct LmdbFreePages {
  std::uint64_t total = 0;
  std::uint64_t at_end = 0;  // numbered `end_from` or higher
};

// Walks the list. Requires: a read transaction. kCorrupt when an entry is no list of pages below
// `page_count`.
Result<LmdbFreePages> read_free_list(MDB_txn* transaction, std::uint64_t page_count,
                                     std::uint64_t end_from);

}  // namespace quietus
