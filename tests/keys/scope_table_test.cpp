#include "keys/scope_table.hpp"

#include <catch2/catch.hpp>

#include "base/byte_writer.hpp"
#include "crypto/random.hpp"
#include "keys/test_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

struct Scopes {
  VaultPlace place;
  std::unique_ptr<TestVault> vault = std::make_unique<TestVault>(place);
  Tenancy scopes;

  Scopes() {
    must(vault->make());
    scopes.fill(*vault);
  }
  TestVault* operator->() const { return vault.get(); }
  TestVault& operator*() const { return *vault; }
  void reopen() {
    vault.reset();
    vault = std::make_unique<TestVault>(place);
    must(vault->open());
  }
  // Puts something else in a row's place, as a damaged disk would.
  void damage(char table, std::uint64_t id) const {
    must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
      const Bytes key = ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(id).take();
      QUIETUS_TRY_AS(const auto row, writer.get(key));
      REQUIRE(row);
      Bytes content(row->begin(), row->end());
      content[content.size() / 2] ^= 1;
      return writer.put(key, content);
    }));
  }
};

}  // namespace

TEST_CASE("scopes keep their keys over a reopening", "[scopes]") {
  Scopes vault;
  vault.scopes.check_erased(*vault, {});
  vault.reopen();
  vault.scopes.check_erased(*vault, {});
  std::set<Bytes> different;
  for (const auto& key : vault.scopes.keys) different.insert(key.second);
  CHECK(different.size() == vault.scopes.all().size());
}

TEST_CASE("a scope is found by its name under its parent", "[scopes]") {
  Scopes vault;
  const auto child = [&](ScopeId parent, const std::string& name) {
    return vault->look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return scopes.child(reader, parent, name);
    });
  };
  CHECK(child(kVaultScope, "acme") == vault.scopes.acme);
  CHECK(child(vault.scopes.data, "user") == vault.scopes.user);
  CHECK_FALSE(child(vault.scopes.acme, "user"));
  CHECK_FALSE(child(kVaultScope, "Acme"));
  const InfoRow info = vault->look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
    return scopes.info(reader, vault.scopes.user);
  });
  CHECK(info.name == "user");
  CHECK(info.data_class == "customer-data");
}

TEST_CASE("a name is taken once, also by a scope that was erased", "[scopes]") {
  Scopes vault;
  CHECK_FAILS_WITH(vault->add(vault.scopes.data, "user"), ErrorCode::kAlreadyExists);
  must(vault->erase({vault.scopes.user}));
  CHECK_FAILS_WITH(vault->add(vault.scopes.data, "user"), ErrorCode::kErased);
  CHECK(vault->add(vault.scopes.acme, "user").ok());
}

TEST_CASE("a scope that never was is not found", "[scopes]") {
  Scopes vault;
  CHECK_FAILS_WITH(vault->record_key(12345), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(vault->add(12345, "x"), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(vault->add(kVaultScope, "x", {12345}), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(vault->erase({12345}), ErrorCode::kNotFound);
}

TEST_CASE("erasing a scope erases what lies below it and what is derived from it", "[scopes]") {
  Scopes vault;
  const Tenancy& t = vault.scopes;
  std::set<ScopeId> gone;
  std::vector<ScopeId> targets;
  SECTION("a subject") {
    targets = {t.user};
    gone = {t.user, t.derived};
  }
  SECTION("a class") {
    targets = {t.data};
    gone = {t.data, t.user, t.other, t.derived};
  }
  SECTION("a tenant") {
    targets = {t.acme};
    gone = {t.acme, t.data, t.user, t.other, t.derived};
  }
  SECTION("the derived scope") {
    targets = {t.derived};
    gone = {t.derived};
  }
  SECTION("several at once") {
    targets = {t.other, t.globex};
    gone = {t.other, t.globex, t.derived};
  }
  SECTION("one below the other") {
    targets = {t.data, t.user};
    gone = {t.data, t.user, t.other, t.derived};
  }
  must(vault->erase(targets));
  t.check_erased(*vault, gone);
  vault.reopen();
  t.check_erased(*vault, gone);
  check_settled(*vault);
}

TEST_CASE("nothing is made under or from what was erased", "[scopes]") {
  Scopes vault;
  must(vault->erase({vault.scopes.data}));
  CHECK_FAILS_WITH(vault->add(vault.scopes.data, "x"), ErrorCode::kErased);
  CHECK_FAILS_WITH(vault->add(vault.scopes.user, "x"), ErrorCode::kErased);
  CHECK_FAILS_WITH(vault->add(vault.scopes.globex, "x", {vault.scopes.other}), ErrorCode::kErased);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.data}), ErrorCode::kErased);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErased);
}

