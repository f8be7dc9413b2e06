// Opening, and what stands against an older copy of a vault (attacks.md C1 and C3).
#include "keys/key_store.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "base/byte_writer.hpp"
#include "keys/other_process.hpp"
#include "keys/test_vault.hpp"
#include "support/child_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

// Every file of a folder with its content.
std::map<std::string, Bytes> contents(const std::filesystem::path& folder) {
  std::map<std::string, Bytes> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    all[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file),
                                             std::istreambuf_iterator<char>()};
  }
  return all;
}

struct Vault {
  VaultPlace place;
  std::unique_ptr<TestVault> vault = std::make_unique<TestVault>(place);
  Tenancy scopes;

  Vault() {
    must(vault->make());
    scopes.fill(*vault);
  }
  TestVault* operator->() const { return vault.get(); }
  TestVault& operator*() const { return *vault; }
  // As the vault closes: the anchor is brought up to date.
  void close() {
    must(vault->keys().refresh_anchor());
    vault.reset();
  }
  Result<KeyStore::Opened> open() {
    vault.reset();
    vault = std::make_unique<TestVault>(place);
    return vault->open();
  }
  // Opening must fail so, and change nothing: not the slots, not the anchor.
  void refuses(ErrorCode code) {
    vault.reset();
    const auto before = contents(place.roots());
    CHECK_FAILS_WITH(open(), code);
    vault.reset();
    CHECK(contents(place.roots()) == before);
  }
  void copy(const std::string& what, const std::string& to) const { place.copy(what, to); }
};

}  // namespace

TEST_CASE("a new vault is settled and opens again", "[open]") {
  Vault vault;
  check_settled(*vault);
  vault.close();
  const auto opened = must(vault.open());
  CHECK_FALSE(opened.recovery_pending);
  CHECK(opened.finished.empty());
  check_settled(*vault);
}

TEST_CASE("a wrong secret is told from a damaged slot and from a missing one", "[open]") {
  Vault vault;
  vault.close();
  SECTION("wrong key file") {
    vault.place.secret = key_file_secret("wrong");
    vault.refuses(ErrorCode::kWrongKey);
  }
  SECTION("a passphrase instead of a key file") {
    vault.place.secret = passphrase_secret("secret");
    vault.refuses(ErrorCode::kWrongKey);
  }
  SECTION("both mirrors damaged") {
    for (const auto& [name, content] : contents(vault.place.roots()))
      if (name.starts_with("slot-")) {
        Bytes bad = content;
        bad[5000] ^= 1;
        std::ofstream file(vault.place.roots() / name, std::ios::binary);
        file.write(reinterpret_cast<const char*>(bad.data()),
                   static_cast<std::streamsize>(bad.size()));
      }
    vault.refuses(ErrorCode::kCorrupt);
  }
  SECTION("slots gone, anchor there") {
    for (const auto& [name, content] : contents(vault.place.roots()))
      if (name.starts_with("slot-")) std::filesystem::remove(vault.place.roots() / name);
    vault.refuses(ErrorCode::kUnavailable);
  }
  SECTION("an empty folder, as of a disk that is not mounted") {
    std::filesystem::rename(vault.place.roots(), vault.place.folder / "elsewhere");
    std::filesystem::create_directory(vault.place.roots());
    vault.refuses(ErrorCode::kUnavailable);
  }
}

TEST_CASE("with the slot folder missing the vault is unavailable, and opens when it is back",
          "[open]") {
  Vault vault;
  vault.close();
  std::filesystem::rename(vault.place.roots(), vault.place.folder / "elsewhere");
  CHECK_FAILS_WITH(vault.open(), ErrorCode::kUnavailable);
  vault.vault.reset();
  std::filesystem::rename(vault.place.folder / "elsewhere", vault.place.roots());
  must(vault.open());
  vault.scopes.check_erased(*vault, {});
}

TEST_CASE("C3: an old control store beside a newer slot is refused, and destroys nothing",
          "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  vault.close();
  vault.copy("store", "new");
  vault.copy("old", "store");
  vault.refuses(ErrorCode::kRolledBack);
  vault.copy("new", "store");
  must(vault.open());
  vault.scopes.check_erased(*vault, {vault.scopes.user, vault.scopes.derived});
}

TEST_CASE("C3: an old control store with its own slot put back beside the new one is refused",
          "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  vault.copy("roots", "old-roots");
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  vault.close();
  vault.copy("old", "store");
  const bool newer_slot = GENERATE(true, false);
  if (!newer_slot)
    for (const auto& [name, content] : contents(vault.place.roots()))
      if (name.starts_with("slot-")) std::filesystem::remove(vault.place.roots() / name);
  for (const auto& [name, content] : contents(vault.place.folder / "old-roots"))
    if (name.starts_with("slot-"))
      std::filesystem::copy(vault.place.folder / "old-roots" / name, vault.place.roots());
  // The anchor alone tells it.
  vault.refuses(ErrorCode::kRolledBack);
}

