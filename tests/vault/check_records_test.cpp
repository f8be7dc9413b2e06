#include <quietus/vault.hpp>

#include <algorithm>

#include "check.hpp"
#include "object_rows.hpp"
#include "support/failpoint_hook.hpp"
#include "support/record_rows.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

constexpr std::size_t kLarge = 1'000'000;

struct CheckFixture {
  TempVault vault;
  Scope scope = vault.scope("acme/data");

  CheckReport check() {
    CheckReport report;
    must(check_records(vault.keys(), vault.store(), {}, report));
    return report;
  }
  std::vector<RawRow> rows(RecordTable table) { return rows_of(vault.store(), table, scope.id()); }
  void put_many(int count) {
    Batch batch;
    for (int i = 0; i < count; ++i) batch.put("r" + std::to_string(i), Bytes(100));
    must(scope.write(batch));
  }
};

}  // namespace

TEST_CASE_METHOD(CheckFixture, "a sound store is found sound") {
  put_many(600);
  must(scope.put("large", Bytes(kLarge)));
  must(scope.put("larger", Bytes(2 * kLarge)));
  must(vault.scope("beta").put("a", Bytes(5)));
  const CheckReport report = check();
  CHECK(report.damages.empty());
  CHECK(report.records == 603);
  CHECK(report.bytes == 60'000 + 3 * kLarge + 5);
  CHECK(report.erased_records == 0);
  CHECK(report.orphaned_rows == 0);
}

TEST_CASE_METHOD(CheckFixture, "every damaged row is found, and the others are still checked") {
  put_many(600);
  const auto all = rows(RecordTable::kRecords);
  for (const std::size_t index : {0U, 255U, 256U, 599U}) {
    RawRow row = all[index];
    row.second[row.second.size() - index % 100 - 1] ^= 1;
    put_row(vault.store(), RecordTable::kRecords, scope.id(), row);
  }
  RawRow header = all[300];
  header.second[0] ^= 1;
  put_row(vault.store(), RecordTable::kRecords, scope.id(), header);
  put_row(vault.store(), RecordTable::kRecords, scope.id(), {Bytes{1, 2, 3}, Bytes(80)});
  const CheckReport report = check();
  CHECK(report.damages.size() == 6);
  CHECK(report.records == 595);
}

TEST_CASE_METHOD(CheckFixture, "a damage says where it is, without any name") {
  must(scope.put("recognisable", Bytes(10)));
  RawRow row = rows(RecordTable::kRecords).at(0);
  row.second.back() ^= 1;
  put_row(vault.store(), RecordTable::kRecords, scope.id(), row);
  const CheckReport report = check();
  REQUIRE(report.damages.size() == 1);
  const Damage& damage = report.damages.front();
  CHECK(damage.where.starts_with("record store, scope "));
  CHECK(damage.where.find(", row ") != std::string::npos);
  CHECK(!damage.what.empty());
  CHECK((damage.where + damage.what).find("recognisable") == std::string::npos);
}

TEST_CASE_METHOD(CheckFixture, "a large object is checked to its last byte") {
  must(scope.put("large", Bytes(kLarge)));
  const auto chunks = rows(RecordTable::kChunks);
  SECTION("a changed byte in the last row") {
    RawRow row = chunks.back();
    row.second.back() ^= 1;
    put_row(vault.store(), RecordTable::kChunks, scope.id(), row);
  }
  SECTION("a missing row") {
    remove_row(vault.store(), RecordTable::kChunks, scope.id(), chunks.at(3).first);
  }
  SECTION("all rows missing") {
    for (const RawRow& row : chunks)
      remove_row(vault.store(), RecordTable::kChunks, scope.id(), row.first);
  }
  const CheckReport report = check();
  CHECK(report.damages.size() == 1);
  CHECK(report.records == 0);
  CHECK(report.orphaned_rows == 0);
}

TEST_CASE_METHOD(CheckFixture, "rows that no record names are counted") {
  must(scope.put("large", Bytes(kLarge)));
  const std::size_t rows_of_object = rows(RecordTable::kChunks).size();
  SECTION("left by an interrupted removal") {
    const FailpointHook hook([](std::string_view point) -> Result<void> {
      if (point == "objects/before-sweep") return Error(ErrorCode::kIo, "injected");
      return {};
    });
    must(scope.remove("large"));
  }
  SECTION("without any trace of why") {
    remove_row(vault.store(), RecordTable::kRecords, scope.id(),
               rows(RecordTable::kRecords).at(0).first);
  }
  // Rows of others, before and after, are not taken for those.
  for (int i = 0; i < 8; ++i) must(scope.put("other " + std::to_string(i), Bytes(kLarge)));
  const CheckReport report = check();
  CHECK(report.damages.empty());
  CHECK(report.orphaned_rows == rows_of_object);
}

TEST_CASE_METHOD(CheckFixture, "records of erased scopes are counted apart") {
  put_many(300);
  must(scope.put("large", Bytes(kLarge)));
  must(vault.scope("acme/data/user").put("a", Bytes(5)));
  must(vault.scope("kept").put("a", Bytes(5)));
  vault.erase("acme/data");
  const CheckReport report = check();
  CHECK(report.damages.empty());
  CHECK(report.erased_records == 302);
  CHECK(report.records == 1);
  CHECK(report.orphaned_rows == 0);
}

TEST_CASE_METHOD(CheckFixture, "rows of a scope that does not exist are one damage") {
  put_many(300);
  for (const RawRow& row : rows(RecordTable::kRecords))
    put_row(vault.store(), RecordTable::kRecords, 4711, row);
  const CheckReport report = check();
  REQUIRE(report.damages.size() == 1);
  CHECK(report.damages[0].where == "record store, scope 0000000000001267");
  CHECK(report.records == 300);
}

TEST_CASE_METHOD(CheckFixture, "malformed chunk keys do not hide the records") {
  put_many(3);
  put_row(vault.store(), RecordTable::kChunks, scope.id(), {Bytes{1, 2, 3}, Bytes(10)});
  const CheckReport report = check();
  CHECK(report.damages.size() == 1);
  CHECK(report.records == 3);
}

TEST_CASE_METHOD(CheckFixture, "a check reports progress and can be stopped") {
  put_many(600);
  CheckReport report;
  std::uint64_t last = 0;
  const auto counting = [&](std::uint64_t done, std::uint64_t) {
    CHECK(done >= last);
    last = done;
    return true;
  };
  must(check_records(vault.keys(), vault.store(), counting, report));
  CHECK(last == 600);
  CHECK_FAILS_WITH(
      check_records(
          vault.keys(), vault.store(), [](std::uint64_t, std::uint64_t) { return false; }, report),
      ErrorCode::kRefused);
}
