#include <atomic>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "storage/stores.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::size_t kMaxValue = 65536;

struct OpenControl {
  TemporaryFolder folder;
  std::unique_ptr<ControlStore> store = must(open_lmdb_control(folder / "control.mdb", making()));

  Result<void> update(ControlStore::WriteFunction write) {
    return store->update(WriteClass::kOrdinary, write);
  }
};

}  // namespace

TEST_CASE("control rows are there after reopening") {
  TemporaryFolder folder;
  const auto path = folder / "control.mdb";
  {
    const auto store = must(open_lmdb_control(path, making()));
    must(put(*store, "key", "value"));
    must(put(*store, "empty", ""));
  }
  const auto store = must(open_lmdb_control(path, opening()));
  CHECK(value_of(*store, "key") == "value");
  CHECK(value_of(*store, "empty") == "");
  CHECK(value_of(*store, "absent") == std::nullopt);
}

TEST_CASE("a scan keeps to its prefix and begins where it is told") {
  OpenControl open;
  must(open.update([](ControlWriter& rows) -> Result<void> {
    for (const char* key : {"a", "b", "b1", "b2", "b3", "c"})
      QUIETUS_TRY(rows.put(as_bytes(key), as_bytes(key)));
    return {};
  }));
  const auto keys = [&](const std::string& prefix, const std::string& from) {
    std::string found;
    must(open.store->read([&](ControlReader& rows) -> Result<void> {
      for (const auto& row : rows_in(rows, prefix, from)) found += row.first + " ";
      return {};
    }));
    return found;
  };
  CHECK(keys("", "") == "a b b1 b2 b3 c ");
  CHECK(keys("b", "") == "b b1 b2 b3 ");
  CHECK(keys("b", "b2") == "b2 b3 ");
  CHECK(keys("b", "b11") == "b2 b3 ");
  CHECK(keys("b", "a") == "b b1 b2 b3 ");
  CHECK(keys("b", "c").empty());
  CHECK(keys("d", "").empty());
  CHECK(keys("", "b3") == "b3 c ");
}

TEST_CASE("a scan stops when told, and passes an error on") {
  OpenControl open;
  must(put(*open.store, "a", "1"));
  must(put(*open.store, "b", "2"));
  int visited = 0;
  must(open.store->read([&](ControlReader& rows) {
    return rows.scan({}, {}, [&](ByteView, ByteView) -> Result<bool> {
      ++visited;
      return false;
    });
  }));
  CHECK(visited == 1);
  const auto failing = open.store->read([&](ControlReader& rows) {
    return rows.scan({}, {}, [&](ByteView, ByteView) -> Result<bool> {
      return Error(ErrorCode::kConflict, "mine");
    });
  });
  CHECK_FAILS_WITH(failing, ErrorCode::kConflict);
}

TEST_CASE("rows may be changed while they are walked through") {
  OpenControl open;
  constexpr int kRows = 500;
  const auto name = [](int i) { return "row" + std::to_string(1000 + i); };
  must(open.update([&](ControlWriter& rows) -> Result<void> {
    for (int i = 0; i < kRows; ++i)
      QUIETUS_TRY(rows.put(as_bytes(name(i)), as_bytes(std::string(100, 'x'))));
    return {};
  }));
  int visited = 0;
  must(open.update([&](ControlWriter& rows) -> Result<void> {
    visited = 0;
    return rows.scan(as_bytes("row"), {}, [&](ByteView key, ByteView) -> Result<bool> {
      const std::string visited_key = text_of(key);
      CHECK(visited_key == name(visited));
      ++visited;
      if (visited % 2 == 0)
        QUIETUS_TRY(rows.remove(as_bytes(visited_key)));
      else
        QUIETUS_TRY(rows.put(as_bytes(visited_key), as_bytes(std::string(300, 'y'))));
      return true;
    });
  }));
  CHECK(visited == kRows);
  const auto rows = all_rows(*open.store);
  CHECK(rows.size() == kRows / 2);
  CHECK(rows.at(name(0)) == std::string(300, 'y'));
}

