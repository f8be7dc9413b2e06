#include <fcntl.h>
#include <lmdb.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/byte_writer.hpp"
#include "storage/stores.hpp"
#include "support/child_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::size_t kPage = 4096;

// A store with a few hundred rows, closed.
struct ClosedControl {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "control.mdb";
  std::map<std::string, std::string> rows;

  ClosedControl() {
    const auto store = must(open_lmdb_control(path, making()));
    for (int round = 0; round < 3; ++round)
      must(store->update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
        for (int i = 0; i < 300; ++i) {
          const std::string key = "key" + std::to_string(i);
          rows[key] = std::string(50, static_cast<char>('a' + round));
          QUIETUS_TRY(writer.put(as_bytes(key), as_bytes(rows[key])));
        }
        return {};
      }));
  }
};

// Writes into the table and row that name the format, past our own code.
void set_format_row(const std::filesystem::path& path, const Bytes& value) {
  MDB_env* environment = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi table = 0;
  REQUIRE(mdb_env_create(&environment) == 0);
  REQUIRE(mdb_env_set_maxdbs(environment, 8) == 0);
  REQUIRE(mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR, 0600) == 0);
  REQUIRE(mdb_txn_begin(environment, nullptr, 0, &transaction) == 0);
  REQUIRE(mdb_dbi_open(transaction, "quietus", MDB_CREATE, &table) == 0);
  MDB_val key{6, const_cast<char*>("format")};
  MDB_val row{value.size(), const_cast<std::uint8_t*>(value.data())};
  REQUIRE(mdb_put(transaction, table, &key, &row, 0) == 0);
  REQUIRE(mdb_txn_commit(transaction) == 0);
  mdb_env_close(environment);
}

// A sound file that ends before its last page: two pages were taken and freed by one transaction.
void make_short_tail(const std::filesystem::path& path) {
  const auto store = must(open_lmdb_records(path, making()));
  for (int i = 0; i < 5; ++i) must(put(*store, record_key(1, "k"), "v" + std::to_string(i)));
  must(store->update([](RecordWriter& rows) -> Result<void> {
    QUIETUS_TRY(rows.put(record_key(1, "large"), as_bytes(std::string(90000, 'x'))));
    return rows.remove(record_key(1, "large"));
  }));
}

std::uint64_t pages_named(const std::filesystem::path& path) {
  const Bytes file = content_of(path);
  std::uint64_t last = 0;
  const bool odd = transactions_of(path) % 2 == 1;
  std::memcpy(&last, file.data() + (odd ? kPage : 0) + 136, sizeof last);
  return last + 1;
}

}  // namespace

TEST_CASE("a store is made once, and found only where it is") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  CHECK_FAILS_WITH(open_lmdb_control(path, opening()), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(open_lmdb_control(folder / "none/control.mdb", making()), ErrorCode::kNotFound);
  must(open_lmdb_control(path, making()));
  CHECK_FAILS_WITH(open_lmdb_control(path, making()), ErrorCode::kAlreadyExists);
  must(open_lmdb_control(path, opening()));
  LmdbOptions contradiction = reading_only();
  contradiction.create = true;
  CHECK_FAILS_WITH(open_lmdb_control(path, contradiction), ErrorCode::kInvalidArgument);
}

TEST_CASE("the files of a store are for their owner only, and not for programs that are started") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  const auto store = must(open_lmdb_control(path, making()));
  for (const auto& file : {path, folder / "control.mdb-lock"}) {
    struct stat status {};
    REQUIRE(stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target.string().rfind(path.string(), 0) != 0) continue;
    ++found;
    INFO(target.string());
    CHECK((fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(found == 3);  // data, data for the meta pages, lock
}

TEST_CASE("one process opens a file once, by whatever name") {
  ClosedControl closed;
  auto store = must(open_lmdb_control(closed.path, opening()));
  std::filesystem::create_hard_link(closed.path, closed.folder / "link.mdb");
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kBusy);
  CHECK_FAILS_WITH(open_lmdb_control(closed.folder / "link.mdb", opening()), ErrorCode::kBusy);
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, reading_only()), ErrorCode::kBusy);
  must(put(*store, "a", "1"));
  store.reset();
  store = must(open_lmdb_control(closed.path, opening()));
  CHECK(value_of(*store, "a") == "1");
}

TEST_CASE("a symbolic link is not followed") {
  ClosedControl closed;
  std::filesystem::create_symlink(closed.path, closed.folder / "link.mdb");
  CHECK_FAILS_WITH(open_lmdb_control(closed.folder / "link.mdb", opening()), ErrorCode::kIo);
}

