#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "storage/stores.hpp"
#include "storage/system_faults.hpp"
#include "support/child_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

bool killed(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

// A child that keeps a read transaction of the store open until it is ended.
class ReadingChild {
 public:
  explicit ReadingChild(const std::filesystem::path& path) {
    std::array<int, 2> ready{};
    REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
    child_ = fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) read_for_ever(path, ready[1]);
    char byte = 0;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
  }
  ReadingChild(const ReadingChild&) = delete;
  ReadingChild& operator=(const ReadingChild&) = delete;
  ~ReadingChild() { end(); }
  pid_t process() const noexcept { return child_; }

  void end() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
  }

 private:
  [[noreturn]] static void read_for_ever(const std::filesystem::path& path, int ready) {
    const auto store = open_lmdb_records(path, opening(4 * kMiB));
    if (store)
      static_cast<void>((*store)->read([&](RecordReader& rows) -> Result<void> {
        QUIETUS_TRY(rows.get(record_key(1, "0")));
        if (write(ready, "r", 1) != 1) _exit(1);
        for (;;) pause();
      }));
    _exit(1);
  }

  pid_t child_ = -1;
};

// Rewrites the same rows: many times the map's size in all, a small part of it at any time.
Result<void> churn(RecordStore& store, int rounds = 100) {
  for (int round = 0; round < rounds; ++round)
    QUIETUS_TRY(store.update([&](RecordWriter& rows) -> Result<void> {
      for (int i = 0; i < 10; ++i) {
        const std::string key = std::to_string(i);
        QUIETUS_TRY(rows.put(record_key(1, key), as_bytes(std::string(20000, 'x'))));
      }
      return {};
    }));
  return {};
}

}  // namespace

TEST_CASE("in the child of a fork an open store is unavailable, and can be opened anew") {
  TemporaryFolder folder;
  const auto control_path = folder / "control.mdb";
  const auto records_path = folder / "records.mdb";
  auto control = must(open_lmdb_control(control_path, making()));
  auto records = must(open_lmdb_records(records_path, making()));
  must(put(*control, "a", "1"));
  must(put(*records, record_key(1, "a"), "1"));
  CHECK(true_in_child([&] {
    const auto is_refused = [](const Result<void>& result) {
      return !result && result.error().code() == ErrorCode::kUnavailable;
    };
    bool good = is_refused(control->read([](ControlReader&) -> Result<void> { return {}; })) &&
                is_refused(put(*control, "a", "2")) &&
                is_refused(records->read([](RecordReader&) -> Result<void> { return {}; })) &&
                is_refused(put(*records, record_key(1, "a"), "2"));
    // Before and after the inherited ones are dropped.
    for (int round = 0; round < 2; ++round) {
      const auto again = open_lmdb_control(control_path, opening());
      good = good && again.ok() && put(**again, "child", std::to_string(round)).ok();
      control.reset();
      records.reset();
    }
    return good;
  }));
  // The parent goes on undisturbed, its locks included.
  CHECK(value_of(*control, "child") == "1");
  must(put(*control, "a", "3"));
  must(put(*records, record_key(1, "a"), "3"));
  CHECK(value_of(*control, "a") == "3");
  CHECK(true_in_child([&] {
    const auto again = open_lmdb_control(control_path, opening());
    return again.ok() && value_of(**again, "a") == "3";
  }));
}

