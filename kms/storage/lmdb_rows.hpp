// Reading and writing rows in one LMDB transaction.
#pragma once

#include <lmdb.h>
#include <quietus/result.hpp>

#include <cstdint>
#include <optional>

#include "base/function_ref.hpp"

namespace quietus {

// Borrows the transaction. Once a change has failed, every further one fails with the same error,
// and the transaction must not be committed.
class LmdbRows {
 public:
  static constexpr std::size_t kMaxKey = 511;

  LmdbRows(MDB_txn* transaction, std::uint64_t page_size) noexcept
      : transaction_(transaction), page_size_(page_size) {}

  Result<std::optional<ByteView>> get(MDB_dbi table, ByteView key);

  // Rows whose key starts with `prefix`, in order, from the larger of `prefix` and `from` on.
  // `visit` may change rows of the table; the walk goes on behind the row that was visited.
  using Visitor = FunctionRef<Result<bool>(ByteView key, ByteView value)>;
  Result<void> scan(MDB_dbi table, ByteView prefix, ByteView from, Visitor visit);

  // Every row of the table in order, for who reads all of them and changes none: what lies ahead is
  // fetched meanwhile.
  Result<void> scan_all(MDB_dbi table, Visitor visit);

  // The first key that is not below `from`.
  Result<std::optional<ByteView>> seek(MDB_dbi table, ByteView from);

  Result<void> put(MDB_dbi table, ByteView key, ByteView value);
  Result<void> remove(MDB_dbi table, ByteView key);

  MDB_txn* transaction() const noexcept { return transaction_; }

  // Changes asked for so far, and a bound on the pages that they take.
  std::uint64_t changes() const noexcept { return changes_; }
  std::uint64_t pages() const noexcept { return pages_; }

  // The error of the first change that failed.
  Result<void> failure() const;
  bool map_full() const noexcept { return failed_ == MDB_MAP_FULL; }

 private:
  Result<void> change(std::uint64_t pages, int rc);

  MDB_txn* transaction_;
  std::uint64_t page_size_;
  std::uint64_t changes_ = 0;
  std::uint64_t pages_ = 0;
  int failed_ = MDB_SUCCESS;
};

}  // namespace quietus