TEST_CASE("ids are random, and key ids of scopes stay clear of the vault's own", "[scopes]") {
  Scopes vault;
  std::set<KeyId> ids;
  std::set<std::uint64_t> leaves;
  for (const ScopeId scope : vault.scopes.all()) {
    CHECK(scope > 1000);
    const auto row = vault->key_row(scope);
    REQUIRE(row);
    CHECK(row->keys.size() == 2);
    for (const KeyRecord& key : row->keys) {
      CHECK(key.id >= 16);
      CHECK(ids.insert(key.id).second);
      CHECK(leaves.insert(key.leaf).second);
    }
  }
}

TEST_CASE("a key that is not the one committed to is refused", "[scopes]") {
  Scopes vault;
  KeyRow row = *vault->key_row(vault.scopes.user);
  row.keys[0].commitment[0] ^= 1;
  must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_key_row(writer, scopes.seal(), row);
  }));
  vault.reopen();
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.user), ErrorCode::kCorrupt);
}

TEST_CASE("a wrapped key is bound to scope, parent, sources, line and generation", "[scopes]") {
  Scopes vault;
  KeyRow row = *vault->key_row(vault.scopes.derived);
  SECTION("parent") {
    row.parent = vault.scopes.acme;
  }
  SECTION("source") {
    row.sources = {vault.scopes.other};
  }
  SECTION("no source") {
    row.sources.clear();
  }
  SECTION("one source more") {
    row.sources.push_back(vault.scopes.other);
  }
  SECTION("generation") {
    ++row.keys[0].generation;
  }
  SECTION("parent's generation") {
    ++row.keys[0].parent_generation;
  }
  SECTION("line") {
    std::swap(row.keys[0].line, row.keys[1].line);
  }
  SECTION("key id") {
    std::swap(row.keys[0].id, row.keys[1].id);
  }
  SECTION("scope") {
    row.id = vault.scopes.other;
  }
  must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_key_row(writer, scopes.seal(), row);
  }));
  vault.reopen();
  CHECK_FAILS_WITH(vault->record_key(row.id), ErrorCode::kCorrupt);
}

TEST_CASE("C10: the wrap of a derived scope does not open without its source's key", "[scopes]") {
  Scopes vault;
  must(vault->erase({vault.scopes.user}));
  // Even a row that says the source lives does not bring it back.
  KeyRow row = *vault->key_row(vault.scopes.user);
  row.state = KeyState::kActive;
  for (KeyRecord& key : row.keys) {
    key.state = KeyState::kActive;
    key.wrapped = Bytes(kWrappedKeySize);
  }
  must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_key_row(writer, scopes.seal(), row);
  }));
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.derived), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.user), ErrorCode::kCorrupt);
}

TEST_CASE("C11: the row about an erased scope is gone, and its name in nobody's rows", "[scopes]") {
  Scopes vault;
  must(vault->erase({vault.scopes.user}));
  CHECK_FAILS_WITH(vault->keys().read([&](ControlReader& reader, ScopeTable& scopes,
                                          const RootRow&) -> Result<void> {
    QUIETUS_TRY(scopes.info(reader, vault.scopes.user));
    return {};
  }),
                   ErrorCode::kErased);
  std::size_t own = 0;
  must(vault->control().read([&](ControlReader& reader) {
    return reader.scan(Bytes{'I'}, {}, [&](ByteView, ByteView) -> Result<bool> {
      ++own;
      return true;
    });
  }));
  CHECK(own == 1 + vault.scopes.all().size() - 1);
}

