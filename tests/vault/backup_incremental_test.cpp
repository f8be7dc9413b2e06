// Backups of what changed: with their base they are what a complete one would be.
#include <catch2/catch.hpp>

#include <random>

#include "backup_merge.hpp"
#include "base/text_encoding.hpp"
#include "crypto/signature.hpp"
#include "evidence/signed_note.hpp"
#include "keys/backups.hpp"
#include "support/failpoint_hook.hpp"
#include "support/streams.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

struct MadeBackup {
  BackupInfo info;
  Bytes content;
};

Result<MadeBackup> try_incremental(const TempVault& place, const Bytes& base,
                                   const std::string& keep = {}) {
  MadeBackup made;
  BackupOptions options;
  options.base = source_of(base);
  options.keep = keep;
  QUIETUS_TRY_AS(made.info, place.vault().backups().create(sink_into(made.content), options));
  return made;
}

MadeBackup complete_backup(const TempVault& place, const std::string& keep = {}) {
  MadeBackup made;
  BackupOptions options;
  options.keep = keep;
  made.info = must(place.vault().backups().create(sink_into(made.content), options));
  return made;
}

NoteKey log_key_of(const TempVault& place) {
  return must(parse_vkey(must(place.vault().log_verifier_key())));
}

// Rows of the record store, in order: where, and what.
using RecordRows = std::vector<std::pair<Bytes, Bytes>>;

void note_backup_row(RecordRows& rows, const BackupReader::Row& row) {
  CHECK_FALSE(row.removed);
  if (!row.table) return;
  Bytes place = {static_cast<std::uint8_t>(*row.table)};
  const std::string scope = std::to_string(row.scope) + "/";
  place.insert(place.end(), scope.begin(), scope.end());
  place.insert(place.end(), row.key.begin(), row.key.end());
  rows.emplace_back(std::move(place), Bytes(row.value.begin(), row.value.end()));
}

template <class Reader>
RecordRows read_record_rows(Reader&& reader, const NoteKey& log) {
  RecordRows rows;
  must(reader.head());
  while (const auto row = must(reader.next())) note_backup_row(rows, *row);
  must(reader.finish(log));
  return rows;
}

RecordRows backed_up_rows(const Bytes& complete, const NoteKey& log) {
  const ByteSource source = source_of(complete);
  return read_record_rows(BackupReader(source), log);
}

RecordRows backed_up_rows(const Bytes& base, const Bytes& changes, const NoteKey& log) {
  const ByteSource first = source_of(base);
  const ByteSource second = source_of(changes);
  return read_record_rows(BackupMerge(&first, second), log);
}

Result<CheckedBackup> check_pair(const Bytes& base, const Bytes& changes) {
  const ByteSource source = source_of(base);
  return check_backup(source_of(changes), nullptr, &source);
}

// DrawnChanges of all kinds, drawn.
class DrawnChanges {
 public:
  DrawnChanges(const TempVault& place, std::uint32_t seed) : place_(place), random_(seed) {
    for (int i = 0; i < 4; ++i) make_scope();
  }

  void some(int count) {
    for (int i = 0; i < count; ++i) one();
  }

 private:
  std::size_t draw(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }
  void make_scope() {
    ++made_;
    scopes_.push_back("tenant-" + std::to_string(made_ % 3) + "/s" + std::to_string(made_));
    static_cast<void>(place_.scope(scopes_.back()));
  }
  void one() {
    const std::size_t kind = draw(20);
    if (kind == 0 || scopes_.empty()) return make_scope();
    const std::size_t at = draw(scopes_.size());
    if (kind == 1 && scopes_.size() > 2) {
      place_.erase(scopes_[at]);
      scopes_.erase(scopes_.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    }
    Scope scope = place_.scope(scopes_[at]);
    const std::string name = "r" + std::to_string(draw(30));
    if (kind < 6) {
      static_cast<void>(scope.remove(name));
    } else if (kind == 6) {
      const Bytes large(300'000 + draw(400'000), static_cast<std::uint8_t>(draw(256)));
      must(scope.put_stream(name, source_of(large)));
    } else if (kind == 7) {
      must(place_.vault().lifecycle().rotate(scopes_[at], "test"));
    } else {
      must(scope.put(name, Bytes(draw(3000), static_cast<std::uint8_t>(draw(256)))));
    }
  }

