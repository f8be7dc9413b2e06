// Large objects, through scopes and through the rooms below them.
#include <quietus/vault.hpp>

#include <algorithm>

#include "crypto/random.hpp"
#include "object_store.hpp"
#include "record_fence.hpp"
#include "records.hpp"
#include "support/failpoint_hook.hpp"
#include "support/fault_record_store.hpp"
#include "support/record_rows.hpp"
#include "support/streams.hpp"
#include "support/temp_vault.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

constexpr std::size_t kChunk = cobblestone::kChunkSize;
constexpr std::size_t kManyPieces = 3 * 1024 * 1024 + 17;

Bytes sample(std::size_t size) {
  Bytes content(size);
  random_bytes(content);
  return content;
}

// Delivers a content in pieces of odd sizes; then calls `at_end`, if any, before it says so.
// Borrows the content.
struct ObjectFixture {
  TempVault vault;
  Scope scope = vault.scope("acme/data");
  FaultRecordStore faulty{vault.store()};
  Records records{vault.keys(), faulty, system_clock()};  // another writer of the same vault

  std::vector<RawRow> rows(RecordTable table) { return rows_of(vault.store(), table, scope.id()); }
  std::size_t chunk_rows() { return rows(RecordTable::kChunks).size(); }
  std::size_t garbage_rows() { return rows(RecordTable::kGarbage).size(); }
  bool leaves_nothing() { return chunk_rows() == 0 && garbage_rows() == 0; }

  static std::size_t rows_for(std::size_t size) {
    const std::size_t stream = cobblestone::sealed_size(size) - cobblestone::kHeaderSize;
    return (stream + kObjectRowSize - 1) / kObjectRowSize;
  }

  // Every way to read a record gives `content`.
  void check_reads(std::string_view name, const Bytes& content) {
    CHECK(must(scope.get(name)) == std::optional(content));
    Bytes buffer(content.size() + 3, 0xEE);
    CHECK(must(scope.get_into(name, buffer)) == std::optional(content.size()));
    CHECK(std::equal(content.begin(), content.end(), buffer.begin()));
    Bytes streamed;
    CHECK(must(scope.get_stream(name, sink_into(streamed))));
    CHECK(streamed == content);
    CHECK(must(scope.stat(name)).value().size_bytes == content.size());
  }

  // Stores a content as an object whatever its size.
  void put_object(std::string_view name, const Bytes& content) {
    const WriterToken token{1};
    ByteView rest(content);
    RecordChange change;
    change.name = name;
    ObjectWriter writer(vault.keys(), vault.store(), scope.id(), token);
    change.object = must(writer.write([&]() -> Result<ByteView> {
      const ByteView piece = rest.first(std::min(rest.size(), kObjectPieceSize));
      rest = rest.subspan(piece.size());
      return piece;
    }));
    ChangeSet changes(vault.keys(), vault.store(), scope.id(), token);
    changes.add(change);
    must(changes.apply(1));
  }
};

Result<void> refuse_sweeps(std::string_view point) {
  if (point == "objects/before-sweep") return Error(ErrorCode::kIo, "injected");
  return {};
}

}  // namespace

TEST_CASE_METHOD(ObjectFixture, "objects of all sizes around the borders of chunks and rows") {
  // Plaintext that fills k rows exactly, or nearly: a row holds 65,520 bytes of stream.
  const std::size_t row_plain = kObjectRowSize - 4 * kTagSize;
  for (const std::size_t size : {std::size_t{0},
                                 std::size_t{1},
                                 kChunk - 1,
                                 kChunk,
                                 kChunk + 1,
                                 3 * kChunk,
                                 4 * kChunk - 1,
                                 row_plain - 1,
                                 row_plain,
                                 row_plain + 1,
                                 row_plain + kTagSize,
                                 64 * kChunk - 1,
                                 64 * kChunk,
                                 64 * kChunk + 1,
                                 65 * kChunk,
                                 kObjectPieceSize - 1,
                                 kObjectPieceSize,
                                 kObjectPieceSize + 1,
                                 2 * kObjectPieceSize,
                                 2 * kObjectPieceSize + kChunk - 1}) {
    INFO("size " << size);
    const Bytes content = sample(size);
    put_object("object", content);
    check_reads("object", content);
    CHECK(chunk_rows() == rows_for(size));
    CHECK(garbage_rows() == 0);
  }
}

