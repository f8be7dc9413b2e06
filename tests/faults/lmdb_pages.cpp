#include "faults/lmdb_pages.hpp"

namespace quietus::test {
namespace {

constexpr std::uint64_t kLeaf = 0x02;
constexpr std::uint64_t kOverflow = 0x04;
constexpr std::uint64_t kValueElsewhere = 0x01;
constexpr std::size_t kRowHeaderSize = 8;

std::uint64_t little_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) value = value << 8 | bytes[i - 1];
  return value;
}

Bytes copy_of(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void LmdbPages::add(std::uint64_t offset, ByteView bytes) {
  if (offset % kPageSize != 0) return;  // a meta page
  while (bytes.size() >= kPageSize) {
    std::size_t size = kPageSize;
    const std::uint64_t flags = little_endian(bytes.subspan(10, 2));
    const bool is_page = little_endian(bytes.first(8)) == offset / kPageSize;
    if (is_page && flags == kLeaf) add_leaf(bytes.first(kPageSize));
    if (is_page && flags == kOverflow) {
      const std::uint64_t pages = little_endian(bytes.subspan(12, 4));
      if (pages == 0 || pages > bytes.size() / kPageSize) return;
      size = pages * kPageSize;
      const Bytes content = copy_of(bytes.subspan(kHeaderSize, size - kHeaderSize));
      if (pages == 1) single_pages_.insert(content);
      contents_[offset / kPageSize].insert(content);
    }
    bytes = bytes.subspan(size);
    offset += size;
  }
}

void LmdbPages::add_row(ByteView key, ByteView value) {
  rows_[copy_of(key)].insert(copy_of(value));
  single_pages_.insert(copy_of(value));
}

void LmdbPages::add_leaf(ByteView page) {
  const std::size_t lower = little_endian(page.subspan(12, 2));
  for (std::size_t at = kHeaderSize; at + 2 <= lower && lower <= kPageSize; at += 2) {
    const std::size_t row = little_endian(page.subspan(at, 2));
    if (row + kRowHeaderSize <= kPageSize) add_stored_row(page.subspan(row));
  }
}

void LmdbPages::add_stored_row(ByteView row) {
  const std::size_t size = little_endian(row.first(4));
  const std::uint64_t flags = little_endian(row.subspan(4, 2));
  const std::size_t key_size = little_endian(row.subspan(6, 2));
  row = row.subspan(kRowHeaderSize);
  if (key_size > row.size()) return;
  const Bytes key = copy_of(row.first(key_size));
  row = row.subspan(key_size);
  if (flags == kValueElsewhere && row.size() >= 8)
    outliers_.insert({key, little_endian(row.first(8)), size});
  if (flags == 0 && size <= row.size()) rows_[key].insert(copy_of(row.first(size)));
}

LmdbPages::Rows LmdbPages::rows() const {
  Rows all = rows_;
  for (const Outlier& outlier : outliers_) {
    const auto found = contents_.find(outlier.page);
    if (found == contents_.end()) continue;
    const std::size_t pages = (kHeaderSize + outlier.size + kPageSize - 1) / kPageSize;
    for (const Bytes& content : found->second)
      if (content.size() == pages * kPageSize - kHeaderSize)
        all[outlier.key].insert(copy_of(ByteView(content).first(outlier.size)));
  }
  return all;
}

}  // namespace quietus::test
