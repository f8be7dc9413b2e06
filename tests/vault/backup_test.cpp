// Data backups: what is in them, what is refused, what the inventory says.
#include <catch2/catch.hpp>

#include <map>
#include <thread>

#include "backup_format.hpp"
#include "base/text_encoding.hpp"
#include "evidence/cosignature_rows.hpp"
#include "keys/backups.hpp"
#include "support/failpoint_hook.hpp"
#include "support/streams.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

constexpr std::int64_t kDayMillis = 86'400'000;

Bytes backup_of(const TempVault& place, const std::string& keep = {}) {
  Bytes content;
  BackupOptions options;
  options.keep = keep;
  must(place.vault().backups().create(sink_into(content), options));
  return content;
}

ErrorCode refusal_of(const Bytes& backup) {
  const auto checked = check_backup(source_of(backup));
  REQUIRE_FALSE(checked.ok());
  return checked.error().code();
}

struct RowCounts {
  std::map<RecordTable, std::uint64_t> of_records;
  std::uint64_t of_control = 0;
};

RowCounts rows_in(const Bytes& backup) {
  const ByteSource source = source_of(backup);
  BackupReader reader(source);
  must(reader.head());
  RowCounts counts;
  while (const auto row = must(reader.next()))
    if (row->table)
      ++counts.of_records[*row->table];
    else
      ++counts.of_control;
  return counts;
}

bool contains(const Bytes& where, std::string_view what) {
  return as_text(where).find(what) != std::string_view::npos;
}

TEST_CASE("a backup holds every row and checks out without keys", "[backup]") {
  const TempVault place;
  Scope scope = place.scope("acme/customer-data/user-7");
  for (int i = 0; i < 300; ++i)
    must(scope.put("record-" + std::to_string(i), as_bytes("a secret of user-7")));
  const Bytes large(3'000'000, 0x5A);
  must(scope.put_stream("large", source_of(large)));

  Bytes content;
  const BackupInfo made = must(place.vault().backups().create(sink_into(content)));
  CHECK(made.records == 301);
  CHECK(made.bytes == content.size());

  const CheckedBackup checked = must(check_backup(source_of(content)));
  CHECK(checked.info.id == made.id);
  CHECK(checked.info.records == 301);
  CHECK(checked.info.bytes == content.size());
  CHECK(checked.info.begun_unix_ms == made.begun_unix_ms);
  CHECK(checked.info.expires_unix_ms == made.expires_unix_ms);
  CHECK(checked.info.manifest_sha256 == made.manifest_sha256);
  CHECK(checked.vault_id == to_hex(place.core().header.vault));
  CHECK(checked.log_vkey == must(place.vault().log_verifier_key()));
  CHECK_FALSE(checked.trusted);

  const RowCounts rows = rows_in(content);
  CHECK(rows.of_records.at(RecordTable::kRecords) == 301);
  CHECK(rows.of_records.at(RecordTable::kChunks) == 3'000'000 / 65520 + 1);
  CHECK(rows.of_control > 10);
  CHECK_FALSE(contains(content, "a secret of user-7"));
  CHECK_FALSE(contains(content, "record-1"));
  CHECK_FALSE(contains(content, "user-7"));
}

TEST_CASE("a backup of an empty vault is one", "[backup]") {
  const TempVault place;
  CHECK(must(check_backup(source_of(backup_of(place)))).info.records == 0);
}

TEST_CASE("the inventory names every backup, and the log each step", "[backup]") {
  const TempVault place;
  const Bytes first = backup_of(place, "10d");
  const Bytes second = backup_of(place);
  const auto listed = must(place.vault().backups().list());
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].expires_unix_ms == listed[0].begun_unix_ms + 10 * kDayMillis);
  CHECK(listed[1].expires_unix_ms == listed[1].begun_unix_ms + 30 * kDayMillis);
  CHECK(listed[0].made_unix_ms >= listed[0].begun_unix_ms);
  CHECK(listed[0].id == must(check_backup(source_of(first))).info.id);

  const LogHead head = must(place.vault().log_head());
  std::vector<std::string> kinds;
  for (std::uint64_t i = head.size - 4; i < head.size; ++i) {
    const std::string entry = must(place.vault().log_entry(i));
    kinds.push_back(entry.find("backup-begun") != std::string::npos ? "begun" : "made");
    CHECK(entry.find(listed[i < head.size - 2 ? 0 : 1].id) != std::string::npos);
  }
  CHECK(kinds == std::vector<std::string>{"begun", "made", "begun", "made"});
}

