#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "storage/stores.hpp"
#include "storage/system_faults.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr ScopeId kLastScope = std::numeric_limits<ScopeId>::max();

struct OpenRecords {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "records.mdb";
  std::unique_ptr<RecordStore> store = must(open_lmdb_records(path, making()));
};

std::vector<ScopeId> scopes_in(RecordStore& store, RecordTable table) {
  std::vector<ScopeId> scopes;
  must(store.scopes(table, [&](ScopeId scope) -> Result<bool> {
    scopes.push_back(scope);
    return true;
  }));
  return scopes;
}

// Holds the lead of the next group until release(), so that what is submitted meanwhile gathers.
class HeldGroup {
 public:
  explicit HeldGroup(RecordStore& store)
      : leader_([this, &store] {
          result_ = store.update([this](RecordWriter& rows) -> Result<void> {
            begun_ = true;
            while (!released_) std::this_thread::yield();
            return rows.put(record_key(1, "leader"), as_bytes("1"));
          });
        }) {
    while (!begun_) std::this_thread::yield();
  }

  // Requires: the followers are on their way.
  void release() {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    released_ = true;
    leader_.join();
    must(result_);
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> released_{false};
  Result<void> result_;
  std::thread leader_;
};

}  // namespace

TEST_CASE("rows are kept apart by table and scope") {
  OpenRecords open;
  must(put(*open.store, record_key(1, "k"), "one"));
  must(put(*open.store, record_key(2, "k"), "two"));
  must(put(*open.store, record_key(1, "k", RecordTable::kChunks), "chunk"));
  must(put(*open.store, record_key(1, "", RecordTable::kFence), "fence"));
  CHECK(value_of(*open.store, record_key(1, "k")) == "one");
  CHECK(value_of(*open.store, record_key(2, "k")) == "two");
  CHECK(value_of(*open.store, record_key(1, "k", RecordTable::kChunks)) == "chunk");
  CHECK(value_of(*open.store, record_key(1, "", RecordTable::kFence)) == "fence");
  CHECK(value_of(*open.store, record_key(1, "k", RecordTable::kGarbage)) == std::nullopt);
  must(open.store->update([](RecordWriter& rows) -> Result<void> {
    QUIETUS_TRY(rows.remove(record_key(1, "k")));
    return rows.remove(record_key(1, "not there"));
  }));
  CHECK(value_of(*open.store, record_key(1, "k")) == std::nullopt);
  CHECK(value_of(*open.store, record_key(2, "k")) == "two");
}

TEST_CASE("a scan of a scope sees that scope only, in order, from where it is told") {
  OpenRecords open;
  for (const ScopeId scope : {ScopeId{255}, ScopeId{256}, kLastScope})
    for (const char* key : {"a", "b", "c"}) must(put(*open.store, record_key(scope, key), key));
  const auto keys = [&](ScopeId scope, const std::string& from) {
    std::string found;
    must(open.store->read([&](RecordReader& rows) {
      return rows.scan(record_key(scope, from), [&](ByteView key, ByteView value) -> Result<bool> {
        CHECK(text_of(key) == text_of(value));
        found += text_of(key);
        return true;
      });
    }));
    return found;
  };
  CHECK(keys(255, "") == "abc");
  CHECK(keys(256, "b") == "bc");
  CHECK(keys(256, "bb") == "c");
  CHECK(keys(kLastScope, "") == "abc");
  CHECK(keys(257, "").empty());
}

