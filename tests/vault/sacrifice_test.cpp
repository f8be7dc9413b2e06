// A purge that gives up the records that do not open: only when asked, never without a trace.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "evidence/log_entry.hpp"
#include "support/failpoint_hook.hpp"
#include "support/record_rows.hpp"
#include "support/temp_vault.hpp"

namespace quietus::test {
namespace {

using enum ErrorCode;

constexpr const char* kPath = "acme/data";
constexpr const char* kChild = "acme/data/child";

// Small records and a large one; rows of them are damaged as a disk would.
struct Damaged {
  TempVault place;
  Vault vault = place.vault();
  Lifecycle lifecycle = vault.lifecycle();
  Scope scope = place.scope(kPath);
  Bytes large = Bytes(700'000, 7);

  Damaged() {
    for (int n = 0; n < 20; ++n)
      must(scope.put("record " + std::to_string(n), as_bytes("content")));
    must(scope.put("large", large));
  }
  std::vector<RawRow> rows(RecordTable table = RecordTable::kRecords) const {
    return rows_of(place.store(), table, scope.id());
  }
  // The row of a record: the one that changes when it is written again.
  RawRow row_of(const std::string& name) {
    const auto before = rows();
    must(scope.put(name, name == "large" ? ByteView(large) : as_bytes("content")));
    for (const RawRow& row : rows())
      if (std::find(before.begin(), before.end(), row) == before.end()) return row;
    FAIL("no row changed");
    return {};
  }
  std::string damage(const std::string& name, std::size_t at) {
    RawRow row = row_of(name);
    row.second.at(at) ^= 1;
    put_row(place.store(), RecordTable::kRecords, scope.id(), row);
    return to_hex(row.first);
  }
  std::size_t last_byte(const std::string& name) { return row_of(name).second.size() - 1; }

  Result<RotationReport> purge(bool sacrifice) {
    RotationOptions options;
    options.sacrifice_unreadable = sacrifice;
    return lifecycle.purge(kPath, "test", options);
  }
  std::vector<std::uint64_t> logged() {
    std::vector<std::uint64_t> counts;
    for (std::uint64_t i = 0; i < must(vault.log_head()).size; ++i) {
      const auto entry = must(LogEntry::parse(as_bytes(must(vault.log_entry(i)))));
      if (entry.kind() != entry_kinds::kRecordsGivenUp) continue;
      CHECK(*entry.text("reason") == "unreadable");
      counts.push_back(*entry.number("records"));
    }
    return counts;
  }
  void check_sound(std::size_t records) {
    const CheckReport report = must(vault.check());
    for (const Damage& one : report.damages) FAIL_CHECK(one.where << ": " << one.what);
    CHECK(report.orphaned_rows == 0);
    CHECK(report.records == records);
    CHECK(rows(RecordTable::kGarbage).empty());
  }
};

TEST_CASE("a purge gives up what does not open, when it is asked to", "[rotation]") {
  Damaged t;
  // Content, metadata, and a header that is none.
  std::vector<std::string> expected = {t.damage("record 3", t.last_byte("record 3")),
                                       t.damage("record 7", 40), t.damage("record 9", 0)};
  CHECK_FAILS_WITH(t.purge(false), kCorrupt);
  CHECK(t.logged().empty());
  CHECK(t.rows().size() == 21);
  const RotationReport report = must(t.purge(true));
  CHECK(report.given_up == 3);
  CHECK(report.keys_destroyed == 2);  // also that of the purge that failed
  auto named = report.given_up_records;
  std::sort(named.begin(), named.end());
  std::sort(expected.begin(), expected.end());
  CHECK(named == expected);
  CHECK(t.logged() == std::vector<std::uint64_t>{3});
  for (const std::string name : {"record 3", "record 7", "record 9"})
    CHECK_FALSE(must(t.scope.get(name)).has_value());
  CHECK(must(t.scope.get("large")) == t.large);
  t.check_sound(18);
  CHECK(must(t.lifecycle.rotations()).empty());
  // Nothing is left to give up.
  CHECK(must(t.purge(true)).given_up == 0);
  CHECK(t.logged().size() == 1);
}

TEST_CASE("a large object of which a piece is damaged is given up with its pieces", "[rotation]") {
  Damaged t;
  RawRow piece = t.rows(RecordTable::kChunks).at(3);
  piece.second.at(100) ^= 1;
  put_row(t.place.store(), RecordTable::kChunks, t.scope.id(), piece);
  CHECK_FAILS_WITH(t.purge(false), kCorrupt);
  const RotationReport report = must(t.purge(true));
  CHECK(report.given_up == 1);
  CHECK_FALSE(must(t.scope.get("large")).has_value());
  CHECK(t.rows(RecordTable::kChunks).empty());
  t.check_sound(20);
}

TEST_CASE("a rotation that keeps the old key gives up nothing, nor does one that is taken up",
          "[rotation]") {
  Damaged t;
  t.damage("record 3", 40);
  RotationOptions options;
  options.sacrifice_unreadable = true;
  CHECK_FAILS_WITH(t.lifecycle.rotate(kPath, "test", options), kInvalidArgument);
  CHECK(must(t.lifecycle.rotations()).empty());
  {
    const FailpointHook hook([](std::string_view name) -> Result<void> {
      return name == "move/before-give-up" ? Result<void>(Error(kIo, "planned")) : Result<void>();
    });
    CHECK_FAILS_WITH(t.purge(true), kIo);
  }
  // It was told before it was done, and was not done.
  CHECK(t.logged() == std::vector<std::uint64_t>{1});
  CHECK(t.rows().size() == 21);
  CHECK_FAILS_WITH(t.lifecycle.resume_rotations(), kCorrupt);
  CHECK(t.rows().size() == 21);
  CHECK(must(t.purge(true)).given_up == 1);
  t.check_sound(20);
}

TEST_CASE("I-22: what is held meanwhile is not given up", "[rotation][holds]") {
  Damaged t;
  t.damage("record 3", 40);
  {
    const FailpointHook hook([&](std::string_view name) -> Result<void> {
      if (name == "move/before-give-up") must(t.lifecycle.place_hold("acme", "audit"));
      return {};
    });
    CHECK_FAILS_WITH(t.purge(true), kHeld);
  }
  CHECK(t.rows().size() == 21);
}

TEST_CASE("what is replaced before it is given up stays", "[rotation]") {
  Damaged t;
  t.damage("record 3", 40);
  const FailpointHook hook([&](std::string_view name) -> Result<void> {
    if (name == "move/before-give-up") must(t.scope.put("record 3", as_bytes("newer")));
    return {};
  });
  const RotationReport report = must(t.purge(true));
  CHECK(report.given_up == 0);
  CHECK(must(t.scope.get("record 3")) == Bytes{'n', 'e', 'w', 'e', 'r'});
  t.check_sound(21);
}

TEST_CASE("a scope below that does not open is given up by erasing it", "[rotation]") {
  for (const char row : {'K', 'I'}) {
    INFO(row);
    Damaged t;
    const ScopeId child = t.place.scope(kChild).id();
    must(t.place.core().control->update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
      return writer.put(ByteWriter().u8(static_cast<std::uint8_t>(row)).u64(child).take(),
                        as_bytes("no such row"));
    }));
    CHECK_FAILS_WITH(t.purge(true), kCorrupt);
    CHECK(t.logged().empty());
    t.place.erase(kChild);
    CHECK(must(t.purge(false)).keys_destroyed == 2);
    t.check_sound(21);
  }
}

TEST_CASE("no record goes because the scope's own keys cannot be had", "[rotation]") {
  Damaged t;
  t.damage("record 3", 40);
  const FailpointHook hook([](std::string_view name) -> Result<void> {
    return name == "move/before-update" ? Result<void>(Error(kCorrupt, "planned")) : Result<void>();
  });
  CHECK_FAILS_WITH(t.purge(true), kCorrupt);
  CHECK(t.rows().size() == 21);
  CHECK(t.logged().empty());
}

}  // namespace
}  // namespace quietus::test
