// What a vault tells its recovery site on the way, and what the site takes of it.
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "base/byte_reader.hpp"
#include "support/failpoint_hook.hpp"
#include "support/told_world.hpp"

namespace quietus::test {
namespace {

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
    // One that an opening finished, which waits for no inbox, is told afterwards.
    must(world.live.vault().escrow().tell());
    CHECK(must(world.live.vault().escrow().inbox()).waiting == 0);
    const InboxReceipt received = world.receive();
    CHECK(received.erasures == 1);
    CHECK(received.problems.empty());
    if (!failed) break;
    REQUIRE(n < 200);
  }
}

TEST_CASE("an inbox that is set anew was told nothing by who told the old one", "[inbox]") {
  ToldWorld world;
  const auto told_of = [&](const Told& told) {
    must(world.live.core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
      return rows::note_told(writer, scopes.seal(), told);
    }));
    return must(world.live.vault().escrow().inbox()).told;
  };
  CHECK(told_of({"/elsewhere", 0, 5}) == 0);
  CHECK(told_of({world.inbox.string(), 3, 5}) == 0);
  CHECK(told_of({world.inbox.string(), 0, 5}) == 5);
  CHECK(told_of({world.inbox.string(), 0, 4}) == 5);
}

TEST_CASE("a batch of which a statement is missing is not told as a whole one", "[inbox]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  const std::uint64_t acme = world.live.id("acme");
  std::filesystem::rename(world.inbox, world.folder / "away");
  world.erase_together({"acme", "globex"});
  std::filesystem::rename(world.folder / "away", world.inbox);
  Bytes statement;
  must(world.live.core->control->read([&](ControlReader& reader) {
    return reader.scan(Bytes{'q'}, {}, [&](ByteView key, ByteView) -> Result<bool> {
      statement.assign(key.begin(), key.end());
      return ByteReader(key.last(8)).u64() != acme;
    });
  }));
  world.live.change_row(statement, true);
  CHECK_FAILS_WITH(world.live.vault().escrow().tell(), ErrorCode::kCorrupt);
  CHECK(world.notices().empty());
}

TEST_CASE("a vault is not destroyed while its site could not be told", "[inbox]") {
  ToldWorld world;
  std::filesystem::rename(world.inbox, world.folder / "away");
  Vault all = world.live.vault();
  const auto refused = all.destroy(world.folder / "gone.json", "test");
  CHECK_FAILS_WITH(refused, ErrorCode::kRefused);
  CHECK_FALSE(std::filesystem::exists(world.folder / "gone.json"));
  must(all.escrow().set_inbox({}));
  must(all.destroy(world.folder / "gone.json", "test"));
}

TEST_CASE("who tells at the same time as others tells whole notices", "[inbox][concurrent]") {
  ToldWorld world;
  fill_scopes(world.live, {"acme", "globex"});
  std::filesystem::rename(world.inbox, world.folder / "away");
  world.erase("acme");
  std::filesystem::rename(world.folder / "away", world.inbox);
  std::vector<std::thread> tellers;
  std::atomic<int> failed{0};
  for (int i = 0; i < 4; ++i)
    tellers.emplace_back([&] {
      if (!world.live.vault().escrow().tell()) ++failed;
    });
  for (std::thread& teller : tellers) teller.join();
  CHECK(failed == 0);
  const InboxReceipt received = world.receive();
  CHECK(received.problems.empty());
  CHECK(received.notices == 1);
  CHECK(received.erasures == 1);
}

}  // namespace
}  // namespace quietus::test
