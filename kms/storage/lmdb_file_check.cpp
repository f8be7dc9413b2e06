#include "storage/lmdb_file_check.hpp"

#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>
#include <quietus/result.hpp>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

// LMDB 0.9's file format in the byte order and word size of the machine that wrote it; LMDB itself
// does not read another's. Offsets are those of a 64-bit machine.
static_assert(sizeof(std::size_t) == 8, "the LMDB format of 32-bit machines is not supported");
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kMetaEnd = kPageHeader + 136;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint64_t kMinPageSize = 512;
constexpr std::uint64_t kMaxPageSize = 32768;
constexpr unsigned kBranchPage = 1;
constexpr unsigned kLeafPage = 2;
constexpr unsigned kMetaPage = 8;
constexpr unsigned kMaxDepth = 32;

struct Root {
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t page = kNoPage;
};

struct Meta {
  std::uint64_t page_size = 0;
  std::array<Root, 2> roots;  // free list, table of tables
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
};

using MetaBytes = std::array<std::uint8_t, kMetaEnd>;

template <class T>
T field(const std::uint8_t* page, std::size_t offset) noexcept {
  T value;
  std::memcpy(&value, page + offset, sizeof value);
  return value;
}

Error corrupt(const char* what) {
  return Error(ErrorCode::kCorrupt, what);
}

Result<void> read_exactly(int descriptor, std::uint64_t offset, MutableBytes to) {
  for (std::size_t done = 0; done < to.size();) {
    const ssize_t n =
        pread(descriptor, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n == 0) return corrupt("truncated");
    if (n < 0 && errno != EINTR) return lmdb_error(errno, "reading the file");
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<Meta> parse_meta(const MetaBytes& page) {
  const auto* const at = page.data();
  if ((field<std::uint16_t>(at, 10) & kMetaPage) == 0) return corrupt("not an LMDB file");
  if (field<std::uint32_t>(at, kPageHeader) != kMagic) return corrupt("not an LMDB file");
  if (field<std::uint32_t>(at, kPageHeader + 4) != kVersion)
    return Error(ErrorCode::kUnsupported, "another LMDB format");
  Meta meta;
  meta.page_size = field<std::uint32_t>(at, kPageHeader + 24);
  for (std::size_t i = 0; i < meta.roots.size(); ++i) {
    const std::size_t root = kPageHeader + 24 + 48 * i;
    meta.roots[i].flags = field<std::uint16_t>(at, root + 4);
    meta.roots[i].depth = field<std::uint16_t>(at, root + 6);
    meta.roots[i].page = field<std::uint64_t>(at, root + 40);
  }
  meta.last_page = field<std::uint64_t>(at, kPageHeader + 120);
  meta.transaction = field<std::uint64_t>(at, kPageHeader + 128);
  if (!std::has_single_bit(meta.page_size) || meta.page_size < kMinPageSize ||
      meta.page_size > kMaxPageSize)
    return corrupt("damaged meta page: page size");
  if (meta.last_page < 1 || meta.last_page > (std::uint64_t{1} << 47) / meta.page_size)
    return corrupt("damaged meta page: last page");
  // The flags that LMDB keeps with the file are MDB_NOSUBDIR, and that of its free list.
  if ((meta.roots[0].flags & ~unsigned{MDB_NOSUBDIR}) != MDB_INTEGERKEY || meta.roots[1].flags != 0)
    return corrupt("damaged meta page: flags");
  return meta;
}

Result<void> check_root(int descriptor, const Meta& meta, const Root& root) {
  if (root.depth > kMaxDepth || (root.page == kNoPage) != (root.depth == 0))
    return corrupt("damaged meta page: depth");
  if (root.page == kNoPage) return {};
  if (root.page < 2 || root.page > meta.last_page) return corrupt("damaged meta page: root");
  std::array<std::uint8_t, kPageHeader> header{};
  QUIETUS_TRY(read_exactly(descriptor, root.page * meta.page_size, header));
  const unsigned expected = root.depth == 1 ? kLeafPage : kBranchPage;
  if (field<std::uint64_t>(header.data(), 0) != root.page ||
      field<std::uint16_t>(header.data(), 10) != expected)
    return corrupt("damaged root page");
  return {};
}

Result<Meta> newest_meta(int descriptor) {
  MetaBytes bytes{};
  QUIETUS_TRY(read_exactly(descriptor, 0, bytes));
  QUIETUS_TRY_AS(const Meta even, parse_meta(bytes));
  QUIETUS_TRY(read_exactly(descriptor, even.page_size, bytes));
  QUIETUS_TRY_AS(const Meta odd, parse_meta(bytes));
  if (even.page_size != odd.page_size) return corrupt("meta pages of two sizes");
  // Transaction n writes meta page n mod 2, so that the two always hold neighbouring numbers; only
  // in a file without any transaction both are 0.
  if (even.transaction == 0 && odd.transaction == 0) return even;
  const bool follows = even.transaction + 1 == odd.transaction;
  if (even.transaction % 2 != 0 || (!follows && odd.transaction + 1 != even.transaction))
    return corrupt("meta pages do not follow one another");
  return follows ? odd : even;
}

Result<LmdbFileShape> check_once(int descriptor) {
  QUIETUS_TRY_AS(const Meta meta, newest_meta(descriptor));
  for (const Root& root : meta.roots) QUIETUS_TRY(check_root(descriptor, meta, root));
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return lmdb_error(errno, "looking at the file");
  const std::uint64_t present = static_cast<std::uint64_t>(status.st_size) / meta.page_size;
  return LmdbFileShape{meta.page_size, meta.last_page + 1, present};
}

}  // namespace

Result<LmdbFileShape> check_lmdb_file(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return lmdb_error(errno, "looking at the file");
  if (!S_ISREG(status.st_mode)) return corrupt("not a regular file");
  // Another process may be committing, and the two meta pages are not read at one time; what is
  // damaged stays so.
  constexpr int kAttempts = 4;
  for (int attempt = 1;; ++attempt) {
    auto shape = check_once(descriptor);
    if (shape || shape.error().code() != ErrorCode::kCorrupt || attempt == kAttempts) return shape;
    std::this_thread::sleep_for(std::chrono::microseconds(250));
  }
}

}  // namespace quietus