  const TempVault& place_;
  std::mt19937 random_;
  std::vector<std::string> scopes_;
  int made_ = 0;
};

TEST_CASE("a base and the changes since are a complete backup, whatever changed",
          "[backup][incremental]") {
  const auto seed = GENERATE(range(1U, 7U));
  INFO("seed " << seed);
  const TempVault place;
  const NoteKey log = log_key_of(place);
  DrawnChanges changes(place, seed);
  changes.some(150);
  const MadeBackup base = complete_backup(place);
  for (int round = 0; round < 3; ++round) {
    changes.some(10);
    const MadeBackup incremental = must(try_incremental(place, base.content));
    const MadeBackup complete = complete_backup(place);
    const RecordRows wanted = backed_up_rows(complete.content, log);
    CHECK((backed_up_rows(base.content, incremental.content, log) == wanted));
    CHECK(incremental.content.size() < complete.content.size());
    CHECK(must(check_backup(source_of(incremental.content))).info.id == incremental.info.id);
    CHECK(must(check_pair(base.content, incremental.content)).records_in_all ==
          complete.info.records);
  }
}

TEST_CASE("an incremental backup holds only what changed", "[backup][incremental]") {
  const TempVault place;
  Scope scope = place.scope("acme/data");
  for (int i = 0; i < 500; ++i) must(scope.put("r" + std::to_string(i), Bytes(1000, 1)));
  const Bytes large(3'000'000, 0x5A);
  must(scope.put_stream("large", source_of(large)));
  const MadeBackup base = complete_backup(place);
  must(scope.put("r7", as_bytes("replaced")));
  must(scope.put("new", as_bytes("new")));
  must(scope.remove("r9"));
  const MadeBackup made = must(try_incremental(place, base.content));
  CHECK(made.info.records == 2);
  CHECK(made.info.base_id == base.info.id);
  CHECK(made.info.bytes == made.content.size());
  CHECK(made.content.size() < 100'000);
  const CheckedBackup checked = must(check_backup(source_of(made.content)));
  CHECK(checked.info.records == 2);
  CHECK(checked.removed == 1);
  CHECK(checked.info.base_id == base.info.id);
  CHECK(checked.base_manifest_sha256 == base.info.manifest_sha256);
  CHECK(checked.records_in_all == 0);
  const CheckedBackup both = must(check_pair(base.content, made.content));
  CHECK(both.info.manifest_sha256 == made.info.manifest_sha256);
  CHECK(both.records_in_all == 501);
  CHECK(must(check_backup(source_of(base.content))).info.base_id.empty());
}

TEST_CASE("without a change an incremental backup has no records", "[backup][incremental]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  const MadeBackup base = complete_backup(place);
  const MadeBackup made = must(try_incremental(place, base.content));
  CHECK(made.info.records == 0);
  CHECK(must(check_pair(base.content, made.content)).records_in_all == 1);
}

TEST_CASE("all that a base had can be gone", "[backup][incremental]") {
  const TempVault place;
  Scope scope = place.scope("acme");
  const Bytes large(300'000, 1);
  must(scope.put_stream("l", source_of(large)));
  for (int i = 0; i < 20; ++i) must(scope.put("r" + std::to_string(i), as_bytes("1")));
  const MadeBackup base = complete_backup(place);
  must(scope.remove("l"));
  for (int i = 0; i < 20; ++i) must(scope.remove("r" + std::to_string(i)));
  const MadeBackup made = must(try_incremental(place, base.content));
  CHECK(must(check_backup(source_of(made.content))).removed == 21);
  CHECK(must(check_pair(base.content, made.content)).records_in_all == 0);
}

TEST_CASE("inventory and log name the base", "[backup][incremental]") {
  const TempVault place;
  const MadeBackup base = complete_backup(place, "10d");
  const MadeBackup short_one = must(try_incremental(place, base.content, "1d"));
  auto listed = must(place.vault().backups().list());
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].base_id.empty());
  CHECK(listed[1].base_id == base.info.id);
  CHECK(listed[1].needed_until_unix_ms == listed[1].expires_unix_ms);
  CHECK(listed[0].needed_until_unix_ms == listed[0].expires_unix_ms);
  must(try_incremental(place, base.content, "20d"));
  listed = must(place.vault().backups().list());
  CHECK(listed[0].expires_unix_ms == base.info.expires_unix_ms);
  CHECK(listed[0].needed_until_unix_ms == listed[2].expires_unix_ms);
  const LogHead head = must(place.vault().log_head());
  const std::string begun = must(place.vault().log_entry(head.size - 2));
  CHECK(begun.find("backup-begun") != std::string::npos);
  CHECK(begun.find("\"base\":\"" + base.info.id) != std::string::npos);
}