TEST_CASE("whatever is changed around it, a walk goes on at the next row there is") {
  OpenControl open;
  std::mt19937 random(7);  // NOLINT: the same changes each time
  const auto some_key = [&] { return "row" + std::to_string(1000 + random() % 1000); };
  for (int round = 0; round < 5; ++round)
    must(open.update([&](ControlWriter& rows) -> Result<void> {
      std::set<std::string> there;
      for (const auto& row : rows_in(rows)) there.insert(row.first);
      const auto change_some = [&]() -> Result<void> {
        for (int i = 0; i < 4; ++i) {
          const std::string key = some_key();
          if (random() % 2 == 0) {
            QUIETUS_TRY(rows.put(as_bytes(key), as_bytes(std::string(random() % 1500, 'x'))));
            there.insert(key);
          } else {
            const auto place = there.lower_bound(key);
            if (place == there.end()) continue;
            QUIETUS_TRY(rows.remove(as_bytes(*place)));
            there.erase(place);
          }
        }
        return {};
      };
      for (int i = 0; i < 300; ++i) QUIETUS_TRY(change_some());
      std::optional<std::string> expected = *there.begin();
      QUIETUS_TRY(rows.scan({}, {}, [&](ByteView key, ByteView) -> Result<bool> {
        const std::string visited = text_of(key);
        CHECK(visited == expected);
        QUIETUS_TRY(rows.remove(as_bytes(visited)));
        there.erase(visited);
        QUIETUS_TRY(change_some());
        const auto next = there.upper_bound(visited);
        expected = next == there.end() ? std::nullopt : std::optional(*next);
        return true;
      }));
      CHECK(expected == std::nullopt);
      return {};
    }));
}

