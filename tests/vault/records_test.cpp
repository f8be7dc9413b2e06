#include "records.hpp"

#include <quietus/vault.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "record_fence.hpp"
#include "support/failpoint_hook.hpp"
#include "support/record_rows.hpp"
#include "support/temp_vault.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

Bytes bytes(std::string_view text) {
  return to_bytes(as_bytes(text));
}

PutOptions only_if(const Version& version) {
  PutOptions options;
  options.expected = version;
  return options;
}

PutOptions only_if_new() {
  PutOptions options;
  options.must_be_new = true;
  return options;
}

struct ScopeFixture {
  TempVault vault;
  Scope scope = vault.scope("acme/data");

  std::string get(std::string_view name) {
    const auto content = must(scope.get(name));
    return content ? std::string(as_text(*content)) : "(none)";
  }
  void put(std::string_view name, std::string_view content) {
    must(scope.put(name, as_bytes(content)));
  }
  std::vector<RawRow> rows() { return rows_of(vault.store(), RecordTable::kRecords, scope.id()); }
  std::set<std::string> names(std::string_view prefix = "") {
    std::set<std::string> found;
    must(scope.list(prefix, [&](const RecordInfo& info) -> Result<bool> {
      CHECK(found.insert(info.name).second);
      return true;
    }));
    return found;
  }
};

}  // namespace

TEST_CASE_METHOD(ScopeFixture, "a record is stored, replaced and removed") {
  CHECK(get("a") == "(none)");
  put("a", "one");
  CHECK(get("a") == "one");
  put("a", "");
  CHECK(get("a").empty());
  put("b/c", "two");
  CHECK(must(scope.remove("a")));
  CHECK(!must(scope.remove("a")));
  CHECK(get("a") == "(none)");
  CHECK(get("b/c") == "two");
  CHECK(rows().size() == 1);
}

TEST_CASE_METHOD(ScopeFixture, "records outlive the open vault") {
  put("a", "one");
  vault.reopen();
  scope = vault.scope("acme/data");
  CHECK(get("a") == "one");
}

TEST_CASE_METHOD(ScopeFixture, "scopes do not see each other's records") {
  put("a", "one");
  Scope other = vault.scope("acme/other");
  CHECK(!must(other.get("a")));
  must(other.put("a", bytes("two")));
  CHECK(get("a") == "one");
  Scope parent = vault.scope("acme");
  CHECK(!must(parent.get("a")));
}

