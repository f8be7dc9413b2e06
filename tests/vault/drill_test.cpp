// A backup is restored on trial, and nothing of the trial stays.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "evidence/jws.hpp"
#include "keys/drills.hpp"
#include "keys/instances.hpp"
#include "support/failpoint_hook.hpp"
#include "support/retention_office.hpp"
#include "support/streams.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

struct DrillOffice : Office {
  TemporaryFolder scratch{TemporaryFolder::in_memory()};

  DrillOffice() : Office(nullptr) {}
  Bytes backup() const {
    Bytes content;
    must(vault().backups().create(sink_into(content)));
    return content;
  }
  Result<DrillReport> try_drill(const Bytes& backup) const {
    DrillOptions options;
    options.scratch = scratch / "";
    return vault().backups().drill(source_of(backup), options);
  }
  void erase(const std::string& path) const {
    const std::string paths[] = {path};
    must(vault().erase(paths, "test"));
  }
  std::size_t instances() const {
    std::size_t count = 0;
    must(core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
      QUIETUS_TRY_AS(const auto all,
                     rows::instances(reader, scopes.seal(), [] { FAIL("damaged"); }));
      count = all.size();
      return {};
    }));
    return count;
  }
  bool scratch_is_empty() const { return std::filesystem::is_empty(scratch / ""); }
};

TEST_CASE("a drill compares what lives and tries what was erased", "[drill]") {
  const DrillOffice office;
  must(office.scope("acme/data").put("same", as_bytes("one")));
  must(office.scope("acme/data").put("replaced", as_bytes("two")));
  must(office.scope("acme/data").put("removed", as_bytes("three")));
  Bytes large(2'000'000, 0x33);
  must(office.scope("acme/data").put_stream("large", source_of(large)));
  must(office.scope("globex").put("gone", as_bytes("four")));
  const Bytes backup = office.backup();
  must(office.scope("acme/data").put("replaced", as_bytes("2")));
  must(office.scope("acme/data").remove("removed"));
  office.erase("globex");
  const DrillReport report = must(office.try_drill(backup));
  CHECK(report.passed());
  CHECK(report.restore.restored == 4);
  CHECK(report.restore.erased == 1);
  CHECK(report.compared == 2);
  CHECK(report.differing == 0);
  CHECK(report.changed == 2);
  CHECK(report.erased_scopes == 1);
  CHECK(report.erased_scopes_readable == 0);
  // Nothing stays, and no certificate names the trial.
  CHECK(office.scratch_is_empty());
  CHECK(office.instances() == 0);
  const VaultStatus status = must(office.vault().status());
  CHECK(status.drill_unix_ms == report.done_unix_ms);
  CHECK(status.drill_passed);
  CHECK(status.backup_unix_ms != 0);
  CHECK(must(office.vault().check()).damages.empty());
}

TEST_CASE("the report of a drill is signed, and its hash in the log", "[drill]") {
  const DrillOffice office;
  must(office.scope("acme").put("a", as_bytes("one")));
  const DrillReport report = must(office.try_drill(office.backup()));
  const LogHead head = must(office.vault().log_head());
  const std::string entry = must(office.vault().log_entry(head.size - 1));
  CHECK(entry.find("drill-done") != std::string::npos);
  const auto file = nlohmann::json::parse(report.signed_report);
  const auto payload = from_base64url(file["payload"].get<std::string>());
  REQUIRE(payload);
  CHECK(entry.find(to_hex(sha256(*payload))) != std::string::npos);
  CHECK(nlohmann::json::parse(as_text(*payload))["passed"] == true);
}

TEST_CASE("a drill of a damaged backup fails, and status says so", "[drill]") {
  const DrillOffice office;
  must(office.scope("acme").put("a", as_bytes("one")));
  Bytes backup = office.backup();
  backup[backup.size() / 2] ^= 1;
  CHECK_FALSE(office.try_drill(backup).ok());
  CHECK(office.scratch_is_empty());
  CHECK(office.instances() == 0);
  const VaultStatus status = must(office.vault().status());
  CHECK(status.drill_unix_ms != 0);
  CHECK_FALSE(status.drill_passed);
}

TEST_CASE("a record that differs from what the vault has fails the drill", "[drill]") {
  const DrillOffice office;
  Scope scope = office.scope("acme");
  must(scope.put("a", as_bytes("one")));
  const Bytes backup = office.backup();
  // A vault whose own copy is damaged since cannot be what it was.
  must(office.core->record_store->update([&](RecordWriter& writer) -> Result<void> {
    Bytes key;
    Bytes value;
    QUIETUS_TRY(writer.scan({RecordTable::kRecords, scope.id(), {}},
                            [&](ByteView row, ByteView content) -> Result<bool> {
                              key.assign(row.begin(), row.end());
                              value.assign(content.begin(), content.end());
                              return false;
                            }));
    value.back() ^= 1;
    return writer.put({RecordTable::kRecords, scope.id(), key}, value);
  }));
  CHECK_FALSE(office.try_drill(backup).ok());
  CHECK(office.instances() == 0);
}

TEST_CASE("of two drills one waits, and one that was killed is forgotten by the next", "[drill]") {
  const DrillOffice office;
  must(office.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = office.backup();
  {
    LockFile lock = must(LockFile::make(office.core->files.drill()));
    REQUIRE(must(lock.try_lock(0, LockFile::Mode::kExclusive)));
    CHECK_FAILS_WITH(office.try_drill(backup), ErrorCode::kBusy);
  }
  const InstanceId killed{7};
  must(
      office.core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY(rows::put_drill(writer, scopes.seal(), {false, killed, 1, {}, false, {}}));
        return rows::put_instance(writer, scopes.seal(), {killed, 1, UINT64_MAX, {}, {}});
      }));
  CHECK(office.instances() == 1);
  must(office.try_drill(backup));
  CHECK(office.instances() == 0);
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever a drill fails, nothing of it stays", "[drill]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    DrillOffice office;
    must(office.scope("acme").put("a", as_bytes("one")));
    const Bytes backup = office.backup();
    bool fired = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      const auto drilled = office.try_drill(backup);
      if (!fired) CHECK(drilled.ok());
    }
    CHECK(office.scratch_is_empty());
    office.reopen();
    const DrillReport again = must(office.try_drill(backup));
    CHECK(again.passed());
    CHECK(office.instances() == 0);
    if (!fired) break;
  }
}
#endif

}  // namespace