TEST_CASE("a fork inside a transaction leaves it to the parent") {
  TemporaryFolder folder;
  const auto store = must(open_lmdb_control(folder / "control.mdb", making()));
  must(put(*store, "a", "1"));
  pid_t child = -1;
  const auto outcome = store->update(WriteClass::kOrdinary, [&](ControlWriter& rows) {
    child = fork();
    return rows.put(as_bytes("a"), as_bytes(child == 0 ? "child" : "parent"));
  });
  if (child == 0) _exit(!outcome && outcome.error().code() == ErrorCode::kUnavailable ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  must(outcome);
  must(store->read([&](ControlReader&) -> Result<void> {
    child = fork();
    return {};
  }));
  if (child == 0) _exit(0);
  REQUIRE(waitpid(child, &status, 0) == child);
  must(put(*store, "b", "1"));
  CHECK(value_of(*store, "a") == "parent");
}

TEST_CASE("a fork leaves the snapshots of the parent as they are") {
  TemporaryFolder folder;
  auto store = must(open_lmdb_records(folder / "records.mdb", making(16 * kMiB)));
  const std::string before(20000, 'b');
  must(put(*store, record_key(1, "0"), before));
  std::atomic<int> step{0};
  pid_t inner = -1;
  bool kept = false;
  std::thread reader([&] {
    static_cast<void>(store->read([&](RecordReader& rows) -> Result<void> {
      QUIETUS_TRY_AS(const auto value, rows.get(record_key(1, "0")));
      inner = fork();
      if (inner == 0) return {};
      step = 1;
      while (step != 2) std::this_thread::yield();
      kept = value && text_of(*value) == before;
      return {};
    }));
    if (inner == 0) _exit(0);  // it has left the transaction as any caller would
  });
  while (step != 1) std::this_thread::yield();
  int status = -1;
  REQUIRE(waitpid(inner, &status, 0) == inner);
  CHECK(true_in_child([&] {
    store.reset();
    return true;
  }));
  must(churn(*store, 10));
  step = 2;
  reader.join();
  CHECK(kept);
}

TEST_CASE("a writer killed anywhere in its commit leaves the old state or the new one") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  {
    const auto store = must(open_lmdb_control(path, making()));
    for (int i = 0; i < 100; ++i) must(put(*store, "k" + std::to_string(i), "old"));
  }
  for (const SystemCall call :
       {SystemCall::kPageWrite, SystemCall::kDataSync, SystemCall::kMetaWrite}) {
    const int status = status_of_child([&] {
      const auto store = open_lmdb_control(path, opening());
      fail_call(call, 1, kKill);
      return (*store)
          ->update(WriteClass::kOrdinary,
                   [](ControlWriter& rows) -> Result<void> {
                     for (int i = 0; i < 100; ++i) {
                       const std::string key = "k" + std::to_string(i);
                       QUIETUS_TRY(rows.put(as_bytes(key), as_bytes("new")));
                     }
                     return {};
                   })
          .ok();
    });
    INFO("call " << static_cast<int>(call));
    CHECK(killed(status));
    const auto store = must(open_lmdb_control(path, opening()));
    const auto rows = all_rows(*store);
    CHECK(rows.size() == 100);
    for (const auto& row : rows) CHECK(row.second == "old");
    must(put(*store, "k0", "old"));
  }
}

TEST_CASE("a writer killed in its transaction blocks nobody who waits") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  const auto store = must(open_lmdb_control(path, making()));
  must(put(*store, "a", "1"));
  const int status = status_of_child([&] {
    const auto own = open_lmdb_control(path, opening());
    return (*own)
        ->update(WriteClass::kOrdinary,
                 [](ControlWriter& rows) -> Result<void> {
                   QUIETUS_TRY(rows.put(as_bytes("a"), as_bytes("2")));
                   kill(getpid(), SIGKILL);
                   return {};
                 })
        .ok();
  });
  CHECK(killed(status));
  CHECK(value_of(*store, "a") == "1");
  must(put(*store, "a", "3"));
  CHECK(value_of(*store, "a") == "3");
}

TEST_CASE("a store killed while it is made can be told from one") {
  for (const SystemCall call :
       {SystemCall::kPageWrite, SystemCall::kDataSync, SystemCall::kMetaWrite}) {
    TemporaryFolder folder;
    const auto path = folder / "control.mdb";
    const int status = status_of_child([&] {
      fail_call(call, 1, kKill);
      return open_lmdb_control(path, making()).ok();
    });
    CHECK(killed(status));
    CHECK_FAILS_WITH(open_lmdb_control(path, opening()), ErrorCode::kCorrupt);
  }
}