TEST_CASE("keys that a base needs stay as long as one of its increments", "[backup][incremental]") {
  const TempVault place;
  const MadeBackup base = complete_backup(place, "1d");
  const MadeBackup made = must(try_incremental(place, base.content, "90d"));
  const auto oldest = [&](UnixMillis now) {
    std::optional<UnixMillis> found;
    must(place.core().read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(found, oldest_backup(reader, scopes.seal(), now));
          return {};
        }));
    return found;
  };
  CHECK(oldest(base.info.expires_unix_ms + 1) == base.info.begun_unix_ms);
  CHECK(oldest(made.info.expires_unix_ms - 1) == base.info.begun_unix_ms);
  CHECK_FALSE(oldest(made.info.expires_unix_ms));
}

BackupId backup_id_of(const MadeBackup& backup) {
  BackupId id{};
  std::ranges::copy(*from_hex(backup.info.id), id.begin());
  return id;
}

// Nothing is begun with it.
void refuses_base(const TempVault& place, const Bytes& base, std::string_view why) {
  const auto before = must(place.vault().backups().list());
  const LogHead log = must(place.vault().log_head());
  const auto made = try_incremental(place, base);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == ErrorCode::kRefused);
  CHECK(made.error().context().find(why) != std::string::npos);
  CHECK(must(place.vault().backups().list()).size() == before.size());
  CHECK(must(place.vault().log_head()).size == log.size);
}

TEST_CASE("a base is a complete backup of this vault that the inventory has",
          "[backup][incremental]") {
  const TempVault place;
  const TempVault other;
  must(place.scope("acme").put("a", as_bytes("1")));
  refuses_base(place, complete_backup(other).content, "another vault");
  const MadeBackup base = complete_backup(place);
  const MadeBackup made = must(try_incremental(place, base.content));
  refuses_base(place, made.content, "only changes itself");
  const BackupId id = backup_id_of(base);
  const BackupId changes_id = backup_id_of(made);
  must(
      place.core().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(auto row, rows::backup(writer, scopes.seal(), id));
        row->expires = row->begun;
        QUIETUS_TRY(rows::remove_backup(writer, changes_id));
        return rows::put_backup(writer, scopes.seal(), *row);
      }));
  refuses_base(place, base.content, "expired");
  must(place.core().update([&](ControlWriter& writer, ScopeTable&, RootRow&) {
    return rows::remove_backup(writer, id);
  }));
  refuses_base(place, base.content, "inventory");
}

TEST_CASE("a damaged base makes no backup", "[backup][incremental]") {
  const TempVault place;
  for (int i = 0; i < 10; ++i)
    must(place.scope("acme").put("r" + std::to_string(i), Bytes(100, 1)));
  const MadeBackup base = complete_backup(place);
  const auto refused = [&](const Bytes& bad) {
    const auto made = try_incremental(place, bad);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().context().find("base: ") != std::string::npos);
    CHECK(must(place.vault().backups().list()).size() == 1);
  };
  for (std::size_t at = 0; at < base.content.size(); at += 1 + base.content.size() / 60) {
    INFO("byte " << at);
    Bytes bad = base.content;
    bad[at] ^= 0x10;
    refused(bad);
    refused(Bytes(base.content.begin(), base.content.begin() + static_cast<std::ptrdiff_t>(at)));
  }
  Bytes longer = base.content;
  longer.push_back(0);
  refused(longer);
}