TEST_CASE("a store of the other kind, or of nobody, is refused") {
  ClosedControl closed;
  CHECK_FAILS_WITH(open_lmdb_records(closed.path, opening()), ErrorCode::kCorrupt);
  const auto foreign = closed.folder / "foreign.mdb";
  MDB_env* environment = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi table = 0;
  REQUIRE(mdb_env_create(&environment) == 0);
  REQUIRE(mdb_env_open(environment, foreign.c_str(), MDB_NOSUBDIR, 0600) == 0);
  CHECK_FAILS_WITH(open_lmdb_control(foreign, opening()), ErrorCode::kCorrupt);  // no row yet
  REQUIRE(mdb_txn_begin(environment, nullptr, 0, &transaction) == 0);
  REQUIRE(mdb_dbi_open(transaction, nullptr, 0, &table) == 0);
  MDB_val key{1, const_cast<char*>("k")};
  REQUIRE(mdb_put(transaction, table, &key, &key, 0) == 0);
  REQUIRE(mdb_txn_commit(transaction) == 0);
  mdb_env_close(environment);
  CHECK_FAILS_WITH(open_lmdb_control(foreign, opening()), ErrorCode::kCorrupt);
}

TEST_CASE("a newer format is not supported, and a damaged format row is corrupt") {
  ClosedControl closed;
  set_format_row(closed.path, ByteWriter().u16(2).u8(0).take());
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kUnsupported);
  set_format_row(closed.path, ByteWriter().u16(2).raw(as_bytes("anything at all")).take());
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kUnsupported);
  for (const Bytes& row : {Bytes{}, Bytes{0}, ByteWriter().u16(0).u8(0).take(),
                           ByteWriter().u16(1).u8(9).take(), ByteWriter().u16(1).u16(0).take()}) {
    set_format_row(closed.path, row);
    CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kCorrupt);
  }
  set_format_row(closed.path, ByteWriter().u16(1).u8(0).raw(VaultId{}).take());
  CHECK(all_rows(*must(open_lmdb_control(closed.path, opening()))) == closed.rows);
}

TEST_CASE("another LMDB format is not supported") {
  ClosedControl closed;
  Bytes file = content_of(closed.path);
  file[20] = file[kPage + 20] = 2;
  set_content(closed.path, file);
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kUnsupported);
}

TEST_CASE("a truncated store is corrupt, at whatever length") {
  ClosedControl closed;
  const Bytes file = content_of(closed.path);
  REQUIRE(file.size() > 12 * kPage);
  for (std::size_t pages = 0; pages * kPage < file.size(); ++pages)
    for (const std::size_t more : {std::size_t{0}, std::size_t{1}, kPage / 2, kPage - 1}) {
      const std::size_t length = pages * kPage + more;
      if (length >= file.size()) continue;
      set_content(closed.path, Bytes(file.begin(), file.begin() + static_cast<long>(length)));
      INFO("length " << length);
      REQUIRE(true_in_child([&] {
        const auto opened = open_lmdb_control(closed.path, opening());
        return !opened.ok() && opened.error().code() == ErrorCode::kCorrupt;
      }));
      CHECK(std::filesystem::file_size(closed.path) == length);
    }
  set_content(closed.path, file);
  CHECK(all_rows(*must(open_lmdb_control(closed.path, opening()))) == closed.rows);
}

TEST_CASE("a file of random bytes is corrupt") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  std::mt19937 random(1);  // NOLINT: the same bytes each time
  for (const std::size_t size : {std::size_t{1}, kPage, 3 * kPage, 20 * kPage + 7}) {
    Bytes noise(size);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    set_content(path, noise);
    CHECK_FAILS_WITH(open_lmdb_control(path, opening()), ErrorCode::kCorrupt);
  }
  REQUIRE(mkfifo((folder / "pipe.mdb").c_str(), 0600) == 0);
  CHECK_FAILS_WITH(open_lmdb_control(folder / "pipe.mdb", opening()), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_lmdb_control(folder.path(), opening()), ErrorCode::kCorrupt);
}

// Opens, walks and writes; what matters is that the process survives. True when it is refused, or
// holds either of the last two states.
bool survives(const std::filesystem::path& path) {
  const auto opened = open_lmdb_control(path, opening());
  if (!opened) return true;
  std::size_t rows = 0;
  const auto walked = (*opened)->read([&](ControlReader& reader) {
    return reader.scan({}, {}, [&](ByteView, ByteView) -> Result<bool> { return ++rows > 0; });
  });
  if (walked && rows != 300) return false;
  static_cast<void>(put(**opened, "one more", "row"));
  return true;
}

TEST_CASE("no flipped bit in a meta page ends the process or loses rows unnoticed") {
  ClosedControl closed;
  const Bytes file = content_of(closed.path);
  const TemporaryFolder memory(TemporaryFolder::in_memory());
  const auto damaged = memory / "damaged.mdb";
  constexpr std::size_t kMetaBits = 1216;  // of the 152 bytes that LMDB reads
  // The child tells by its exit status whether it came through; one child per page.
  for (std::size_t bit = 0; bit < 2 * kMetaBits;) {
    // Each child does as many as it can; when one dies, its bit is the failure.
    const std::size_t end = std::min(bit + 128, 2 * kMetaBits);
    const bool through = true_in_child([&] {
      for (std::size_t i = bit; i < end; ++i) {
        Bytes flipped = file;
        flipped[(i / kMetaBits) * kPage + i % kMetaBits / 8] ^=
            static_cast<std::uint8_t>(1U << (i % 8));
        set_content(damaged, flipped);
        if (!survives(damaged)) return false;
      }
      return true;
    });
    INFO("bits from " << bit);
    CHECK(through);
    bit = end;
  }
}