TEST_CASE("C3: a newer slot alone tells that the store, and the anchor with it, are old",
          "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  vault.copy("roots", "old-roots");
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  vault.close();
  vault.copy("old", "store");
  for (const auto& [name, content] : contents(vault.place.folder / "old-roots"))
    if (!name.starts_with("gone-"))
      std::filesystem::copy(vault.place.folder / "old-roots" / name, vault.place.roots(),
                            std::filesystem::copy_options::overwrite_existing);
  vault.refuses(ErrorCode::kRolledBack);
}

TEST_CASE("C3: a store rolled back within a root generation is refused", "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  must(vault.open());
  must(vault->add(kVaultScope, "later"));
  vault.close();
  vault.copy("old", "store");
  vault.refuses(ErrorCode::kRolledBack);
}

TEST_CASE("C3: a log of the same size with another history is refused", "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  vault.copy("roots", "old-roots");
  must(vault.open());
  must(vault->add(kVaultScope, "one"));
  vault.close();
  vault.copy("store", "one");
  vault.copy("old", "store");
  vault.copy("old-roots", "roots");
  must(vault.open());
  must(vault->add(kVaultScope, "two"));
  vault.close();
  vault.copy("one", "store");
  vault.refuses(ErrorCode::kRolledBack);
}

TEST_CASE("an anchor that was not brought up to date is no rollback", "[open]") {
  Vault vault;
  vault.close();
  must(vault.open());
  must(vault->add(kVaultScope, "later"));
  must(vault.open());
  check_settled(*vault);
}

TEST_CASE("a control store of another vault is refused", "[open]") {
  Vault one;
  Vault two;
  two.place.vault = vault_id(0x77);
  std::filesystem::remove_all(two.place.store());
  std::filesystem::remove_all(two.place.roots());
  two.vault = std::make_unique<TestVault>(two.place);
  must(two->make());
  two.close();
  one.close();
  std::filesystem::remove_all(one.place.store());
  std::filesystem::copy(two.place.store(), one.place.store(),
                        std::filesystem::copy_options::recursive);
  one.refuses(ErrorCode::kCorrupt);
}

TEST_CASE("without its anchor the vault opens for reading only, until the operator vouches",
          "[open]") {
  Vault vault;
  vault.close();
  bool forged = false;
  SECTION("missing") {
    std::filesystem::remove(vault.place.roots() / "anchor");
  }
  SECTION("damaged") {
    std::ofstream(vault.place.roots() / "anchor") << "damaged";
  }
  SECTION("made by somebody else") {
    forged = true;
    AnchorFile file(posix_file_system(), vault.place.roots() / "anchor");
    Anchor anchor = must(file.read(vault.place.vault));
    must(file.create(anchor, named_key<AnchorRole>("somebody")));
  }
  vault.refuses(ErrorCode::kCorrupt);
  vault.place.read_only = true;
  must(vault.open());
  vault.scopes.check_erased(*vault, {});
  vault.place.read_only = false;
  vault.vault = nullptr;
  vault.vault = std::make_unique<TestVault>(vault.place);
  must(vault->connect(TestVault::How::kOpen));
  must(vault->keys().rewrite_anchor(vault.place.vault));
  CHECK_FAILS_WITH(vault->keys().rewrite_anchor(vault.place.vault), ErrorCode::kRefused);
  must(vault.open());
  check_settled(*vault);
  static_cast<void>(forged);
}

TEST_CASE("an anchor cannot be made anew for a store that shows a rollback", "[open]") {
  Vault vault;
  vault.close();
  vault.copy("store", "old");
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  vault.close();
  vault.copy("old", "store");
  std::filesystem::remove(vault.place.roots() / "anchor");
  vault.vault = std::make_unique<TestVault>(vault.place);
  must(vault->connect(TestVault::How::kOpen));
  CHECK_FAILS_WITH(vault->keys().rewrite_anchor(vault.place.vault), ErrorCode::kRolledBack);
}

TEST_CASE("a changed root row is refused", "[open]") {
  Vault vault;
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const auto row, writer.get(as_bytes("R")));
    Bytes changed(row->begin(), row->end());
    changed[44] ^= 1;  // next leaf
    return writer.put(as_bytes("R"), changed);
  }));
  vault.refuses(ErrorCode::kCorrupt);
}

TEST_CASE("a vault open for reading only changes nothing", "[open]") {
  Vault vault;
  vault.close();
  vault.place.read_only = true;
  must(vault.open());
  vault.scopes.check_erased(*vault, {});
  CHECK_FAILS_WITH(vault->add(kVaultScope, "x"), ErrorCode::kRefused);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kRefused);
  CHECK_FAILS_WITH(vault->keys().recover(std::chrono::milliseconds(0)), ErrorCode::kRefused);
}