TEST_CASE("how long a backup is kept is a period", "[backup]") {
  const TempVault place;
  for (const char* wrong : {"30", "d", "0d", "-1d", "30 d", "9999999999d", "forever"}) {
    INFO(wrong);
    Bytes content;
    BackupOptions options;
    options.keep = wrong;
    const auto made = place.vault().backups().create(sink_into(content), options);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code() == ErrorCode::kInvalidArgument);
    CHECK(content.empty());
  }
  CHECK(must(place.vault().backups().list()).empty());
}

TEST_CASE("the policy says how long a backup is kept", "[backup]") {
  const TempVault place;
  must(place.vault().retention().apply_policy(
      "effective = 2020-01-01\nbackup-retention = \"14d\"\n"));
  backup_of(place);
  const auto listed = must(place.vault().backups().list());
  CHECK(listed[0].expires_unix_ms - listed[0].begun_unix_ms == 14 * kDayMillis);
}

TEST_CASE("no flipped bit and no cut of a backup is accepted", "[backup]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  const Bytes good = backup_of(place);
  must(check_backup(source_of(good)));
  for (std::size_t at = 0; at < good.size(); at += 1 + at / 64) {
    INFO("byte " << at);
    Bytes bad = good;
    bad[at] ^= 0x10;
    const ErrorCode code = refusal_of(bad);
    CHECK((code == ErrorCode::kCorrupt || code == ErrorCode::kUnverified ||
           code == ErrorCode::kUnsupported));
    CHECK(refusal_of(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at))) ==
          ErrorCode::kCorrupt);
  }
  Bytes longer = good;
  longer.push_back(0);
  CHECK(refusal_of(longer) == ErrorCode::kCorrupt);
}

TEST_CASE("no flipped bit of a large block is accepted", "[backup]") {
  const TempVault place;
  const Bytes large(5'000'000, 1);
  must(place.scope("acme").put_stream("large", source_of(large)));
  const Bytes good = backup_of(place);
  must(check_backup(source_of(good)));
  for (std::size_t at = 100; at < good.size(); at += good.size() / 12) {
    INFO("byte " << at);
    Bytes bad = good;
    bad[at] ^= 1;
    refusal_of(bad);
    refusal_of(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at)));
  }
}

TEST_CASE("a sink that fails in a large block, or a caller that stops, ends a backup", "[backup]") {
  const TempVault place;
  const Bytes large(5'000'000, 1);
  must(place.scope("acme").put_stream("large", source_of(large)));
  for (std::size_t room = 0; room < 5'000'000; room += 700'000) {
    std::size_t left = room;
    const auto made = place.vault().backups().create([&](ByteView piece) -> Result<void> {
      if (piece.size() > left) return Error(ErrorCode::kFull, "no space left on device");
      left -= piece.size();
      return {};
    });
    CHECK(made.error().code() == ErrorCode::kFull);
  }
  CHECK(must(place.vault().backups().list()).empty());
}

TEST_CASE("a backup with another one's manifest is refused", "[backup]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  const Bytes first = backup_of(place);
  must(place.scope("acme").put("b", as_bytes("2")));
  const Bytes second = backup_of(place);
  const auto manifest_at = [](const Bytes& backup) {
    return as_text(backup).rfind("quietus-backup/v1") - 5;  // kind and size stand before it
  };
  Bytes mixed(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(manifest_at(first)));
  mixed.insert(mixed.end(), second.begin() + static_cast<std::ptrdiff_t>(manifest_at(second)),
               second.end());
  CHECK(refusal_of(mixed) == ErrorCode::kUnverified);
}