TEST_CASE_METHOD(ScopeFixture, "stat tells what is known of a record") {
  CHECK(!must(scope.stat("a")));
  PutOptions options;
  options.content_type = "text/plain";
  const Version version = must(scope.put("a", bytes("three"), options));
  const RecordInfo info = must(scope.stat("a")).value();
  CHECK(info.name == "a");
  CHECK(info.size_bytes == 5);
  CHECK(info.content_type == "text/plain");
  CHECK(info.version == version);
  CHECK(std::abs(info.modified_unix_ms - system_clock().now()) < 60'000);
}

TEST_CASE_METHOD(ScopeFixture, "every write makes a new version") {
  std::set<Version> versions;
  for (int i = 0; i < 100; ++i) versions.insert(must(scope.put("a", bytes("same"))));
  CHECK(versions.size() == 100);
}

TEST_CASE_METHOD(ScopeFixture, "a write under a condition") {
  const Version first = must(scope.put("a", bytes("one"), only_if_new()));
  CHECK_FAILS_WITH(scope.put("a", bytes("two"), only_if_new()), ErrorCode::kConflict);
  const Version second = must(scope.put("a", bytes("two"), only_if(first)));
  CHECK_FAILS_WITH(scope.put("a", bytes("three"), only_if(first)), ErrorCode::kConflict);
  CHECK_FAILS_WITH(scope.put("b", bytes("three"), only_if(first)), ErrorCode::kConflict);
  CHECK_FAILS_WITH(scope.remove("a", first), ErrorCode::kConflict);
  CHECK_FAILS_WITH(scope.remove("b", first), ErrorCode::kConflict);
  CHECK(get("a") == "two");
  CHECK(get("b") == "(none)");
  CHECK(must(scope.remove("a", second)));
  // A removed record that is written again is not the one that was seen.
  put("a", "two");
  CHECK_FAILS_WITH(scope.put("a", bytes("three"), only_if(second)), ErrorCode::kConflict);
}

TEST_CASE_METHOD(ScopeFixture, "a batch happens as a whole") {
  put("gone", "x");
  Batch batch;
  batch.put("a", bytes("one")).put("b", bytes("two")).remove("gone").remove("never was");
  must(scope.write(batch));
  CHECK(names() == std::set<std::string>{"a", "b"});
  CHECK(get("b") == "two");
  must(scope.write(Batch()));
}

TEST_CASE_METHOD(ScopeFixture, "a batch with one failing condition changes nothing") {
  const Version first = must(scope.put("a", bytes("one")));
  put("a", "two");
  put("b", "kept");
  const auto before = rows();
  Batch batch;
  batch.put("new", bytes("x"))
      .remove("b")
      .put("large", Bytes(600'000))
      .put("a", bytes("three"), only_if(first));
  CHECK_FAILS_WITH(scope.write(batch), ErrorCode::kConflict);
  CHECK(rows() == before);
  CHECK(rows_of(vault.store(), RecordTable::kChunks, scope.id()).empty());
  CHECK(rows_of(vault.store(), RecordTable::kGarbage, scope.id()).empty());
}

TEST_CASE_METHOD(ScopeFixture, "a batch with one bad name changes nothing") {
  Batch batch;
  batch.put("good", bytes("x")).put("../bad", bytes("y"));
  CHECK_FAILS_WITH(scope.write(batch), ErrorCode::kInvalidArgument);
  CHECK(rows().empty());
}

TEST_CASE_METHOD(ScopeFixture, "the writes of a batch follow each other") {
  put("kept", "old");
  Batch batch;
  batch.put("a", bytes("one")).put("a", bytes("two"));
  batch.put("b", bytes("x")).remove("b");
  batch.remove("kept").put("kept", bytes("new"), only_if_new());
  must(scope.write(batch));
  CHECK(get("a") == "two");
  CHECK(get("b") == "(none)");
  CHECK(get("kept") == "new");
  CHECK(rows().size() == 2);

  Batch contradicting;
  contradicting.put("c", bytes("one")).put("c", bytes("two"), only_if_new());
  CHECK_FAILS_WITH(scope.write(contradicting), ErrorCode::kConflict);
  CHECK(get("c") == "(none)");
}

TEST_CASE_METHOD(ScopeFixture, "reading into the caller's buffer") {
  put("a", "12345");
  Bytes buffer(8, 0xEE);
  CHECK(must(scope.get_into("a", buffer)) == std::optional<std::size_t>(5));
  CHECK(as_text(ByteView(buffer).first(5)) == "12345");
  CHECK(ByteView(buffer).subspan(5).front() == 0xEE);

  Bytes small(4, 0xEE);
  CHECK_FAILS_WITH(scope.get_into("a", small), ErrorCode::kInvalidArgument);
  CHECK(small == Bytes(4, 0xEE));
  CHECK(!must(scope.get_into("none", small)));
  CHECK(small == Bytes(4, 0xEE));
  CHECK_FAILS_WITH(scope.get_into("a/", small), ErrorCode::kInvalidArgument);

  Bytes exact(5);
  CHECK(must(scope.get_into("a", exact)) == std::optional<std::size_t>(5));
  must(scope.put("empty", {}));
  CHECK(must(scope.get_into("empty", {})) == std::optional<std::size_t>(0));
}

TEST_CASE_METHOD(ScopeFixture, "a damaged record is corrupt, and no byte of it comes out") {
  put("a", "12345");
  const std::vector<RawRow> originals = rows();
  RawRow row = originals.at(0);
  row.second.back() ^= 1;
  put_row(vault.store(), RecordTable::kRecords, scope.id(), row);
  Bytes buffer(8, 0xEE);
  CHECK_FAILS_WITH(scope.get_into("a", buffer), ErrorCode::kCorrupt);
  CHECK(all_zero(buffer));
  CHECK_FAILS_WITH(scope.get("a"), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(scope.get_stream("a",
                                    [](ByteView) -> Result<void> {
                                      FAIL("unauthenticated content was handed out");
                                      return {};
                                    }),
                   ErrorCode::kCorrupt);
  // It can be written over.
  put("a", "new");
  CHECK(get("a") == "new");
}

TEST_CASE_METHOD(ScopeFixture, "a record that was put in another's place is corrupt") {
  put("a", "one");
  const std::vector<RawRow> with_a = rows();
  put("b", "two");
  const auto all = rows();
  const RawRow& a = with_a.at(0);
  const RawRow& b = all.at(0).first == a.first ? all.at(1) : all.at(0);
  put_row(vault.store(), RecordTable::kRecords, scope.id(), {b.first, a.second});
  CHECK_FAILS_WITH(scope.get("b"), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(scope.stat("b"), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(scope.list("", [](const RecordInfo&) -> Result<bool> { return true; }),
                   ErrorCode::kCorrupt);
  const Scope other = vault.scope("acme/other");
  put_row(vault.store(), RecordTable::kRecords, other.id(), a);
  CHECK_FAILS_WITH(other.list("", [](const RecordInfo&) -> Result<bool> { return true; }),
                   ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(ScopeFixture, "listing by prefix, over several pages") {
  Batch batch;
  std::set<std::string> all;
  std::set<std::string> odd;
  for (int i = 0; i < 700; ++i) {
    const std::string name = (i % 2 == 0 ? "even/" : "odd/") + std::to_string(i);
    all.insert(name);
    if (i % 2 != 0) odd.insert(name);
    batch.put(name, bytes(name));
  }
  must(scope.write(batch));
  CHECK(names() == all);
  CHECK(names("odd/") == odd);
  CHECK(names("odd/7") == [&] {
    std::set<std::string> sevens;
    for (const std::string& name : odd)
      if (name.starts_with("odd/7")) sevens.insert(name);
    return sevens;
  }());
  CHECK(names("none").empty());
}

TEST_CASE_METHOD(ScopeFixture, "the number of rows is a whole number of pages") {
  Batch batch;
  for (int i = 0; i < 512; ++i) batch.put(std::to_string(i), {});
  must(scope.write(batch));
  CHECK(names().size() == 512);
}

TEST_CASE_METHOD(ScopeFixture, "a visitor may use the vault, stop, or fail") {
  put("a", "one");
  put("b", "two");
  int visits = 0;
  must(scope.list("", [&](const RecordInfo& info) -> Result<bool> {
    ++visits;
    QUIETUS_TRY(scope.get(info.name));
    QUIETUS_TRY(scope.put("seen", {}));
    return false;
  }));
  CHECK(visits == 1);
  CHECK_FAILS_WITH(
      scope.list("", [](const RecordInfo&) -> Result<bool> { return Error(ErrorCode::kIo, "x"); }),
      ErrorCode::kIo);
}

TEST_CASE_METHOD(ScopeFixture, "bad names and content types are refused everywhere") {
  const std::string name = "a/../b";
  const auto source = [](MutableBytes) -> Result<std::size_t> { return std::size_t{0}; };
  const auto sink = [](ByteView) -> Result<void> { return {}; };
  CHECK_FAILS_WITH(scope.put(name, {}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.put_stream(name, source), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.get(name), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.get_stream(name, sink), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.stat(name), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.remove(name), ErrorCode::kInvalidArgument);
  PutOptions options;
  options.content_type = std::string(256, 'x');
  CHECK_FAILS_WITH(scope.put("a", {}, options), ErrorCode::kInvalidArgument);
}

TEST_CASE_METHOD(ScopeFixture, "names never lie in the clear") {
  const std::string name = "a very recognisable name";
  put(name, "a very recognisable content");
  for (const auto& [key, value] : rows()) {
    CHECK(as_text(key).find("recognisable") == std::string_view::npos);
    CHECK(as_text(value).find("recognisable") == std::string_view::npos);
  }
}

TEST_CASE_METHOD(ScopeFixture, "the fence stops what was sealed under an old key") {
  put("a", "one");
  const auto raise = [&](std::uint32_t least) {
    must(vault.store().update(
        [&](RecordWriter& writer) { return raise_fence(writer, scope.id(), least); }));
  };
  raise(1);
  put("a", "two");
  raise(2);
  CHECK_FAILS_WITH(scope.put("a", bytes("three")), ErrorCode::kBusy);
  CHECK_FAILS_WITH(scope.put("large", Bytes(600'000)), ErrorCode::kBusy);
  raise(kErasedFence);
  CHECK_FAILS_WITH(scope.put("a", bytes("three")), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.put("large", Bytes(600'000)), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.remove("a"), ErrorCode::kErased);
  raise(1);  // never goes back
  CHECK_FAILS_WITH(scope.put("a", bytes("three")), ErrorCode::kErased);
  CHECK(rows_of(vault.store(), RecordTable::kChunks, scope.id()).empty());
  CHECK(get("a") == "two");
}

TEST_CASE_METHOD(ScopeFixture, "an erased scope answers that it was erased") {
  put("a", "one");
  must(scope.put("large", Bytes(600'000)));
  vault.erase("acme/data");
  Bytes buffer(8, 0xEE);
  CHECK_FAILS_WITH(scope.get_into("a", buffer), ErrorCode::kErased);
  CHECK(all_zero(buffer));
  CHECK_FAILS_WITH(scope.get("a"), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.get("large"), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.stat("a"), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.put("a", bytes("two")), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.remove("a"), ErrorCode::kErased);
  CHECK_FAILS_WITH(scope.list("", [](const RecordInfo&) -> Result<bool> { return true; }),
                   ErrorCode::kErased);
}

TEST_CASE_METHOD(ScopeFixture, "a handle of a closed vault answers that it is closed") {
  put("a", "one");
  vault.close();
  Bytes buffer(8, 0xEE);
  CHECK_FAILS_WITH(scope.get("a"), ErrorCode::kUnavailable);
  CHECK_FAILS_WITH(scope.put("a", bytes("two")), ErrorCode::kUnavailable);
  CHECK_FAILS_WITH(scope.get_into("a", buffer), ErrorCode::kUnavailable);
  CHECK(all_zero(buffer));
}

TEST_CASE_METHOD(ScopeFixture, "a write that the keys moved away under is made again") {
  put("a", "old");
  int tries = 0;
  {
    const FailpointHook guard([&](std::string_view point) -> Result<void> {
      if (point == "records/before-update" && ++tries == 1) vault.core().holders->publish();
      return {};
    });
    must(scope.put("a", bytes("new")));
  }
  CHECK(tries == 2);
  CHECK(get("a") == "new");
}

namespace {

// Runs `body(number)` in so many threads.
void in_threads(int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int t = 0; t < count; ++t) threads.emplace_back(body, t);
  for (std::thread& thread : threads) thread.join();
}

bool reads_as(const Scope& scope, const std::string& name, std::string_view content) {
  const auto read = scope.get(name);
  return read && *read && as_text(**read) == content;
}

// Adds one to a number in a record; false when somebody else wrote it meanwhile.
bool add_one(Scope& scope, const std::string& name) {
  const auto info = scope.stat(name);
  const auto value = scope.get(name);
  if (!info || !*info || !value || !*value) return false;
  const int next = std::stoi(std::string(as_text(**value))) + 1;
  return scope.put(name, as_bytes(std::to_string(next)), only_if((*info)->version)).ok();
}

TEST_CASE("a callback that was left out is an argument that is wrong") {
  TempVault vault;
  Scope scope = vault.scope("acme/data");
  must(scope.put("a", as_bytes("one")));
  CHECK_FAILS_WITH(scope.put_stream("b", ByteSource()), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.get_stream("a", ByteSink()), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.list("", {}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.seal_stream(ByteSource(), ByteSink()), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(scope.open_stream(ByteSource(), ByteSink()), ErrorCode::kInvalidArgument);
}

TEST_CASE("one scope is erased by its path") {
  TempVault vault;
  must(vault.scope("acme/data").put("a", as_bytes("one")));
  const ErasureReport report = must(vault.vault().erase("acme", "test"));
  CHECK(report.subjects.size() == 1);
  const Result<void> refused = Error(ErrorCode::kHeld, "a legal hold is in the way");
  CHECK(refused.error().text() == "held: a legal hold is in the way");
}

}  // namespace

TEST_CASE_METHOD(ScopeFixture, "eight threads write at once", "[concurrent]") {
  constexpr int kThreads = 8;
  constexpr int kWrites = 60;
  std::atomic<int> failures{0};
  std::atomic<int> winners{0};
  in_threads(kThreads, [&](int thread) {
    Scope own = scope;
    for (int i = 0; i < kWrites; ++i) {
      const std::string name = std::to_string(thread) + "/" + std::to_string(i);
      const bool written = own.put(name, as_bytes(name)) && own.put("shared", as_bytes(name));
      if (!written || !reads_as(own, name, name)) ++failures;
      if (own.put("once/" + std::to_string(i), as_bytes(name), only_if_new())) ++winners;
    }
  });
  CHECK(failures == 0);
  CHECK(winners == kWrites);
  CHECK(names().size() == kThreads * kWrites + 1 + kWrites);
}

TEST_CASE_METHOD(ScopeFixture, "conditions of concurrent writers add up", "[concurrent]") {
  put("counter", "0");
  constexpr int kThreads = 4;
  constexpr int kSteps = 40;
  in_threads(kThreads, [&](int) {
    Scope own = scope;
    int done = 0;
    for (int tries = 0; tries < 100'000 && done < kSteps; ++tries)
      if (add_one(own, "counter")) ++done;
  });
  CHECK(get("counter") == std::to_string(kThreads * kSteps));
}
