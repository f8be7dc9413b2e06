// What a vault tells its recovery site on the way, so that nobody recovers less than the site has
// heard of (attacks I4).
#include <catch2/catch.hpp>

#include <map>

#include "erase_many.hpp"
#include "keys/inbox.hpp"
#include "support/failpoint_hook.hpp"
#include "support/lost_world.hpp"

namespace quietus::test {
namespace {

// A vault that tells its site, in a folder.
struct ToldWorld : LostWorld {
  std::filesystem::path inbox = folder / "inbox";

  ToldWorld() {
    std::filesystem::create_directory(inbox);
    must(live.vault().escrow().set_inbox(inbox));
  }
  std::vector<std::filesystem::path> notices() const {
    std::vector<std::filesystem::path> found;
    for (const auto& file : std::filesystem::directory_iterator(inbox))
      if (is_notice_file(file.path().filename().string())) found.push_back(file.path());
    std::ranges::sort(found);
    return found;
  }
  Trust trust() const { return trust_in(must(live.vault().log_verifier_key())); }
  InboxReceipt receive() const { return must(site.escrow().receive(inbox, trust())); }
  // Also of one of many that were erased together.
  std::string said_of(const std::string& path) const {
    const auto file = nlohmann::json::parse(must(live.vault().certificate_of(path)));
    const auto claims =
        nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
    return claims.value("site_inbox", "nothing");
  }
  void erase_together(const std::vector<std::string>& paths) const {
    std::vector<DueErasure> due;
    for (const std::string& path : paths) due.push_back({live.id(path), "test"});
    must(erase_many(*live.core, due));
  }
};

void fill_scopes(const Office& live, std::initializer_list<const char*> names) {
  for (const char* name : names) must(live.scope(name).put("a", as_bytes(name)));
}

TEST_CASE("the site is told of an erasure before it is certified", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  CHECK(world.notices().empty());
  world.erase("acme");
  CHECK(world.said_of("acme") == "delivered");
  REQUIRE(world.notices().size() == 1);
  const InboxInfo info = must(world.live.vault().escrow().inbox());
  CHECK(info.folder == world.inbox.string());
  CHECK(info.waiting == 0);
  CHECK(info.told > 0);
  const InboxReceipt first = world.receive();
  CHECK(first.notices == 1);
  CHECK(first.erasures == 1);
  CHECK(first.logs.size() == 1);
  CHECK(first.problems.empty());
  CHECK(world.receive().notices == 0);
  must(world.live.lifecycle().purge("globex", "test"));
  CHECK(world.receive().erasures == 1);
}

TEST_CASE("without an inbox certificates say nothing of one", "[inbox]") {
  LostWorld world;
  fill_scopes(world.live, {"acme"});
  CHECK(must(world.live.vault().escrow().inbox()).folder.empty());
  CHECK(must(world.live.vault().escrow().tell()).folder.empty());
  world.erase("acme");
  CHECK(must(world.live.vault().certificate_of("acme")).find("site_inbox") == std::string::npos);
}

TEST_CASE("only a vault with a ring has a site to tell, and an inbox has to be there", "[inbox]") {
  const Office alone{nullptr};
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  CHECK_FAILS_WITH(alone.vault().escrow().set_inbox(folder.path()), ErrorCode::kRefused);
  CHECK(std::filesystem::is_empty(folder.path()));
  const LostWorld world;
  const auto none = world.live.vault().escrow().set_inbox(folder / "none");
  CHECK_FALSE(none.ok());
  CHECK(must(world.live.vault().escrow().inbox()).folder.empty());
}

TEST_CASE("an inbox that is not there delays no erasure, and is told later", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex", "initech"});
  const auto away = world.folder / "away";
  std::filesystem::rename(world.inbox, away);
  world.erase("acme");
  CHECK(world.said_of("acme") == "not-yet");
  // The empty place where it should be mounted is no inbox.
  std::filesystem::create_directory(world.inbox);
  world.erase("globex");
  CHECK(world.said_of("globex") == "not-yet");
  CHECK(must(world.live.vault().escrow().inbox()).waiting == 2);
  CHECK_FAILS_WITH(world.live.vault().escrow().tell(), ErrorCode::kNotFound);
  std::filesystem::remove(world.inbox);
  std::filesystem::rename(away, world.inbox);
  CHECK(must(world.live.vault().escrow().tell()).waiting == 0);
  CHECK(world.receive().erasures == 2);
  world.erase("initech");
  CHECK(world.said_of("initech") == "delivered");
  CHECK(world.receive().erasures == 1);
}

TEST_CASE("what was erased before there was an inbox is told too", "[inbox]") {
  LostWorld world;
  fill_scopes(world.live, {"acme"});
  world.erase("acme");
  std::filesystem::create_directory(world.folder / "inbox");
  must(world.live.vault().escrow().set_inbox(world.folder / "inbox"));
  CHECK(must(world.live.vault().escrow().inbox()).waiting == 0);
  const Trust trust = trust_in(must(world.live.vault().log_verifier_key()));
  CHECK(must(world.site.escrow().receive(world.folder / "inbox", trust)).erasures == 1);
  must(world.live.vault().escrow().set_inbox({}));
  CHECK(must(world.live.vault().escrow().inbox()).folder.empty());
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

// The notice that goes on from the first.
std::filesystem::path second_of(const std::vector<std::filesystem::path>& notices) {
  std::map<std::uint64_t, std::filesystem::path> ordered;
  for (const auto& file : notices) {
    const Bytes note = must(read_file(posix_file_system(), file, kMaxErasureNotice));
    ordered[must(parse_erasure_notice(must(parse_note(as_text(note))).text)).from] = file;
  }
  REQUIRE(ordered.size() > 2);
  return std::next(ordered.begin())->second;
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
  const InboxReceipt received = world.receive();
  CHECK(received.notices == 1);
  CHECK(received.problems.size() == 2);
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
  const auto signed_other = [&](const HeardLog& heard) {
    ErasureNotice notice{world.live.core->header.vault, heard.origin, 0, heard.head, {}};
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
  must(write_file(posix_file_system(), world.inbox / "x.erasures", as_bytes(signed_other(heard))));
  CHECK(world.receive().problems.size() == 1);
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

TEST_CASE("an erasure that fails at any point is told to the site when it ends", "[inbox]") {
  for (int n = 1;; ++n) {
    CAPTURE(n);
    ToldWorld world;
    fill_scopes(world.live, {"acme"});
    bool failed = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        failed = true;
        return Error(ErrorCode::kIo, "as if");
      }));
      const std::string paths[] = {"acme"};
      static_cast<void>(world.live.vault().erase(paths, "test"));
    }
    world.live.reopen();
    static_cast<void>(must(world.live.vault().resume()));
    if (world.live.alive("acme")) {
      CHECK(world.notices().empty());
      world.erase("acme");
    }
    CHECK(world.said_of("acme") == "delivered");
    CHECK(must(world.live.vault().escrow().inbox()).waiting == 0);
    const InboxReceipt received = world.receive();
    CHECK(received.erasures == 1);
    CHECK(received.problems.empty());
    if (!failed) break;
    REQUIRE(n < 200);
  }
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
