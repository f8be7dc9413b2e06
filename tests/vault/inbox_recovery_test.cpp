// Nobody recovers less at a site than it has heard of (attacks I4).
#include <catch2/catch.hpp>

#include <map>

#include "support/told_world.hpp"

namespace quietus::test {
namespace {

// The notice that goes on from the first.
std::filesystem::path second_of(const std::vector<std::filesystem::path>& notices) {
  std::map<std::uint64_t, std::filesystem::path> ordered;
  for (const auto& file : notices) {
    const Bytes note = must(read_file(posix_file_system(), file, kMaxErasureNotice));
    ordered[must(parse_erasure_notice(must(parse_note(as_text(note))).text)).from.size] = file;
  }
  REQUIRE(ordered.size() > 2);
  return std::next(ordered.begin())->second;
}

TEST_CASE("what the site was told of is dead in what is recovered, without any copy of the log",
          "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex", "initech", "umbrella"});
  const Bytes backup = world.backup();
  world.erase("acme");
  world.erase_together({"globex", "initech"});
  CHECK(world.said_of("initech") == "delivered");
  CHECK_FAILS_WITH(world.try_recover({backup, backup, {}}), ErrorCode::kRefused);
  const RestoreReport report = must(world.try_recover({backup, backup, {}, true, world.inbox}));
  CHECK(report.erased == 3);
  CHECK(report.restored == 1);
  CHECK(world.read("acme", "a") == "erased");
  CHECK(world.read("globex", "a") == "erased");
  CHECK(world.read("initech", "a") == "erased");
  CHECK(world.read("umbrella", "a") == "umbrella");
  // The site remembers: nobody has to bring the inbox again, and taking it away brings nobody back.
  std::filesystem::remove_all(world.inbox);
  must(world.try_recover({backup, backup, {}, true}));
  CHECK(world.read("acme", "a") == "erased");
  CHECK(world.read("globex", "a") == "erased");
}

TEST_CASE("an erasure of many scopes is replayed from the log when the site was told of it",
          "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex", "initech"});
  const Bytes backup = world.backup();
  world.erase_together({"acme", "globex"});
  const auto log = world.exported_log();
  CHECK_FAILS_WITH(world.try_recover({backup, backup, log}), ErrorCode::kRefused);
  CHECK(world.receive().erasures == 1);
  CHECK(must(world.try_recover({backup, backup, log})).erased == 2);
  CHECK(world.read("acme", "a") == "erased");
  CHECK(world.read("initech", "a") == "initech");
}

TEST_CASE("a log that is older than what the site was told of is made up for", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex", "initech"});
  const Bytes backup = world.backup();
  world.erase("acme");
  const auto log = world.exported_log();
  world.erase("globex");
  world.receive();
  CHECK(must(world.try_recover({backup, backup, log})).erased == 2);
  CHECK(world.read("acme", "a") == "erased");
  CHECK(world.read("globex", "a") == "erased");
}

TEST_CASE("nobody recovers below what the site has heard of", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex", "initech"});
  const Bytes backup = world.backup();
  world.erase("acme");
  const auto old = world.exported_log();
  world.erase("globex");
  world.erase("initech");
  REQUIRE(world.notices().size() == 3);
  // The one in the middle is lost on the way.
  const auto middle = second_of(world.notices());
  std::filesystem::rename(middle, world.folder / "lost");
  const InboxReceipt received = world.receive();
  CHECK(received.notices == 1);
  CHECK(received.problems.size() == 1);
  for (const auto& log : {std::filesystem::path(), old}) {
    const auto refused = world.try_recover({backup, backup, log, log.empty()});
    CHECK_FAILS_WITH(refused, ErrorCode::kRolledBack);
  }
  must(world.try_recover({backup, backup, world.exported_log()}));
  CHECK(world.read("globex", "a") == "erased");
  std::filesystem::rename(world.folder / "lost", middle);
  must(world.try_recover({backup, backup, {}, true, world.inbox}));
  CHECK(world.read("globex", "a") == "erased");
  CHECK(world.read("initech", "a") == "erased");
}

TEST_CASE("a notice that cannot be believed is told of, and keeps nobody else's out", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  const Bytes backup = world.backup();
  world.erase("acme");
  const auto file = world.notices().front();
  const auto forged = world.inbox / (file.stem().string() + "0.erasures");
  Bytes note = must(read_file(posix_file_system(), file, kMaxErasureNotice));
  note[note.size() / 2] ^= 1;
  must(write_file(posix_file_system(), forged, note));
  must(write_file(posix_file_system(), world.inbox / "another.erasures", as_bytes("no notice")));
  std::filesystem::create_directory(world.inbox / "folder.erasures");
  std::filesystem::create_symlink(file, world.inbox / "link.erasures");
  const InboxReceipt received = world.receive();
  CHECK(received.notices == 1);
  CHECK(received.problems.size() == 4);
  // In a recovery only those count that say to be of that vault.
  CHECK_FAILS_WITH(world.try_recover({backup, backup, {}, true, world.inbox}),
                   ErrorCode::kUnverified);
  std::filesystem::remove(forged);
  must(world.try_recover({backup, backup, {}, true, world.inbox}));
  CHECK(world.read("acme", "a") == "erased");
}