TEST_CASE("a base that is signed by another key is no base", "[backup][incremental]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("1")));
  const MadeBackup base = complete_backup(place);
  const auto cut = as_text(base.content).rfind("quietus-backup/v1");
  const std::string note(as_text(base.content).substr(cut));
  const std::string text = note.substr(0, note.find("\n\n") + 1);
  const SigningKey stranger = SigningKey::make([](MutableBytes seed) { seed[0] = 1; });
  const std::string forged = must(sign_note(text, log_key_of(place).name, stranger));
  REQUIRE(forged.size() == note.size());
  Bytes content = base.content;
  std::ranges::copy(as_bytes(forged), content.begin() + static_cast<std::ptrdiff_t>(cut));
  const auto made = try_incremental(place, content);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == ErrorCode::kUnverified);
  CHECK(must(place.vault().backups().list()).size() == 1);
}

TEST_CASE("mixed-up pairs are refused", "[backup][incremental]") {
  const TempVault place;
  const TempVault other;
  must(place.scope("acme").put("a", as_bytes("1")));
  const MadeBackup base = complete_backup(place);
  const MadeBackup second = complete_backup(place);
  must(place.scope("acme").put("b", as_bytes("2")));
  const MadeBackup changes = must(try_incremental(place, base.content));
  const auto refused = [](const Bytes& first, const Bytes& then, std::string_view why) {
    const auto checked = check_pair(first, then);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code() == ErrorCode::kRefused);
    CHECK(checked.error().context().find(why) != std::string::npos);
  };
  must(check_pair(base.content, changes.content));
  refused(second.content, changes.content, base.info.id);
  refused(changes.content, changes.content, base.info.id);
  refused(base.content, second.content, "complete");
  refused(changes.content, base.content, "complete");
  refused(complete_backup(other).content, changes.content, "another vault");
  const ByteSource alone = source_of(changes.content);
  BackupMerge merge(nullptr, alone);
  CHECK(merge.head().error().code() == ErrorCode::kRefused);
}

TEST_CASE("no flipped bit of a pair is accepted", "[backup][incremental]") {
  const TempVault place;
  for (int i = 0; i < 4; ++i) must(place.scope("acme").put("r" + std::to_string(i), Bytes(50, 1)));
  const MadeBackup base = complete_backup(place);
  must(place.scope("acme").put("r1", as_bytes("2")));
  must(place.scope("acme").remove("r2"));
  const MadeBackup made = must(try_incremental(place, base.content));
  for (std::size_t at = 0; at < made.content.size(); at += 1 + at / 48) {
    INFO("byte " << at);
    Bytes bad = made.content;
    bad[at] ^= 0x80;
    CHECK_FALSE(check_backup(source_of(bad)).ok());
    CHECK_FALSE(check_pair(base.content, bad).ok());
  }
  for (std::size_t at = 0; at < base.content.size(); at += 1 + at / 48) {
    INFO("byte of the base " << at);
    Bytes bad = base.content;
    bad[at] ^= 0x80;
    CHECK_FALSE(check_pair(bad, made.content).ok());
  }
}

TEST_CASE("a caller can stop an incremental backup that writes nothing yet",
          "[backup][incremental]") {
  const TempVault place;
  must(place.scope("acme").put("a", Bytes(100'000, 1)));
  const MadeBackup base = complete_backup(place);
  Bytes content;
  BackupOptions options;
  options.base = source_of(base.content);
  int calls = 0;
  options.progress = [&](std::uint64_t, std::uint64_t) { return ++calls < 6; };
  const auto made = place.vault().backups().create(sink_into(content), options);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code() == ErrorCode::kRefused);
  CHECK(must(place.vault().backups().list()).size() == 1);
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever an incremental backup fails, it is dropped or counted",
          "[backup][incremental]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    TempVault place;
    must(place.scope("acme").put("a", as_bytes("1")));
    const MadeBackup base = complete_backup(place);
    must(place.scope("acme").put("b", as_bytes("2")));
    bool fired = false;
    Bytes content;
    {
      BackupOptions options;
      options.base = source_of(base.content);
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      const auto made = place.vault().backups().create(sink_into(content), options);
      CHECK(made.ok() != fired);
    }
    place.reopen();
    CHECK(must(place.vault().check()).damages.empty());
    const auto listed = must(place.vault().backups().list());
    if (check_backup(source_of(content)).ok()) CHECK(listed.size() == 2);
    if (!fired) break;
  }
}
#endif

}  // namespace
