// Backups opened with the keys of now, and taken out of the inventory.
#include <catch2/catch.hpp>

#include "backup_format.hpp"
#include "base/text_encoding.hpp"
#include "support/streams.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

Bytes new_backup(const TempVault& place, const Bytes* base = nullptr) {
  Bytes content;
  BackupOptions options;
  if (base != nullptr) options.base = source_of(*base);
  must(place.vault().backups().create(sink_into(content), options));
  return content;
}

OpenedBackup opened_by(const TempVault& place, const Bytes& backup, const Bytes* base = nullptr) {
  const ByteSource source = base == nullptr ? ByteSource() : source_of(*base);
  return must(
      place.vault().backups().verify(source_of(backup), base == nullptr ? nullptr : &source));
}

// Changes every row of a table that has `scope`'s rows, as a damage of the disk would.
void change_rows(const TempVault& place, RecordTable table, std::string_view path,
                 const std::function<void(Bytes& value)>& change) {
  const ScopeId scope = must(place.vault().scope(path)).id();
  std::vector<std::pair<Bytes, Bytes>> rows;
  must(place.store().read([&](RecordReader& reader) {
    return reader.scan({table, scope, {}}, [&](ByteView key, ByteView value) -> Result<bool> {
      rows.emplace_back(Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
      return true;
    });
  }));
  REQUIRE_FALSE(rows.empty());
  must(place.store().update([&](RecordWriter& writer) -> Result<void> {
    for (auto& [key, value] : rows) {
      Bytes changed = value;
      change(changed);
      if (changed.empty())
        QUIETUS_TRY(writer.remove({table, scope, key}));
      else
        QUIETUS_TRY(writer.put({table, scope, key}, changed));
    }
    return {};
  }));
}

TEST_CASE("every record of a backup opens with the vault's keys", "[backup][opening]") {
  const TempVault place;
  std::uint64_t bytes = 0;
  for (const char* path : {"acme/a", "acme/b", "globex"}) {
    Scope scope = place.scope(path);
    for (int i = 0; i < 400; ++i) must(scope.put("r" + std::to_string(i), Bytes(100, 1)));
    bytes += 40'000;
    // Around the sizes of rows, chunks and what is opened at a time.
    for (const std::size_t size : {16384UL * 16 + 1, 16384UL * 17, 65520UL * 16, 3'000'001UL}) {
      const Bytes large(size, 0x5A);
      must(scope.put_stream("large" + std::to_string(size), source_of(large)));
      bytes += size;
    }
  }
  const OpenedBackup opened = opened_by(place, new_backup(place));
  CHECK(opened.sound());
  CHECK(opened.records == 1212);
  CHECK(opened.opened == opened.records);
  CHECK(opened.bytes == bytes);
  CHECK(opened.erased + opened.purged + opened.missing + opened.contents_not_opened == 0);
  CHECK(opened.backup.info.records == opened.records);
  CHECK(opened.backup.records_in_all == opened.records);
  CHECK(opened.backup.trusted);
}

TEST_CASE("what was erased or purged since is counted", "[backup][opening]") {
  const TempVault place;
  const Bytes large(1'000'000, 1);
  for (const char* path : {"acme/a", "acme/b", "acme/c"}) {
    must(place.scope(path).put("r", as_bytes("1")));
    must(place.scope(path).put_stream("l", source_of(large)));
  }
  const Bytes backup = new_backup(place);
  place.erase("acme/a");
  must(place.vault().lifecycle().purge("acme/b", "test"));
  must(place.vault().lifecycle().rotate("acme/c", "test"));
  const OpenedBackup opened = opened_by(place, backup);
  CHECK(opened.sound());
  CHECK(opened.records == 6);
  CHECK(opened.opened == 2);
  CHECK(opened.erased == 2);
  CHECK(opened.purged == 2);
}

TEST_CASE("an incremental backup is opened with its base", "[backup][opening]") {
  const TempVault place;
  Scope scope = place.scope("acme");
  const Bytes large(1'000'000, 1);
  must(scope.put_stream("l", source_of(large)));
  must(scope.put("a", as_bytes("1")));
  const Bytes base = new_backup(place);
  must(scope.put("b", as_bytes("1")));
  must(scope.put("a", as_bytes("2")));
  const Bytes changes = new_backup(place, &base);
  const OpenedBackup opened = opened_by(place, changes, &base);
  CHECK(opened.sound());
  CHECK(opened.opened == 3);
  CHECK(opened.backup.info.records == 2);
  CHECK(opened.backup.records_in_all == 3);
  const auto alone = place.vault().backups().verify(source_of(changes));
  CHECK(alone.error().code() == ErrorCode::kRefused);
}

TEST_CASE("what does not open is told", "[backup][opening]") {
  const TempVault place;
  must(place.scope("acme/a").put("r", Bytes(100, 1)));
  must(place.scope("acme/b").put("r", Bytes(100, 1)));
  const Bytes large(1'000'000, 1);
  for (const char* path : {"l1", "l2", "l3"})
    must(place.scope(path).put_stream("l", source_of(large)));
  change_rows(place, RecordTable::kRecords, "acme/b", [](Bytes& value) { value.back() ^= 1; });
  int row = 0;
  change_rows(place, RecordTable::kChunks, "l1", [&](Bytes& value) {
    if (++row == 7) value[30'000] ^= 1;
  });
  row = 0;
  change_rows(place, RecordTable::kChunks, "l2", [&](Bytes& value) {
    if (++row == 7) value.clear();
  });
  change_rows(place, RecordTable::kChunks, "l3", [&](Bytes& value) { value.clear(); });
  const OpenedBackup opened = opened_by(place, new_backup(place));
  CHECK_FALSE(opened.sound());
  CHECK(opened.records == 5);
  CHECK(opened.opened == 1);
  CHECK(opened.damaged == 4);
  CHECK(opened.damages.size() == 4);
  CHECK(opened.bytes == 100);
}

TEST_CASE("only a backup of this vault, whole and signed with its key, is opened",
          "[backup][opening]") {
  const TempVault place;
  const TempVault other;
  must(place.scope("acme").put("r", as_bytes("1")));
  const Bytes good = new_backup(place);
  CHECK(other.vault().backups().verify(source_of(good)).error().code() == ErrorCode::kRefused);
  for (std::size_t at = 0; at < good.size(); at += 1 + good.size() / 50) {
    Bytes bad = good;
    bad[at] ^= 4;
    CHECK_FALSE(place.vault().backups().verify(source_of(bad)).ok());
  }
  const Bytes cut(good.begin(), good.end() - 1);
  CHECK_FALSE(place.vault().backups().verify(source_of(cut)).ok());
}

TEST_CASE("a backup that is forgotten is out of the inventory, and the log says so",
          "[backup][forget]") {
  TempVault place;
  const Bytes first = new_backup(place);
  const Bytes second = new_backup(place);
  Backups backups = place.vault().backups();
  const std::string id = must(backups.list()).at(0).id;
  CHECK(must(backups.forget(id)).id == id);
  const auto left = must(backups.list());
  REQUIRE(left.size() == 1);
  CHECK(left[0].id != id);
  const LogHead head = must(place.vault().log_head());
  const std::string entry = must(place.vault().log_entry(head.size - 1));
  CHECK(entry.find("backup-dropped") != std::string::npos);
  CHECK(entry.find(id) != std::string::npos);
  CHECK(backups.forget(id).error().code() == ErrorCode::kNotFound);
  for (const char* wrong : {"", "12", "zz", "0123456789ABCDEF0123456789ABCDEF"})
    CHECK(backups.forget(wrong).error().code() == ErrorCode::kInvalidArgument);
  CHECK(must(check_backup(source_of(first))).info.id == id);  // its file is nothing of ours
  OpenOptions look;
  look.read_only = true;
  place.reopen(look);
  CHECK(place.vault().backups().forget(left[0].id).error().code() == ErrorCode::kRefused);
}

TEST_CASE("a base is not forgotten before what holds changes since it", "[backup][forget]") {
  const TempVault place;
  const Bytes base = new_backup(place);
  new_backup(place, &base);
  Backups backups = place.vault().backups();
  const auto listed = must(backups.list());
  const auto refused = backups.forget(listed[0].id);
  CHECK(refused.error().code() == ErrorCode::kRefused);
  CHECK(refused.error().context().find(listed[1].id) != std::string::npos);
  must(backups.forget(listed[1].id));
  must(backups.forget(listed[0].id));
  CHECK(must(backups.list()).empty());
}

}  // namespace
