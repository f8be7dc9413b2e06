// The rows of LMDB files, taken from single pages without asking LMDB: from every page ever
// written, whether a commit reached it or not. LMDB 0.9, 64 bits, 4 KiB pages.
//
//   page   number u64 || pad u16 || flags u16 || lower u16, upper u16 (or pages u32), little-endian
//   leaf   after these 16 bytes (lower - 16) / 2 positions u16 of rows
//   row    size u32 || flags u16 || key size u16 || key || value, or the number of its first page
#pragma once

#include <quietus/result.hpp>

#include <map>
#include <set>

namespace quietus::test {

class LmdbPages {
 public:
  static constexpr std::size_t kPageSize = 4096;
  static constexpr std::size_t kHeaderSize = 16;

  // Bytes that were written to, or read from, a file at this offset.
  void add(std::uint64_t offset, ByteView bytes);
  // A row that lay elsewhere, in a backup.
  void add_row(ByteView key, ByteView value);

  // Every value that a key ever had; of values in pages of their own, whatever these pages ever
  // held.
  using Rows = std::map<Bytes, std::set<Bytes>>;
  Rows rows() const;

  // Contents of pages that held one value each, without their headers, and values of rows that were
  // added so.
  const std::set<Bytes>& single_pages() const noexcept { return single_pages_; }

 private:
  struct Outlier {  // a value in pages of its own
    Bytes key;
    std::uint64_t page;
    std::size_t size;
    friend auto operator<=>(const Outlier&,
                            const Outlier&) = default;  // NOLINT(modernize-use-nullptr)
  };
  void add_leaf(ByteView page);
  void add_stored_row(ByteView row);

  Rows rows_;
  std::set<Outlier> outliers_;
  std::map<std::uint64_t, std::set<Bytes>> contents_;  // by number of the first page
  std::set<Bytes> single_pages_;
};

}  // namespace quietus::test