TEST_CASE("keys and values outside the limits are refused, and so is all that follows") {
  OpenControl open;
  const std::string longest(511, 'k');
  must(put(*open.store, longest, std::string(kMaxValue, 'v')));
  CHECK(value_of(*open.store, longest) == std::string(kMaxValue, 'v'));
  CHECK_FAILS_WITH(put(*open.store, "", "v"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(put(*open.store, longest + "k", "v"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(put(*open.store, "k", std::string(kMaxValue + 1, 'v')),
                   ErrorCode::kInvalidArgument);
  const auto careless = open.update([&](ControlWriter& rows) -> Result<void> {
    CHECK_FAILS_WITH(rows.put({}, {}), ErrorCode::kInvalidArgument);
    CHECK_FAILS_WITH(rows.put(as_bytes("good"), {}), ErrorCode::kInvalidArgument);
    CHECK_FAILS_WITH(rows.remove(as_bytes("good")), ErrorCode::kInvalidArgument);
    return {};
  });
  CHECK_FAILS_WITH(careless, ErrorCode::kInvalidArgument);
  CHECK(all_rows(*open.store).size() == 1);
}

TEST_CASE("a failed update changes nothing and says why in its own words") {
  OpenControl open;
  must(put(*open.store, "a", "1"));
  const auto failed = open.update([&](ControlWriter& rows) -> Result<void> {
    QUIETUS_TRY(rows.put(as_bytes("a"), as_bytes("2")));
    QUIETUS_TRY(rows.put(as_bytes("b"), as_bytes("2")));
    return Error(ErrorCode::kHeld, "a hold");
  });
  CHECK_FAILS_WITH(failed, ErrorCode::kHeld);
  CHECK(all_rows(*open.store) == std::map<std::string, std::string>{{"a", "1"}});
  must(put(*open.store, "b", "3"));
}

TEST_CASE("an exception passes through and leaves no transaction open") {
  OpenControl open;
  must(put(*open.store, "a", "1"));
  CHECK_THROWS_AS(open.update([&](ControlWriter& rows) -> Result<void> {
    must(rows.put(as_bytes("a"), as_bytes("2")));
    throw std::runtime_error("from the caller");
  }),
                  std::runtime_error);
  CHECK_THROWS_AS(open.store->read([](ControlReader& rows) -> Result<void> {
    return rows.scan({}, {}, [](ByteView, ByteView) -> Result<bool> {
      throw std::runtime_error("from the caller");
    });
  }),
                  std::runtime_error);
  CHECK(value_of(*open.store, "a") == "1");
  must(put(*open.store, "a", "3"));
}

TEST_CASE("a nested transaction of the same store is an error, not a deadlock") {
  OpenControl open;
  const auto read_nothing = [](ControlReader&) -> Result<void> { return {}; };
  const auto write_nothing = [](ControlWriter&) -> Result<void> { return {}; };
  must(open.update([&](ControlWriter& rows) -> Result<void> {
    CHECK_FAILS_WITH(open.store->read(read_nothing), ErrorCode::kInternal);
    CHECK_FAILS_WITH(open.update(write_nothing), ErrorCode::kInternal);
    return rows.put(as_bytes("a"), as_bytes("1"));
  }));
  must(open.store->read([&](ControlReader&) -> Result<void> {
    CHECK_FAILS_WITH(open.store->read(read_nothing), ErrorCode::kInternal);
    CHECK_FAILS_WITH(open.update(write_nothing), ErrorCode::kInternal);
    return {};
  }));
  // Another store is another matter.
  OpenControl other;
  must(open.store->read([&](ControlReader&) { return other.update(write_nothing); }));
  CHECK(value_of(*open.store, "a") == "1");
}

TEST_CASE("a reader keeps its snapshot while others write") {
  OpenControl open;
  must(put(*open.store, "a", "1"));
  must(open.store->read([&](ControlReader& rows) -> Result<void> {
    std::thread([&] { must(put(*open.store, "a", "2")); }).join();
    CHECK(rows_in(rows).at("a") == "1");
    return {};
  }));
  CHECK(value_of(*open.store, "a") == "2");
}

TEST_CASE("eight threads count together while others read") {
  constexpr int kThreads = 8;
  constexpr int kCounts = 25;
  OpenControl open;
  must(put(*open.store, "n", "0"));
  must(put(*open.store, "m", "0"));
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  std::atomic<int> failures{0};
  const auto count = [&](ControlWriter& rows) -> Result<void> {
    for (const char* key : {"n", "m"}) {
      QUIETUS_TRY_AS(const auto value, rows.get(as_bytes(key)));
      const std::string next = std::to_string(std::stoi(text_of(*value)) + 1);
      QUIETUS_TRY(rows.put(as_bytes(key), as_bytes(next)));
    }
    return {};
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!done) {
        const auto read = open.store->read([&](ControlReader& rows) -> Result<void> {
          QUIETUS_TRY_AS(const auto n, rows.get(as_bytes("n")));
          QUIETUS_TRY_AS(const auto m, rows.get(as_bytes("m")));
          if (text_of(*n) != text_of(*m)) ++torn;
          return {};
        });
        if (!read) ++failures;
      }
    });
  std::vector<std::thread> writers;
  for (int i = 0; i < kThreads; ++i)
    writers.emplace_back([&] {
      for (int k = 0; k < kCounts; ++k)
        if (!open.update(count)) ++failures;
    });
  for (auto& thread : writers) thread.join();
  done = true;
  for (auto& thread : readers) thread.join();
  CHECK(failures == 0);
  CHECK(torn == 0);
  CHECK(value_of(*open.store, "n") == std::to_string(kThreads * kCounts));
}

TEST_CASE("more readers than places wait for one another") {
  constexpr int kThreads = 200;
  OpenControl open;
  must(put(*open.store, "a", "1"));
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      const auto read = open.store->read([](ControlReader& rows) -> Result<void> {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        QUIETUS_TRY(rows.get(as_bytes("a")));
        return {};
      });
      if (!read) ++failures;
    });
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
}
