// Opening, and what stands against an older copy of a vault (attacks.md C1 and C3).
#include "keys/key_store.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/byte_writer.hpp"
#include "keys/file_contents.hpp"
#include "keys/test_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

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
