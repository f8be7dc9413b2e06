#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/failpoint.hpp"
#include "storage/stores.hpp"
#include "storage/system_faults.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

// A small file system of its own, where mounting is permitted.
class SmallDisk {
 public:
  SmallDisk() : mounted_(mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=8m") == 0) {
    if (!mounted_) WARN("skipped: mounting is not permitted");
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) umount(folder_.path().c_str());
  }
  explicit operator bool() const noexcept { return mounted_; }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

std::string key_of(int i) {
  return "key" + std::to_string(10000 + i);
}
std::string row_of(int i) {
  return std::string(16000, static_cast<char>('a' + i % 26));
}

// Puts rows until the store says that it is full; how many there are.
int fill(ControlStore& store, WriteClass write_class = WriteClass::kOrdinary, int from = 0) {
  for (int i = from;; ++i) {
    REQUIRE(i < 10000);
    const auto done = put(store, key_of(i), row_of(i), write_class);
    if (done) continue;
    CHECK_FAILS_WITH(done, ErrorCode::kFull);
    return i;
  }
}

void check_rows(ControlStore& store, int count) {
  const auto rows = all_rows(store);
  for (int i = 0; i < count; ++i) {
    const auto row = rows.find(key_of(i));
    REQUIRE(row != rows.end());
    REQUIRE(row->second == row_of(i));
  }
  CHECK(rows.find(key_of(count)) == rows.end());
}

struct FullControl {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "control.mdb";
  std::unique_ptr<ControlStore> store = must(open_lmdb_control(path, making()));

  FullControl() { must(put(*store, "a", "1")); }
  ~FullControl() { fail_no_calls(); }
  FullControl(const FullControl&) = delete;
  FullControl& operator=(const FullControl&) = delete;

  void reopen() {
    fail_no_calls();
    store.reset();
    store = must(open_lmdb_control(path, opening()));
  }
};

// So many pages that LMDB writes them in several calls.
Result<void> write_much(ControlStore& store) {
  return store.update(WriteClass::kOrdinary, [](ControlWriter& rows) -> Result<void> {
    for (int i = 0; i < 20; ++i) QUIETUS_TRY(rows.put(as_bytes(key_of(i)), as_bytes(row_of(i))));
    return rows.put(as_bytes("a"), as_bytes("2"));
  });
}

}  // namespace

TEST_CASE("a full map refuses ordinary writes in time for erasures") {
  const TemporaryFolder folder(TemporaryFolder::in_memory());
  const auto path = folder / "control.mdb";
  auto store = must(open_lmdb_control(path, making(4 * kMiB)));
  const int rows = fill(*store);
  CHECK(rows > 100);
  // What is kept is 256 pages, which is enough to rewrite a good part of what is there.
  for (int i = 0; i < 30; ++i)
    must(put(*store, "erasure" + std::to_string(i), row_of(0), WriteClass::kErasure));
  CHECK_FAILS_WITH(put(*store, "ordinary", "row"), ErrorCode::kFull);
  // Erasures too come to the end of it at some time, and then nothing is changed either.
  const int all = fill(*store, WriteClass::kErasure, rows);
  check_rows(*store, all);
  SECTION("space that is freed is used again") {
    must(store->update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
      for (int i = 0; i < all; ++i) QUIETUS_TRY(writer.remove(as_bytes(key_of(i))));
      return {};
    }));
    must(put(*store, "ordinary", "row"));
  }
  SECTION("a larger map helps") {
    store.reset();
    store = must(open_lmdb_control(path, opening(16 * kMiB)));
    check_rows(*store, all);
    must(put(*store, "ordinary", "row"));
  }
}

TEST_CASE("one large transaction is refused rather than given the reserve of the map") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_control(folder / "control.mdb", making(4 * kMiB)));
  const auto large = [](ControlWriter& rows) -> Result<void> {
    for (int i = 0; i < 230; ++i) QUIETUS_TRY(rows.put(as_bytes(key_of(i)), as_bytes(row_of(i))));
    return {};
  };
  CHECK_FAILS_WITH(store->update(WriteClass::kOrdinary, large), ErrorCode::kFull);
  CHECK(all_rows(*store).empty());
  must(store->update(WriteClass::kErasure, large));
  check_rows(*store, 230);
}

TEST_CASE("a full disk refuses ordinary writes in time for erasures") {
  const SmallDisk disk;
  if (!disk) return;
  const auto path = disk / "control.mdb";
  int rows = 0;
  {
    const auto store = must(open_lmdb_control(path, making()));
    rows = fill(*store);
    CHECK(rows > 300);
    CHECK(store->keeps_reserve());
    check_rows(*store, rows);
    // 1 MiB is kept: 60 rows of 16,000 bytes take most of it.
    for (int i = 0; i < 50; ++i)
      must(put(*store, "erasure" + std::to_string(i), row_of(0), WriteClass::kErasure));
    CHECK_FAILS_WITH(put(*store, "ordinary", "row"), ErrorCode::kFull);
  }
  const auto store = must(open_lmdb_control(path, opening()));
  check_rows(*store, rows);
  const int all = fill(*store, WriteClass::kErasure, rows);
  check_rows(*store, all);
}

TEST_CASE("the reserve on disk outlives the process that made it") {
  const SmallDisk disk;
  if (!disk) return;
  const auto path = disk / "control.mdb";
  { must(put(*must(open_lmdb_control(path, making())), "a", "1")); }
  // Somebody else fills the disk.
  std::ofstream other(disk / "other", std::ios::binary);
  const std::string block(4096, 'x');
  while (other.write(block.data(), 4096).flush()) {
  }
  const auto store = must(open_lmdb_control(path, opening()));
  for (int i = 0; i < 50; ++i)
    must(put(*store, "erasure" + std::to_string(i), row_of(0), WriteClass::kErasure));
}