TEST_CASE_METHOD(ObjectFixture, "values become objects above 256 KiB, put or streamed") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMaxInlineContent - 1,
                                 kMaxInlineContent, kMaxInlineContent + 1, kManyPieces}) {
    INFO("size " << size);
    const Bytes content = sample(size);
    const std::size_t expected = size > kMaxInlineContent ? rows_for(size) : 0;
    must(scope.put("put", content));
    check_reads("put", content);
    CHECK(chunk_rows() == expected);
    must(scope.put_stream("streamed", source_of(content)));
    check_reads("streamed", content);
    CHECK(chunk_rows() == 2 * expected);
    CHECK(garbage_rows() == 0);
    must(scope.remove("streamed"));
  }
}

TEST_CASE_METHOD(ObjectFixture, "replacing and removing takes the old object away") {
  must(scope.put("a", sample(kManyPieces)));
  const Bytes content = sample(kManyPieces + 100'000);
  must(scope.put("a", content));
  CHECK(chunk_rows() == rows_for(content.size()));
  check_reads("a", content);
  must(scope.put("a", sample(10)));
  CHECK(leaves_nothing());
  must(scope.put("a", content));
  CHECK(must(scope.remove("a")));
  CHECK(leaves_nothing());
}

TEST_CASE_METHOD(ObjectFixture, "objects in a batch") {
  const Bytes first = sample(kManyPieces);
  const Bytes second = sample(kManyPieces / 2);
  must(scope.put("old", sample(kManyPieces)));
  Batch batch;
  batch.put("a", sample(kManyPieces)).put("b", second).put("a", first).remove("old");
  must(scope.write(batch));
  check_reads("a", first);
  check_reads("b", second);
  CHECK(chunk_rows() == rows_for(first.size()) + rows_for(second.size()));
  CHECK(garbage_rows() == 0);
}

TEST_CASE_METHOD(ObjectFixture, "an error of the source is handed on and leaves nothing") {
  const Bytes content = sample(2 * kObjectPieceSize);
  const Bytes before = sample(kManyPieces);
  must(scope.put("a", before));
  const auto failing =
      source_of(content, [] { return Result<void>(Error(ErrorCode::kBusy, "no more")); });
  CHECK_FAILS_WITH(scope.put_stream("a", failing), ErrorCode::kBusy);
  check_reads("a", before);
  CHECK(chunk_rows() == rows_for(before.size()));
  CHECK(garbage_rows() == 0);

  const auto boasting = [](MutableBytes to) -> Result<std::size_t> { return to.size() + 1; };
  CHECK_FAILS_WITH(scope.put_stream("b", boasting), ErrorCode::kInvalidArgument);
  CHECK(!must(scope.get("b")));
}

TEST_CASE_METHOD(ObjectFixture, "a stream under a condition") {
  const Bytes content = sample(kManyPieces);
  PutOptions options;
  options.must_be_new = true;
  const Version version = must(scope.put_stream("a", source_of(content), options));
  int asked = 0;
  const auto counting = [&](MutableBytes) -> Result<std::size_t> {
    ++asked;
    return std::size_t{0};
  };
  CHECK_FAILS_WITH(scope.put_stream("a", counting, options), ErrorCode::kConflict);
  CHECK(asked == 0);
  // Somebody else writes while the stream is under way.
  options = {};
  options.expected = version;
  const auto slow = source_of(content, [&]() -> Result<void> {
    QUIETUS_TRY(scope.put("a", Bytes{1}));
    return {};
  });
  CHECK_FAILS_WITH(scope.put_stream("a", slow, options), ErrorCode::kConflict);
  check_reads("a", Bytes{1});
  CHECK(leaves_nothing());
}

TEST_CASE_METHOD(ObjectFixture, "nothing of a stream shows before it is complete") {
  const Bytes content = sample(2 * kObjectPieceSize);
  const auto source = source_of(content, [&]() -> Result<void> {
    CHECK(chunk_rows() > 0);
    CHECK(garbage_rows() == 1);
    CHECK(!must(scope.get("a")));
    return {};
  });
  must(scope.put_stream("a", source));
  check_reads("a", content);
}

TEST_CASE_METHOD(ObjectFixture, "an object replaced or removed while it is read") {
  const Bytes content = sample(kManyPieces);
  must(scope.put("a", content));
  Bytes seen;
  const auto read_and = [&](auto act) {
    return scope.get_stream("a", [&, act](ByteView piece) -> Result<void> {
      if (seen.empty()) act();
      return sink_into(seen)(piece);
    });
  };
  SECTION("by another object") {
    CHECK_FAILS_WITH(read_and([&] { must(scope.put("a", sample(kManyPieces))); }),
                     ErrorCode::kChanged);
  }
  SECTION("by a small record") {
    CHECK_FAILS_WITH(read_and([&] { must(scope.put("a", Bytes{1})); }), ErrorCode::kChanged);
  }
  SECTION("by nothing") {
    CHECK_FAILS_WITH(read_and([&] { must(scope.remove("a")); }), ErrorCode::kChanged);
  }
  SECTION("by the same content") {
    CHECK_FAILS_WITH(read_and([&] { must(scope.put("a", content)); }), ErrorCode::kChanged);
  }
  REQUIRE(seen.size() == ObjectReader::kGroupSize);
  CHECK(std::equal(seen.begin(), seen.end(), content.begin()));
}

TEST_CASE_METHOD(ObjectFixture, "get begins again when the object is replaced under it") {
  const Bytes newer = sample(kManyPieces / 2);
  must(scope.put("a", sample(kManyPieces)));
  int reads = 0;
  faulty.before_read = [&] {
    if (++reads == 3) must(scope.put("a", newer));
  };
  SECTION("whole") {
    CHECK(must(records.get(scope.id(), "a")) == std::optional(newer));
  }
  SECTION("into a buffer") {
    Bytes buffer(kManyPieces);
    CHECK(must(records.get_into(scope.id(), "a", buffer)) == std::optional(newer.size()));
    CHECK(std::equal(newer.begin(), newer.end(), buffer.begin()));
  }
  CHECK(reads > 3);
}

TEST_CASE_METHOD(ObjectFixture, "an error of the sink ends the reading") {
  must(scope.put("a", sample(kManyPieces)));
  int pieces = 0;
  const auto sink = [&](ByteView) -> Result<void> {
    ++pieces;
    return Error(ErrorCode::kFull, "disk full");
  };
  CHECK_FAILS_WITH(scope.get_stream("a", sink), ErrorCode::kFull);
  CHECK(pieces == 1);
}

TEST_CASE_METHOD(ObjectFixture, "an erasure waits for no stream, and ends it") {
  const Bytes content = sample(2 * kObjectPieceSize);
  must(scope.put("old", content));
  SECTION("reading") {
    int pieces = 0;
    const auto erasing = [&](ByteView) -> Result<void> {
      if (++pieces == 1) vault.erase("acme/data");
      return {};
    };
    CHECK_FAILS_WITH(scope.get_stream("old", erasing), ErrorCode::kErased);
    CHECK(pieces == 1);
  }
  SECTION("writing") {
    const std::size_t before = chunk_rows();
    const auto source = source_of(content, [&]() -> Result<void> {
      vault.erase("acme/data");
      return {};
    });
    CHECK_FAILS_WITH(scope.put_stream("new", source), ErrorCode::kErased);
    CHECK(chunk_rows() == before);
    CHECK(garbage_rows() == 0);
  }
}

TEST_CASE_METHOD(ObjectFixture, "the erasure of another scope does not disturb a stream") {
  const Bytes content = sample(2 * kObjectPieceSize + 5);
  static_cast<void>(vault.scope("other"));
  must(scope.put_stream("a", source_of(content, [&]() -> Result<void> {
                          if (vault.vault().scope("other")) vault.erase("other");
                          return {};
                        })));
  check_reads("a", content);
}

TEST_CASE_METHOD(ObjectFixture, "a damaged object is corrupt, and no byte of it comes out") {
  must(scope.put("a", sample(kManyPieces)));
  const auto originals = rows(RecordTable::kChunks);
  RawRow row = originals.at(1);
  SECTION("a changed byte") {
    row.second[100] ^= 1;
  }
  SECTION("a short row") {
    row.second.pop_back();
  }
  SECTION("a long row") {
    row.second.push_back(0);
  }
  SECTION("an empty row") {
    row.second.clear();
  }
  SECTION("another row") {
    row.second = originals.at(2).second;
  }
  put_row(vault.store(), RecordTable::kChunks, scope.id(), row);
  Bytes buffer(kManyPieces, 0xEE);
  CHECK_FAILS_WITH(scope.get_into("a", buffer), ErrorCode::kCorrupt);
  CHECK(all_zero(buffer));
  CHECK_FAILS_WITH(scope.get("a"), ErrorCode::kCorrupt);
  Bytes seen;
  CHECK_FAILS_WITH(scope.get_stream("a", sink_into(seen)), ErrorCode::kCorrupt);
  CHECK(seen.empty());
}

TEST_CASE_METHOD(ObjectFixture, "an object with a row missing is corrupt") {
  must(scope.put("a", sample(kManyPieces)));
  const auto originals = rows(RecordTable::kChunks);
  const std::size_t gone = GENERATE(0U, 7U, 46U);
  REQUIRE(gone < originals.size());
  remove_row(vault.store(), RecordTable::kChunks, scope.id(), originals[gone].first);
  CHECK_FAILS_WITH(scope.get("a"), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(ObjectFixture, "the rows of one object cannot stand for another's") {
  must(scope.put("a", sample(kManyPieces)));
  const auto rows_of_a = rows(RecordTable::kChunks);
  must(scope.remove("a"));
  must(scope.put("b", sample(kManyPieces)));
  const auto rows_of_b = rows(RecordTable::kChunks);
  REQUIRE(rows_of_a.size() == rows_of_b.size());
  for (std::size_t i = 0; i < rows_of_b.size(); ++i)
    put_row(vault.store(), RecordTable::kChunks, scope.id(),
            {rows_of_b[i].first, rows_of_a[i].second});
  CHECK_FAILS_WITH(scope.get("b"), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(ObjectFixture, "a full disk at any update changes nothing") {
  const Bytes before = sample(kManyPieces);
  const Bytes after = sample(kObjectPieceSize + kManyPieces);
  must(scope.put("a", before));
  bool streamed = false;
  SECTION("put") {
    streamed = false;
  }
  SECTION("put_stream") {
    streamed = true;
  }
  for (int n = 1;; ++n) {
    INFO("update " << n);
    REQUIRE(n < 100);
    faulty.fail_at(n);
    const auto written = streamed ? records.put_stream(scope.id(), "a", source_of(after), {})
                                  : records.put(scope.id(), "a", after, {});
    if (!written) CHECK(written.error().code() == ErrorCode::kFull);
    const Bytes& expected = written ? after : before;
    check_reads("a", expected);
    if (!written) {
      CHECK(chunk_rows() == rows_for(before.size()));
      CHECK(garbage_rows() == 0);
      continue;
    }
    // The update that failed, if any, was one of the sweep of what was replaced.
    if (!faulty.failed()) break;
    must(records.collect_garbage([](const WriterToken&) { return false; }));
    CHECK(chunk_rows() == rows_for(after.size()));
    CHECK(garbage_rows() == 0);
    must(scope.put("a", before));
  }
  CHECK(chunk_rows() == rows_for(after.size()));
}

TEST_CASE_METHOD(ObjectFixture, "when a full disk prevents the cleaning, it is done later") {
  faulty.fail_at(2, RecordFault::kRefused, 100);
  CHECK_FAILS_WITH(records.put(scope.id(), "a", sample(kObjectPieceSize + kManyPieces), {}),
                   ErrorCode::kFull);
  CHECK(chunk_rows() > 0);
  CHECK(garbage_rows() == 1);
  vault.reopen();
  CHECK(leaves_nothing());
}

TEST_CASE_METHOD(ObjectFixture, "an unknown outcome of the last update loses no object") {
  const Bytes content = sample(kManyPieces);
  faulty.fail_at(2, RecordFault::kUnknownCommitted);
  CHECK_FAILS_WITH(records.put(scope.id(), "a", content, {}), ErrorCode::kUnavailable);
  check_reads("a", content);
}

TEST_CASE_METHOD(ObjectFixture, "a write that is durable is not made again") {
  PutOptions options;
  options.must_be_new = true;  // would fail a second time
  faulty.after_commit = [&] { vault.core().holders->publish(); };
  must(records.put(scope.id(), "small", Bytes{1}, options));
  const Bytes content = sample(kObjectPieceSize + kManyPieces);
  must(records.put(scope.id(), "large", content, options));
  CHECK(faulty.updates() == 4);
  check_reads("large", content);
}

TEST_CASE_METHOD(ObjectFixture, "what the keys moved away under is sealed again") {
  const Bytes content = sample(kObjectPieceSize + kManyPieces);
  int tries = 0;
  {
    const FailpointHook guard([&](std::string_view point) -> Result<void> {
      if (point == "objects/before-rows" && ++tries % 2 == 1) vault.core().holders->publish();
      return {};
    });
    must(scope.put("a", content));
  }
  CHECK(tries == 4);
  check_reads("a", content);
  CHECK(chunk_rows() == rows_for(content.size()));
}

TEST_CASE_METHOD(ObjectFixture, "what an interrupted replacement left is collected at opening") {
  const Bytes content = sample(kManyPieces);
  must(scope.put("a", sample(kManyPieces)));
  {
    const FailpointHook guard(refuse_sweeps);
    must(scope.put("a", content));
  }
  CHECK(chunk_rows() == 2 * rows_for(kManyPieces));
  CHECK(garbage_rows() == 1);
  check_reads("a", content);
  vault.reopen();
  scope = vault.scope("acme/data");
  CHECK(chunk_rows() == rows_for(kManyPieces));
  CHECK(garbage_rows() == 0);
  check_reads("a", content);
}

TEST_CASE_METHOD(ObjectFixture, "objects of writers that are alive are not collected") {
  WriterToken writer{};
  const Bytes content = sample(kObjectPieceSize);
  const auto source = source_of(content, [&]() -> Result<void> {
    const auto garbage = rows(RecordTable::kGarbage);
    REQUIRE(garbage.size() == 1);
    std::copy_n(garbage[0].second.begin(), writer.size(), writer.begin());
    const std::size_t before = chunk_rows();
    // Its own objects are never collected, nor those of others who are said to be alive.
    must(records.collect_garbage([](const WriterToken&) { return false; }));
    must(sweep_garbage(vault.store(), [&](const WriterToken& token) { return token == writer; }));
    CHECK(chunk_rows() == before);
    return Error(ErrorCode::kBusy, "enough");
  });
  CHECK_FAILS_WITH(records.put_stream(scope.id(), "a", source, {}), ErrorCode::kBusy);
}

TEST_CASE_METHOD(ObjectFixture, "a writer taken for dead notices, and stores nothing") {
  const Bytes content = sample(kObjectPieceSize + 1);
  const auto source = source_of(content, [&] {
    return sweep_garbage(vault.store(), [](const WriterToken&) { return false; });
  });
  CHECK_FAILS_WITH(scope.put_stream("a", source), ErrorCode::kUnavailable);
  CHECK(!must(scope.get("a")));
  CHECK(leaves_nothing());
}

TEST_CASE_METHOD(ObjectFixture, "a writer taken for dead at its last step notices, too") {
  const FailpointHook hook([&](std::string_view point) -> Result<void> {
    if (point != "records/before-update") return {};
    return sweep_garbage(vault.store(), [](const WriterToken&) { return false; });
  });
  CHECK_FAILS_WITH(scope.put("a", sample(kManyPieces)), ErrorCode::kUnavailable);
  CHECK(rows(RecordTable::kRecords).empty());
  CHECK(leaves_nothing());
}

TEST_CASE_METHOD(ObjectFixture, "nothing at all is stored behind the fence") {
  must(vault.store().update(
      [&](RecordWriter& writer) { return raise_fence(writer, scope.id(), kErasedFence); }));
  int commits = 0;
  faulty.after_commit = [&] { commits += chunk_rows() > 0 ? 1 : 0; };
  CHECK_FAILS_WITH(records.put(scope.id(), "a", sample(kManyPieces), {}), ErrorCode::kErased);
  CHECK(commits == 0);
}

TEST_CASE_METHOD(ObjectFixture, "garbage of an erased scope is collected without its keys") {
  must(scope.put("a", sample(kManyPieces)));
  {
    const FailpointHook guard(refuse_sweeps);
    must(scope.remove("a"));
  }
  vault.erase("acme");
  CHECK(chunk_rows() > 0);
  must(records.collect_garbage([](const WriterToken&) { return false; }));
  CHECK(leaves_nothing());
}