TEST_CASE("all rows of some tables are seen once, in order, however large they are") {
  OpenRecords open;
  std::vector<std::string> written;
  for (int i = 0; i < 2500; ++i) {
    const std::string key = std::to_string(10'000 + i);
    const std::size_t size = i % 500 == 7 ? 3'000'000 : i % 7 == 0 ? 9000 : i % 3000;
    must(put(*open.store, record_key(1 + static_cast<ScopeId>(i) / 1000, key),
             std::string(size, 'x')));
    written.push_back(key + " " + std::to_string(size));
  }
  must(put(*open.store, record_key(1, "c", RecordTable::kChunks), "chunk"));
  must(put(*open.store, record_key(1, "g", RecordTable::kGarbage), "not asked for"));
  written.push_back("c 5");
  std::vector<std::string> seen;
  const RecordTable tables[] = {RecordTable::kRecords, RecordTable::kChunks, RecordTable::kFence};
  must(open.store->all_rows(tables, [&](const RecordKeyRef& row, ByteView value) -> Result<bool> {
    seen.push_back(text_of(row.key) + " " + std::to_string(value.size()));
    return true;
  }));
  CHECK(seen == written);
  int visited = 0;
  must(open.store->all_rows(
      tables, [&](const RecordKeyRef&, ByteView) { return Result<bool>(++visited < 3); }));
  CHECK(visited == 3);
}

TEST_CASE("every scope of a table is named once, in order") {
  OpenRecords open;
  CHECK(scopes_in(*open.store, RecordTable::kRecords).empty());
  for (const ScopeId scope : {kLastScope, ScopeId{7}, ScopeId{0}, ScopeId{256}})
    for (const char* key : {"a", "b"}) must(put(*open.store, record_key(scope, key), "v"));
  must(put(*open.store, record_key(9, "", RecordTable::kFence), "v"));
  CHECK(scopes_in(*open.store, RecordTable::kRecords) ==
        std::vector<ScopeId>{0, 7, 256, kLastScope});
  CHECK(scopes_in(*open.store, RecordTable::kFence) == std::vector<ScopeId>{9});
}

TEST_CASE("a key of more than 64 bytes is refused") {
  OpenRecords open;
  must(put(*open.store, record_key(1, std::string(64, 'k')), "v"));
  const std::string too_long(65, 'k');
  CHECK_FAILS_WITH(put(*open.store, record_key(1, too_long), "v"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(open.store->read([&](RecordReader& rows) -> Result<void> {
    QUIETUS_TRY(rows.get(record_key(1, too_long)));
    return {};
  }),
                   ErrorCode::kInvalidArgument);
}

TEST_CASE("writers that come during a commit share the next one") {
  constexpr int kFollowers = 12;
  OpenRecords open;
  const std::uint64_t before = transactions_of(open.path);
  HeldGroup held(*open.store);
  std::vector<std::thread> followers;
  std::atomic<int> failures{0};
  for (int i = 0; i < kFollowers; ++i)
    followers.emplace_back([&, i] {
      if (!put(*open.store, record_key(2, std::to_string(i)), "v")) ++failures;
    });
  held.release();
  for (auto& thread : followers) thread.join();
  CHECK(failures == 0);
  for (int i = 0; i < kFollowers; ++i)
    CHECK(value_of(*open.store, record_key(2, std::to_string(i))) == "v");
  // Two when all came in time; a slow machine may be late with some.
  CHECK(transactions_of(open.path) - before <= kFollowers / 2);
}

TEST_CASE("eight threads of single puts take clearly fewer commits than puts") {
  constexpr int kThreads = 8;
  constexpr int kPuts = 50;
  OpenRecords open;
  const std::uint64_t before = transactions_of(open.path);
  slow_data_syncs(1000);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPuts; ++i)
        if (!put(*open.store, record_key(static_cast<ScopeId>(t), std::to_string(i)), "v"))
          ++failures;
    });
  for (auto& thread : threads) thread.join();
  slow_data_syncs(0);
  CHECK(failures == 0);
  CHECK(scopes_in(*open.store, RecordTable::kRecords).size() == kThreads);
  const std::uint64_t commits = transactions_of(open.path) - before;
  INFO(commits << " commits for " << kThreads * kPuts << " puts");
  CHECK(commits < kThreads * kPuts / 2);
}