TEST_CASE("the reader that a dead process left behind does not fill the map") {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  { must(open_lmdb_records(path, making(4 * kMiB))); }
  const auto store = must(open_lmdb_records(path, opening(4 * kMiB)));
  must(put(*store, record_key(1, "0"), "v"));
  ReadingChild child(path);
  // While it lives, its snapshot is kept, and that takes up the map.
  CHECK_FAILS_WITH(churn(*store), ErrorCode::kFull);
  child.end();
  must(churn(*store));
}

TEST_CASE("it is told who reads the oldest snapshot, and what ended processes left") {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  { must(open_lmdb_records(path, making(64 * kMiB))); }
  const auto store = must(open_lmdb_records(path, opening(64 * kMiB)));
  must(put(*store, record_key(1, "0"), "v"));
  const StoreReaders alone = must(store->readers());
  CHECK(alone.places > 100);
  CHECK(alone.cleared == 0);
  CHECK(alone.oldest_age == 0);
  ReadingChild child(path);
  must(churn(*store, 7));
  const StoreReaders two = must(store->readers());
  CHECK(two.taken == alone.taken + 1);
  CHECK(two.oldest_age == 7);
  CHECK(two.oldest_process == child.process());
  child.end();
  const StoreReaders after = must(store->readers());
  CHECK(after.cleared == 1);
  CHECK(after.taken == alone.taken);
  CHECK(after.oldest_age == 0);
}

TEST_CASE("a map that another process made larger is taken over") {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  { must(open_lmdb_records(path, making(2 * kMiB))); }
  const auto store = must(open_lmdb_records(path, opening(2 * kMiB)));
  must(put(*store, record_key(1, "k"), "v"));
  const auto grow = [&](int from) {
    return true_in_child([&] {
      const auto own = open_lmdb_records(path, opening(64 * kMiB));
      bool good = own.ok();
      for (int i = from; good && i < from + 5; ++i)
        good = put(**own, record_key(2, std::to_string(i)), std::string(kMiB, 'x')).ok();
      return good;
    });
  };
  SECTION("by a reader") {
    REQUIRE(grow(0));
    CHECK(value_of(*store, record_key(2, "4")) == std::string(kMiB, 'x'));
  }
  SECTION("by a writer") {
    REQUIRE(grow(0));
    must(put(*store, record_key(1, "k"), "w"));
    CHECK(value_of(*store, record_key(1, "k")) == "w");
  }
  SECTION("by many at once, in the midst of reading") {
    std::atomic<bool> done{false};
    std::atomic<int> failures{0};
    std::atomic<int> reads{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i)
      readers.emplace_back([&] {
        while (!done) {
          const auto read = store->read([&](RecordReader& rows) -> Result<void> {
            QUIETUS_TRY_AS(const auto value, rows.get(record_key(1, "k")));
            if (!value || text_of(*value) != "v") ++failures;
            return {};
          });
          if (!read) ++failures;
          ++reads;
        }
      });
    const bool grown = grow(0);
    const int before = reads;
    while (reads < before + 100) std::this_thread::yield();
    done = true;
    for (auto& reader : readers) reader.join();
    CHECK(grown);
    CHECK(failures == 0);
  }
}

TEST_CASE("writers of several processes lose nothing of one another's") {
  constexpr int kProcesses = 3;
  constexpr int kCounts = 20;
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  { must(put(*must(open_lmdb_control(path, making())), "n", "0")); }
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto own = open_lmdb_control(path, opening());
      bool good = own.ok();
      for (int k = 0; good && k < kCounts; ++k)
        good = (*own)
                   ->update(WriteClass::kOrdinary,
                            [](ControlWriter& rows) -> Result<void> {
                              QUIETUS_TRY_AS(const auto value, rows.get(as_bytes("n")));
                              const int next = std::stoi(text_of(*value)) + 1;
                              return rows.put(as_bytes("n"), as_bytes(std::to_string(next)));
                            })
                   .ok();
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(value_of(*must(open_lmdb_control(path, opening())), "n") ==
        std::to_string(kProcesses * kCounts));
}