TEST_CASE("meta pages that contradict one another or the file are corrupt") {
  ClosedControl closed;
  const Bytes file = content_of(closed.path);
  const auto opens_with = [&](std::size_t offset, std::uint64_t number) {
    Bytes changed = file;
    for (const std::size_t page : {std::size_t{0}, kPage})
      std::memcpy(changed.data() + page + offset, &number, sizeof number);
    set_content(closed.path, changed);
    return open_lmdb_control(closed.path, opening());
  };
  constexpr std::size_t kLastPage = 136;
  constexpr std::size_t kTransaction = 144;
  for (const std::uint64_t last : {std::uint64_t{0}, std::uint64_t{1} << 52, ~std::uint64_t{0}})
    CHECK_FAILS_WITH(opens_with(kLastPage, last), ErrorCode::kCorrupt);
  for (const std::uint64_t both : {2, 3})
    CHECK_FAILS_WITH(opens_with(kTransaction, both), ErrorCode::kCorrupt);
  // Each the other's: the parity is wrong.
  Bytes swapped = file;
  std::swap_ranges(swapped.begin() + kTransaction, swapped.begin() + kTransaction + 8,
                   swapped.begin() + kPage + kTransaction);
  set_content(closed.path, swapped);
  CHECK_FAILS_WITH(open_lmdb_control(closed.path, opening()), ErrorCode::kCorrupt);
}

TEST_CASE("a sound store that ends before its last page opens") {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  make_short_tail(path);
  // The store lengthens the file after each commit; a process killed in between does not.
  const std::uint64_t full = pages_named(path) * kPage;
  CHECK(std::filesystem::file_size(path) == full);
  std::filesystem::resize_file(path, full - 20 * kPage);
  {
    const auto store = must(open_lmdb_records(path, opening()));
    CHECK(std::filesystem::file_size(path) == full);
    CHECK(value_of(*store, record_key(1, "k")) == "v4");
    must(put(*store, record_key(1, "large"), std::string(90000, 'y')));
    CHECK(value_of(*store, record_key(1, "large")) == std::string(90000, 'y'));
  }
  must(open_lmdb_records(path, opening()));
}

TEST_CASE("a short file does not pass for one when pages in use are missing too") {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  make_short_tail(path);
  const std::uint64_t full = pages_named(path) * kPage;
  for (const std::uint64_t missing : {23, 24, 26, 28}) {
    std::filesystem::resize_file(path, full - missing * kPage);
    const bool refused = true_in_child([&] {
      const auto opened = open_lmdb_records(path, opening());
      return !opened.ok() && opened.error().code() == ErrorCode::kCorrupt;
    });
    INFO(missing << " pages missing");
    CHECK(refused);
  }
}

TEST_CASE("a store opened for reading only reads and does not write") {
  ClosedControl closed;
  const auto store = must(open_lmdb_control(closed.path, reading_only()));
  CHECK(all_rows(*store) == closed.rows);
  CHECK_FAILS_WITH(put(*store, "a", "1"), ErrorCode::kIo);
}

TEST_CASE("a store on a file system that is mounted read-only can be read") {
  TemporaryFolder folder;
  const char* const place = folder.path().c_str();
  if (mount("tmpfs", place, "tmpfs", 0, "size=8m") != 0) {
    WARN("skipped: mounting is not permitted");
    return;
  }
  const auto path = folder / "control.mdb";
  {
    const auto store = must(open_lmdb_control(path, making()));
    must(put(*store, "a", "1"));
  }
  std::filesystem::remove(folder / "control.mdb-lock");
  REQUIRE(mount("tmpfs", place, "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0);
  CHECK_FAILS_WITH(open_lmdb_control(path, opening()), ErrorCode::kIo);
  CHECK_FAILS_WITH(open_lmdb_control(folder / "new.mdb", making()), ErrorCode::kIo);
  {
    const auto store = must(open_lmdb_control(path, reading_only()));
    CHECK(value_of(*store, "a") == "1");
  }
  CHECK(umount(place) == 0);
}

TEST_CASE("the store of another vault is refused") {
  const TemporaryFolder folder;
  LmdbOptions options = making();
  options.vault[0] = 1;
  must(open_lmdb_control(folder / "control.mdb", options));
  must(open_lmdb_records(folder / "records.mdb", options));
  options.create = false;
  CHECK(open_lmdb_control(folder / "control.mdb", options).ok());
  options.vault[0] = 2;
  CHECK_FAILS_WITH(open_lmdb_control(folder / "control.mdb", options), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_lmdb_records(folder / "records.mdb", options), ErrorCode::kCorrupt);
}