TEST_CASE("a log that parted from what the site was told of is refused", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  const Bytes backup = world.backup();
  world.erase("acme");
  world.receive();
  // As a vault whose log was set back and went on would tell it.
  const auto signed_other = [&](const HeardLog& heard, std::uint64_t size) {
    ErasureNotice notice{world.live.core->header.vault, heard.origin, {}, heard.head, {}};
    notice.to.size += size;
    notice.to.root[0] ^= 1;
    std::string note;
    must(world.live.core->read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), "log-key"));
          QUIETUS_TRY_AS(note, sign_erasure_notice(notice, key));
          return {};
        }));
    return note;
  };
  HeardLog heard;
  must(world.site.core->read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const auto log,
                       rows::heard_log(reader, scopes.seal(), world.live.core->header.vault,
                                       log_origin(world.live.core->header)));
        REQUIRE(log);
        heard = *log;
        return {};
      }));
  for (const std::uint64_t size : {0U, 5U}) {
    must(write_file(posix_file_system(), world.inbox / "x.erasures",
                    as_bytes(signed_other(heard, size))));
    CHECK(world.receive().problems.size() == 1);
  }
  // And a log that is not the one it has heard of.
  must(world.site.core->update(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        heard.head.root[0] ^= 1;
        return rows::put_heard_log(writer, scopes.seal(), heard);
      }));
  CHECK_FAILS_WITH(world.try_recover({backup, backup, world.exported_log()}),
                   ErrorCode::kRolledBack);
}

TEST_CASE("a vault that the site was told is destroyed does not come back", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme"});
  const Bytes backup = world.backup();
  const Trust trust = world.trust();
  Vault all = world.live.vault();
  must(all.destroy(world.folder / "gone.json", "test"));
  CHECK(must(world.site.escrow().receive(world.inbox, trust)).erasures == 1);
  EscrowRecovery from;
  from.keys = source_of(backup);
  from.backup = source_of(backup);
  from.trust = &trust;
  const UnixMillis now = world.site.clock.now();
  from.accept_log_as_of_unix_ms = now - now % kDayMillis;
  RestoreOptions options;
  options.create.root_folder = world.folder / "roots";
  options.create.accept_unknown_medium = true;
  CHECK_FAILS_WITH(
      world.site.escrow().recover(from, world.folder / "back", world.live.place.unlock(), options),
      ErrorCode::kErased);
}

TEST_CASE("the notices of the lost one count also when the log given is that of an instance",
          "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  const Bytes backup = world.backup();
  must(world.try_recover({backup, backup, world.exported_log()}));
  Vault back = world.recovered_vault();
  const auto log = world.folder / "log-of-instance";
  must(back.export_log(log));
  // It was not lost after all.
  world.erase("acme");
  world.receive();
  const Trust trust =
      must(Trust::parse("log " + must(world.live.vault().log_verifier_key()) + "\nlog " +
                        must(back.log_verifier_key()) + "\nquorum none\n"));
  EscrowRecovery from;
  from.keys = source_of(backup);
  from.backup = source_of(backup);
  from.trust = &trust;
  from.log = log;
  RestoreOptions options;
  options.create.root_folder = world.folder / "roots";
  options.create.accept_unknown_medium = true;
  const auto place = world.folder / "again";
  CHECK(must(world.site.escrow().recover(from, place, world.live.place.unlock(), options)).erased ==
        1);
}

TEST_CASE("a damaged row of the inbox keeps nothing from being erased, restored and shown",
          "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  const Bytes backup = world.backup();
  world.live.change_row(Bytes{'t'});
  world.erase("acme");
  CHECK(world.said_of("acme") == "not-yet");
  CHECK_FAILS_WITH(world.live.vault().escrow().inbox(), ErrorCode::kCorrupt);
  const Bytes damaged = world.backup();
  must(world.try_recover({damaged, damaged, world.exported_log()}));
  CHECK(must(world.recovered_vault().escrow().inbox()).folder.empty());
  must(world.live.vault().escrow().set_inbox(world.inbox));
  CHECK(world.receive().erasures == 1);
}

TEST_CASE("an instance tells its site anew, of its own log", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  world.erase("acme");
  const Bytes backup = world.backup();
  must(world.try_recover({backup, backup, world.exported_log()}));
  Vault back = world.recovered_vault();
  const std::string paths[] = {"globex"};
  must(back.erase(paths, "test"));
  CHECK(world.notices().size() == 2);
  CHECK(must(back.escrow().inbox()).waiting == 0);
  const Trust both =
      must(Trust::parse("log " + must(world.live.vault().log_verifier_key()) + "\nlog " +
                        must(back.log_verifier_key()) + "\nquorum none\n"));
  const InboxReceipt received = must(world.site.escrow().receive(world.inbox, both));
  CHECK(received.problems.empty());
  CHECK(received.logs.size() == 2);
}

}  // namespace
}  // namespace quietus::test