TEST_CASE("scopes nest, and derive from each other, only as deep as they can be opened again",
          "[scopes]") {
  Scopes vault;
  const bool derives = GENERATE(false, true);
  std::vector<ScopeId> chain = {vault.scopes.acme};
  Result<ScopeId> made = vault.scopes.acme;
  while (chain.size() < 2 * kMaxScopeDepth) {
    made = derives ? vault->add(kVaultScope, "d" + std::to_string(chain.size()), {chain.back()})
                   : vault->add(chain.back(), "x");
    if (!made) break;
    chain.push_back(*made);
  }
  CHECK_FAILS_WITH(made, ErrorCode::kInvalidArgument);
  CHECK(chain.size() == kMaxScopeDepth);
  vault.reopen();
  CHECK(vault->record_key(chain.back()).ok());
  vault.reopen();
  must(vault->erase({vault.scopes.acme}));
  CHECK_FAILS_WITH(vault->record_key(chain.back()), ErrorCode::kErased);
}

TEST_CASE("sources come in ascending order, each once, and not too many", "[scopes]") {
  Scopes vault;
  std::vector<ScopeId> two = {vault.scopes.user, vault.scopes.other};
  std::sort(two.begin(), two.end());
  CHECK(vault->add(kVaultScope, "good", two).ok());
  CHECK_FAILS_WITH(vault->add(kVaultScope, "a", {two[1], two[0]}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(vault->add(kVaultScope, "b", {two[0], two[0]}), ErrorCode::kInvalidArgument);
  std::vector<ScopeId> many;
  for (std::size_t i = 0; i <= kMaxSources; ++i)
    many.push_back(must(vault->add(vault.scopes.data, "s" + std::to_string(i))));
  std::sort(many.begin(), many.end());
  CHECK_FAILS_WITH(vault->add(kVaultScope, "c", many), ErrorCode::kInvalidArgument);
  many.pop_back();
  const ScopeId all = must(vault->add(kVaultScope, "d", many));
  vault.reopen();
  CHECK(vault->record_key(all).ok());
}

TEST_CASE("a freed leaf is used again, by a key that has nothing of the old one", "[scopes]") {
  Scopes vault;
  const KeyRow before = *vault->key_row(vault.scopes.other);
  must(vault->erase({vault.scopes.other}));
  const ScopeId made = must(vault->add(kVaultScope, "new"));
  const KeyRow after = *vault->key_row(made);
  std::set<std::uint64_t> old_leaves;
  std::set<std::uint64_t> new_leaves;
  for (const KeyRecord& key : before.keys) old_leaves.insert(key.leaf);
  for (const KeyRecord& key : after.keys) new_leaves.insert(key.leaf);
  CHECK(old_leaves == new_leaves);
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.other), ErrorCode::kErased);
  const Bytes key = must(vault->record_key(made));
  vault.reopen();
  CHECK(must(vault->record_key(made)) == key);
}

TEST_CASE("I5: a scope whose row is damaged can still be erased", "[scopes]") {
  Scopes vault;
  vault.damage('K', vault.scopes.other);
  vault.reopen();
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.other), ErrorCode::kCorrupt);
  const auto outcome = must(vault->erase({vault.scopes.other}));
  CHECK(outcome.intent.targets[0].keys.size() == 2);
  must(vault->verify(outcome.certificate_document));
  CHECK_FAILS_WITH(vault->record_key(vault.scopes.other), ErrorCode::kErased);
  vault.reopen();
  vault.scopes.check_erased(*vault, {vault.scopes.other});
  check_settled(*vault);
}

TEST_CASE("check_keys opens both lines", "[scopes]") {
  Scopes vault;
  const KeyRow row = *vault->key_row(vault.scopes.user);
  const auto check = [&](const KeyRow& checked) {
    return vault->keys().read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return scopes.check_keys(reader, checked);
    });
  };
  must(check(row));
  KeyRow bad = row;
  bad.keys[1].wrapped[40] ^= 1;
  CHECK_FAILS_WITH(check(bad), ErrorCode::kCorrupt);
  bad = row;
  bad.keys.pop_back();
  CHECK_FAILS_WITH(check(bad), ErrorCode::kCorrupt);
}
