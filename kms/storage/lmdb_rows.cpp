#include "storage/lmdb_rows.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

// One change rewrites the path to its leaf; a few more pages pay for splits and the free list.
constexpr std::uint64_t kPagesPerChange = 8;

MDB_val to_value(ByteView bytes) noexcept {
  // LMDB takes what it does not change as a mutable pointer.
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}

ByteView to_view(const MDB_val& value) noexcept {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

bool starts_with(ByteView key, ByteView prefix) noexcept {
  return key.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), key.begin());
}

bool usable_key(ByteView key) noexcept {
  return !key.empty() && key.size() <= LmdbRows::kMaxKey;
}

Error bad_key() {
  return lmdb_error(MDB_BAD_VALSIZE, "key of a row");
}

class Cursor {
 public:
  Cursor(MDB_txn* transaction, MDB_dbi table) noexcept
      : opened_(mdb_cursor_open(transaction, table, &cursor_)) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor() {
    if (opened_ == MDB_SUCCESS) mdb_cursor_close(cursor_);
  }

  // To the first row whose key is not below `from`.
  int seek(ByteView from) noexcept {
    key_ = to_value(from);
    return move(from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  }
  int next() noexcept { return move(MDB_NEXT); }
  // To the row behind `key`, whether or not that row is still there.
  int seek_behind(ByteView key) noexcept {
    const int rc = seek(key);
    return rc == MDB_SUCCESS && std::ranges::equal(this->key(), key) ? next() : rc;
  }

  ByteView key() const noexcept { return to_view(key_); }
  ByteView value() const noexcept { return to_view(value_); }

 private:
  int move(MDB_cursor_op how) noexcept {
    return opened_ != MDB_SUCCESS ? opened_ : mdb_cursor_get(cursor_, &key_, &value_, how);
  }

  MDB_cursor* cursor_ = nullptr;
  int opened_;
  MDB_val key_{};
  MDB_val value_{};
};

// Goes ahead of a walk over all rows and tells the system what will be read. The map is read
// without the kernel's own reading ahead (MDB_NORDAHEAD), which is right for single rows; a walk
// over values that are not in memory would wait for the device page after page.
class LookAhead {
 public:
  LookAhead(MDB_txn* transaction, MDB_dbi table, std::uint64_t page_size) noexcept
      : cursor_(transaction, table), page_(page_size), rc_(cursor_.seek({})) {}

  // Before the walk reads its next row.
  void step(ByteView value) noexcept {
    while (rc_ == MDB_SUCCESS && rows_ < kRowsAhead && bytes_ < kBytesAhead) {
      fetch(cursor_.value());
      ++rows_;
      bytes_ += cursor_.value().size();
      rc_ = cursor_.next();
    }
    --rows_;
    bytes_ -= value.size();
  }

 private:
  static constexpr std::size_t kRowsAhead = 512;
  static constexpr std::size_t kBytesAhead = std::size_t{8} << 20;
  // What lies around a small value is of other rows, which the walk comes to: a device reads that
  // much about as soon as one page. Of a store that does not fit into memory some is read again.
  static constexpr std::uintptr_t kAround = std::uintptr_t{64} << 10;
  static constexpr std::size_t kSmallValue = std::size_t{32} << 10;

  void fetch(ByteView value) noexcept {
    const std::uintptr_t unit = value.size() > kSmallValue ? page_ : kAround;
    const std::uintptr_t before = reinterpret_cast<std::uintptr_t>(value.data()) % unit;
    const std::size_t size = (before + value.size() + unit - 1) / unit * unit;
    const std::uint8_t* const begin = value.data() - before;
    if (begin == begin_ && size == size_) return;  // as the one before
    begin_ = begin;
    size_ = size;
    // Advice: where it fails, the walk waits.
    (void)madvise(const_cast<std::uint8_t*>(begin), size, MADV_WILLNEED);
  }

  Cursor cursor_;
  std::uint64_t page_;
  int rc_;
  std::size_t rows_ = 0;   // that the walk has not reached
  std::size_t bytes_ = 0;  // of their values
  const std::uint8_t* begin_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

Result<std::optional<ByteView>> LmdbRows::get(MDB_dbi table, ByteView key) {
  if (!usable_key(key)) return bad_key();
  MDB_val name = to_value(key);
  MDB_val value{};
  const int rc = mdb_get(transaction_, table, &name, &value);
  if (rc == MDB_NOTFOUND) return std::optional<ByteView>();
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "reading a row");
  return std::optional<ByteView>(to_view(value));
}

Result<void> LmdbRows::scan(MDB_dbi table, ByteView prefix, ByteView from, Visitor visit) {
  if (prefix.size() > kMaxKey || from.size() > kMaxKey) return bad_key();
  Cursor cursor(transaction_, table);
  std::array<std::uint8_t, kMaxKey> buffer;  // NOLINT: filled before each use
  int rc = cursor.seek(std::ranges::lexicographical_compare(from, prefix) ? prefix : from);
  while (rc == MDB_SUCCESS && starts_with(cursor.key(), prefix)) {
    const MutableBytes visited = MutableBytes(buffer).first(cursor.key().size());
    std::ranges::copy(cursor.key(), visited.begin());
    const std::uint64_t changes_before = changes_;
    QUIETUS_TRY_AS(const bool more, visit(cursor.key(), cursor.value()));
    if (!more) return {};
    rc = changes_ == changes_before ? cursor.next() : cursor.seek_behind(visited);
  }
  if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) return lmdb_error(rc, "walking through rows");
  return {};
}

Result<void> LmdbRows::scan_all(MDB_dbi table, Visitor visit) {
  LookAhead ahead(transaction_, table, page_size_);
  return scan(table, {}, {}, [&](ByteView key, ByteView value) {
    ahead.step(value);
    return visit(key, value);
  });
}

Result<std::optional<ByteView>> LmdbRows::seek(MDB_dbi table, ByteView from) {
  Cursor cursor(transaction_, table);
  const int rc = cursor.seek(from);
  if (rc == MDB_NOTFOUND) return std::optional<ByteView>();
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "looking for a row");
  return std::optional<ByteView>(cursor.key());
}

Result<void> LmdbRows::put(MDB_dbi table, ByteView key, ByteView value) {
  if (failed_ != MDB_SUCCESS) return failure();
  if (!usable_key(key)) return change(0, MDB_BAD_VALSIZE);
  MDB_val name = to_value(key);
  MDB_val content = to_value(value);
  const int rc = mdb_put(transaction_, table, &name, &content, 0);
  return change(kPagesPerChange + value.size() / page_size_, rc);
}

Result<void> LmdbRows::remove(MDB_dbi table, ByteView key) {
  if (failed_ != MDB_SUCCESS) return failure();
  if (!usable_key(key)) return change(0, MDB_BAD_VALSIZE);
  MDB_val name = to_value(key);
  const int rc = mdb_del(transaction_, table, &name, nullptr);
  return change(kPagesPerChange, rc == MDB_NOTFOUND ? MDB_SUCCESS : rc);
}

Result<void> LmdbRows::change(std::uint64_t pages, int rc) {
  ++changes_;
  pages_ += pages;
  failed_ = rc;
  return failure();
}

Result<void> LmdbRows::failure() const {
  if (failed_ == MDB_SUCCESS) return {};
  return lmdb_error(failed_, "writing a row");
}

}  // namespace quietus