TEST_CASE("work with a scope's keys is done again when the root was changed meanwhile", "[work]") {
  Vault vault;
  int runs = 0;
  must(vault->keys().with_scope(vault.scopes.user, [&](const ScopeKeys&, const KeyCache::Use&) {
    if (++runs == 1) vault->holders().publish();
    return Result<void>();
  }));
  CHECK(runs == 2);
}

TEST_CASE("work that was committed is not done again", "[work]") {
  Vault vault;
  int runs = 0;
  must(vault->keys().with_scope(vault.scopes.user, [&](const ScopeKeys&, const KeyCache::Use& use) {
    ++runs;
    use.set_committed();
    vault->holders().publish();
    return Result<void>();
  }));
  CHECK(runs == 1);
  // Nor when something failed after the commit: doing it twice would be wrong.
  runs = 0;
  CHECK_FAILS_WITH(
      vault->keys().with_scope(vault.scopes.user,
                               [&](const ScopeKeys&, const KeyCache::Use& use) {
                                 ++runs;
                                 use.set_committed();
                                 vault->holders().publish();
                                 return Result<void>(Error(ErrorCode::kConflict, "planned"));
                               }),
      ErrorCode::kConflict);
  CHECK(runs == 1);
}

TEST_CASE("an error of work that ran with replaced keys is not believed", "[work]") {
  Vault vault;
  int runs = 0;
  must(vault->keys().with_scope(
      vault.scopes.user, [&](const ScopeKeys&, const KeyCache::Use&) -> Result<void> {
        if (++runs > 1) return {};
        vault->holders().publish();
        return Error(ErrorCode::kBusy, "the keys were replaced meanwhile");
      }));
  CHECK(runs == 2);
}

TEST_CASE("when the root changes all the time, work gives up busy", "[work]") {
  Vault vault;
  CHECK_FAILS_WITH(vault->keys().with_scope(vault.scopes.user,
                                            [&](const ScopeKeys&, const KeyCache::Use&) {
                                              vault->holders().publish();
                                              return Result<void>();
                                            }),
                   ErrorCode::kBusy);
}

TEST_CASE("C13: a key that another process holds dies with the erasure there", "[work]") {
  Vault vault;
  vault.place.mode = GENERATE(KeyCache::Mode::kGuarded, KeyCache::Mode::kNone);
  std::array<int, 2> go{};
  std::array<int, 2> said{};
  REQUIRE(pipe2(go.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(said.data(), O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    vault.place.forked();
    TestVault theirs(vault.place);
    char byte = 'o';
    const bool opened = theirs.open().ok() && theirs.record_key(vault.scopes.user).ok();
    if (!opened || write(said[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    const auto key = theirs.record_key(vault.scopes.user);
    const bool others = theirs.record_key(vault.scopes.other).ok();
    _exit(!key && key.error().code() == ErrorCode::kErased && others ? 0 : 2);
  }
  close(go[0]);
  close(said[1]);
  char byte = 0;
  REQUIRE(read(said[0], &byte, 1) == 1);
  const auto outcome = must(vault->erase({vault.scopes.user}));
  CHECK(outcome.holders.acknowledged == 2);
  REQUIRE(write(go[1], "g", 1) == 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  close(go[1]);
  close(said[0]);
}

TEST_CASE("threads that read and write go on while scopes are erased", "[work][concurrent]") {
  Vault vault;
  std::vector<ScopeId> doomed;
  for (int i = 0; i < 6; ++i)
    doomed.push_back(must(vault->add(vault.scopes.acme, "d" + std::to_string(i))));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; !stop; ++i) {
        const auto key = vault->record_key(vault.scopes.other);
        if (!key || *key != vault.scopes.keys.at(vault.scopes.other)) ++wrong;
        if (thread == 0 && i % 20 == 0 && !vault->add(vault.scopes.globex, "t" + std::to_string(i)))
          ++wrong;
        const auto dying = vault->record_key(doomed[static_cast<std::size_t>(i) % doomed.size()]);
        if (!dying && dying.error().code() != ErrorCode::kErased) ++wrong;
      }
    });
  const auto erase_every_second = [&](std::size_t first) {
    for (std::size_t i = first; i < doomed.size(); i += 2) {
      if (!vault->erase({doomed[i]})) ++wrong;
      const auto key = vault->record_key(doomed[i]);
      if (key.ok() || key.error().code() != ErrorCode::kErased) ++wrong;
    }
  };
  std::thread eraser([&] { erase_every_second(0); });
  erase_every_second(1);
  eraser.join();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(vault->certificates().size() == doomed.size());
  check_settled(*vault);
}