TEST_CASE("one of a group that fails harms no other") {
  OpenRecords open;
  HeldGroup held(*open.store);
  Result<void> good;
  Result<void> bad;
  std::thread first([&] { good = put(*open.store, record_key(2, "good"), "v"); });
  SECTION("before its first put") {
    std::thread second([&] {
      bad = open.store->update(
          [](RecordWriter&) -> Result<void> { return Error(ErrorCode::kHeld, "at once"); });
    });
    held.release();
    second.join();
    first.join();
    CHECK_FAILS_WITH(bad, ErrorCode::kHeld);
  }
  SECTION("after a put") {
    std::thread second([&] {
      bad = open.store->update([](RecordWriter& rows) -> Result<void> {
        QUIETUS_TRY(rows.put(record_key(2, "bad"), as_bytes("v")));
        return Error(ErrorCode::kHeld, "after a put");
      });
    });
    held.release();
    second.join();
    first.join();
    CHECK_FAILS_WITH(bad, ErrorCode::kHeld);
  }
  SECTION("by an exception after a put") {
    std::atomic<bool> threw{false};
    std::thread second([&] {
      try {
        bad = open.store->update([](RecordWriter& rows) -> Result<void> {
          QUIETUS_TRY(rows.put(record_key(2, "bad"), as_bytes("v")));
          throw std::runtime_error("after a put");
        });
      } catch (const std::runtime_error&) {
        threw = true;
      }
    });
    held.release();
    second.join();
    first.join();
    CHECK(threw);
  }
  must(good);
  CHECK(value_of(*open.store, record_key(1, "leader")) == "1");
  CHECK(value_of(*open.store, record_key(2, "good")) == "v");
  CHECK(value_of(*open.store, record_key(2, "bad")) == std::nullopt);
}

TEST_CASE("compare and set holds inside a group") {
  constexpr int kThreads = 8;
  OpenRecords open;
  HeldGroup held(*open.store);
  std::atomic<int> winners{0};
  std::atomic<int> losers{0};
  std::vector<std::thread> followers;
  for (int i = 0; i < kThreads; ++i)
    followers.emplace_back([&] {
      const auto result = open.store->update([](RecordWriter& rows) -> Result<void> {
        QUIETUS_TRY_AS(const auto value, rows.get(record_key(3, "cas")));
        if (value) return Error(ErrorCode::kConflict, "somebody was first");
        return rows.put(record_key(3, "cas"), as_bytes("v"));
      });
      if (result)
        ++winners;
      else if (result.error().code() == ErrorCode::kConflict)
        ++losers;
    });
  held.release();
  for (auto& thread : followers) thread.join();
  CHECK(winners == 1);
  CHECK(losers == kThreads - 1);
}

TEST_CASE("transactions of the record store do not nest either") {
  OpenRecords open;
  must(open.store->update([&](RecordWriter&) -> Result<void> {
    CHECK_FAILS_WITH(open.store->read([](RecordReader&) -> Result<void> { return {}; }),
                     ErrorCode::kInternal);
    CHECK_FAILS_WITH(put(*open.store, record_key(1, "k"), "v"), ErrorCode::kInternal);
    CHECK_FAILS_WITH(
        open.store->scopes(RecordTable::kRecords, [](ScopeId) -> Result<bool> { return true; }),
        ErrorCode::kInternal);
    return {};
  }));
}

TEST_CASE("what a scope holds is counted with every write, and not with one that failed") {
  OpenRecords open;
  const auto usage = [&](ScopeId scope) { return must(open.store->usage(scope)); };
  CHECK(usage(1).records == 0);
  must(put(*open.store, record_key(1, "a"), "12345"));
  must(put(*open.store, record_key(1, "b"), "123"));
  must(put(*open.store, record_key(2, "a"), "1"));
  must(put(*open.store, record_key(1, "c", RecordTable::kChunks), "1234567"));
  must(put(*open.store, record_key(1, "", RecordTable::kFence), "not counted"));
  CHECK(usage(1).records == 2);
  CHECK(usage(1).bytes == 15);
  CHECK(usage(2).records == 1);
  must(put(*open.store, record_key(1, "a"), "1"));
  CHECK(usage(1).records == 2);
  CHECK(usage(1).bytes == 11);
  CHECK_FALSE(open.store
                  ->update([](RecordWriter& rows) -> Result<void> {
                    QUIETUS_TRY(rows.put(record_key(1, "z"), as_bytes("lost")));
                    return Error(ErrorCode::kConflict, "planned");
                  })
                  .ok());
  CHECK(usage(1).records == 2);
  must(open.store->update([](RecordWriter& rows) -> Result<void> {
    QUIETUS_TRY(rows.remove(record_key(1, "a")));
    QUIETUS_TRY(rows.remove(record_key(1, "not there")));
    QUIETUS_TRY(rows.remove(record_key(1, "c", RecordTable::kChunks)));
    return rows.remove(record_key(1, "b"));
  }));
  CHECK(usage(1).records == 0);
  CHECK(usage(1).bytes == 0);
  open.store.reset();
  open.store = must(open_lmdb_records(open.path, opening()));
  CHECK(usage(2).records == 1);
}