TEST_CASE("a backup is trusted by the log key that signed it", "[backup]") {
  const TempVault place;
  const TempVault other;
  const Bytes content = backup_of(place);
  const auto trust_of = [](const TempVault& vault) {
    return must(Trust::parse("log " + must(vault.vault().log_verifier_key()) + "\nquorum none\n"));
  };
  const Trust right = trust_of(place);
  CHECK(must(check_backup(source_of(content), &right)).trusted);
  const Trust wrong = trust_of(other);
  const auto refused = check_backup(source_of(content), &wrong);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kUnverified);
}

TEST_CASE("a backup whose sink fails is dropped from the inventory", "[backup]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  std::size_t room = 200;
  const ByteSink full = [&](ByteView piece) -> Result<void> {
    if (piece.size() > room) return Error(ErrorCode::kFull, "no space left on device");
    room -= piece.size();
    return {};
  };
  const auto made = place.vault().backups().create(full);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == ErrorCode::kFull);
  CHECK(must(place.vault().backups().list()).empty());
  const LogHead head = must(place.vault().log_head());
  CHECK(must(place.vault().log_entry(head.size - 1)).find("backup-dropped") != std::string::npos);
}

TEST_CASE("a caller can stop a backup", "[backup]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  Bytes content;
  BackupOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) { return done < 100; };
  const auto made = place.vault().backups().create(sink_into(content), options);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == ErrorCode::kRefused);
  CHECK(must(place.vault().backups().list()).empty());
}

TEST_CASE("a backup shows one moment while others write and erase", "[backup]") {
  const TempVault place;
  Scope acme = place.scope("acme");
  must(place.scope("globex").put("g", as_bytes("1")));
  for (int i = 0; i < 100; ++i) must(acme.put("old-" + std::to_string(i), Bytes(20'000, 1)));
  bool meddled = false;
  Bytes content;
  const ByteSink sink = [&](ByteView piece) -> Result<void> {
    content.insert(content.end(), piece.begin(), piece.end());
    if (meddled || content.size() < 1'000'000) return {};
    meddled = true;
    std::thread([&] {
      for (int i = 0; i < 100; ++i) {
        must(acme.put("new-" + std::to_string(i), as_bytes("n")));
        must(acme.remove("old-" + std::to_string(i)));
      }
      place.erase("globex");
    }).join();
    return {};
  };
  const BackupInfo made = must(place.vault().backups().create(sink));
  CHECK(meddled);
  CHECK(made.records == 101);
  CHECK(rows_in(content).of_records.at(RecordTable::kRecords) == 101);
  must(check_backup(source_of(content)));
}

TEST_CASE("what witnesses signed and what backups there are lie in tables of their own",
          "[backup]") {
  const TempVault place;
  must(place.core().update([](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    return store_cosignatures(writer, {seal.key, seal.vault, seal.context}, 1,
                              {{"w.example", {1, 2, 3, 4}, Bytes(72, 1)}});
  }));
  backup_of(place);
  CHECK(must(place.vault().backups().list()).size() == 1);
  CHECK(must(place.vault().retention().sweep()).keys_kept_because.empty());
  CHECK(must(place.vault().check()).damages.empty());
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever a backup fails, it is dropped or counted, never forgotten", "[backup]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    TempVault place;
    must(place.scope("acme").put("a", as_bytes("1")));
    Bytes content;
    bool fired = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      const auto made = place.vault().backups().create(sink_into(content));
      CHECK(made.ok() != fired);
    }
    place.reopen();  // a commit of unknown outcome has closed it
    CHECK(must(place.vault().check()).damages.empty());
    const auto listed = must(place.vault().backups().list());
    // Somebody may have kept what was signed.
    if (check_backup(source_of(content)).ok()) CHECK(listed.size() == 1);
    if (!fired) CHECK(listed.at(0).made_unix_ms > 0);
    if (!fired) break;
  }
}
#endif

}  // namespace