TEST_CASE("a record store on a full disk keeps what it has and goes on when there is room") {
  const SmallDisk disk;
  if (!disk) return;
  set_content(disk / "ballast", Bytes(kMiB));
  const auto store = must(open_lmdb_records(disk / "records.mdb", making()));
  int rows = 0;
  const auto put_next = [&](std::size_t size) {
    REQUIRE(rows < 100000);
    const auto done = put(*store, record_key(1, std::to_string(rows)), std::string(size, 'x'));
    if (done) return ++rows > 0;
    CHECK_FAILS_WITH(done, ErrorCode::kFull);
    return false;
  };
  // Large and small ones: a large one is cut short in the midst of being written.
  for (const std::size_t size : {std::size_t{300000}, std::size_t{100}})
    while (put_next(size)) {
    }
  std::filesystem::remove(disk / "ballast");
  CHECK(put_next(300000));
  int found = 0;
  must(store->read([&](RecordReader& reader) {
    return reader.scan(record_key(1, ""), [&](ByteView, ByteView value) -> Result<bool> {
      found += value[0] == 'x' && value.back() == 'x' ? 1 : 0;
      return true;
    });
  }));
  CHECK(found == rows);
}

TEST_CASE("a record store with a full map says so to each who asked for too much") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_records(folder / "records.mdb", making(2 * kMiB)));
  std::vector<std::thread> threads;
  std::atomic<int> full{0};
  std::atomic<int> done{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const std::size_t size = i % 2 == 0 ? 3 * kMiB : 1000;
      const auto result = put(*store, record_key(1, std::to_string(i)), std::string(size, 'x'));
      if (result) ++done;
      if (!result && result.error().code() == ErrorCode::kFull) ++full;
    });
  for (auto& thread : threads) thread.join();
  CHECK(done == 4);
  CHECK(full == 4);
}

TEST_CASE("a writer that overlooks a full map is told all the same") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_records(folder / "records.mdb", making(2 * kMiB)));
  const auto careless = [](RecordWriter& rows) -> Result<void> {
    static_cast<void>(rows.put(record_key(1, "k"), as_bytes(std::string(3 * kMiB, 'x'))));
    return {};
  };
  CHECK_FAILS_WITH(store->update(careless), ErrorCode::kFull);
  CHECK(value_of(*store, record_key(1, "k")) == std::nullopt);
  must(put(*store, record_key(1, "k"), "v"));
}

TEST_CASE("a store that could not be made leaves nothing behind") {
  TemporaryFolder folder;
  fail_call(SystemCall::kDataSync, 1, EIO);
  CHECK_FAILS_WITH(open_lmdb_control(folder / "control.mdb", making()), ErrorCode::kUnavailable);
  CHECK(std::filesystem::is_empty(folder.path()));
  must(open_lmdb_control(folder / "control.mdb", making()));
}

TEST_CASE("a commit that ran out of space before the meta page has changed nothing") {
  FullControl open;
  const int error = GENERATE(ENOSPC, EDQUOT);
  const SystemCall call = GENERATE(SystemCall::kPageWrite, SystemCall::kDataSync);
  fail_call(call, 1, error);
  CHECK_FAILS_WITH(write_much(*open.store), ErrorCode::kFull);
  CHECK(all_rows(*open.store).size() == 1);
  CHECK(value_of(*open.store, "a") == "1");
  must(write_much(*open.store));
  open.reopen();
  CHECK(value_of(*open.store, "a") == "2");
}

TEST_CASE("after a failed sync or a failed meta page the outcome is unknown and the store closed") {
  FullControl open;
  const auto [call, error] = GENERATE(table<SystemCall, int>({
      {SystemCall::kPageWrite, EIO},
      {SystemCall::kPageWrite, kShortWrite},
      {SystemCall::kDataSync, EIO},
      {SystemCall::kMetaWrite, EIO},
      {SystemCall::kMetaWrite, ENOSPC},
      {SystemCall::kMetaWrite, kShortWrite},
  }));
  fail_call(call, 1, error);
  CHECK_FAILS_WITH(write_much(*open.store), ErrorCode::kUnavailable);
  fail_no_calls();
  CHECK_FAILS_WITH(put(*open.store, "b", "1"), ErrorCode::kUnavailable);
  CHECK_FAILS_WITH(open.store->read([](ControlReader&) -> Result<void> { return {}; }),
                   ErrorCode::kUnavailable);
  open.reopen();
  CHECK(value_of(*open.store, "a") == "1");
  must(write_much(*open.store));
  CHECK(value_of(*open.store, "a") == "2");
}

TEST_CASE("a whole group of record writers learns that the outcome is unknown") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_records(folder / "records.mdb", making()));
  fail_call(SystemCall::kDataSync, 1, EIO);
  std::atomic<int> unavailable{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const auto result = put(*store, record_key(1, std::to_string(i)), "v");
      if (!result && result.error().code() == ErrorCode::kUnavailable) ++unavailable;
    });
  for (auto& thread : threads) thread.join();
  fail_no_calls();
  CHECK(unavailable == 8);
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("a failure planned before the commit changes nothing") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_control(folder / "control.mdb", making()));
  must(put(*store, "a", "1"));
  failpoint::install([](std::string_view name) -> Result<void> {
    if (name == "store/before-commit") return Error(ErrorCode::kIo, "planned");
    return {};
  });
  const auto failed = put(*store, "a", "2");
  failpoint::install({});
  CHECK_FAILS_WITH(failed, ErrorCode::kIo);
  CHECK(value_of(*store, "a") == "1");
  must(put(*store, "a", "3"));
}
#endif
