// Must hold: a rotation that is killed at any point loses nothing and is taken up again, and other
// processes that hear of it late, or never, lose nothing either. rotation_load_test.cpp has the
// load beside it.
#include <utility>

#include "faults/killing.hpp"
#include "keys/rotation.hpp"
#include "record_format.hpp"
#include "retire.hpp"
#include "support/failpoint_hook.hpp"
#include "support/record_rows.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

std::string state_of_first_key(Vault& vault, const std::string& scope) {
  for (const KeyInfo& key : must(vault.lifecycle().keys(scope)).keys)
    if (key.line == "data" && key.generation == 1) return key.state;
  return "none";
}

std::set<std::uint32_t> generations_in(const VaultCore& core, ScopeId scope) {
  std::set<std::uint32_t> found;
  for (const RawRow& row : rows_of(*core.record_store, RecordTable::kRecords, scope))
    found.insert(must(StoredRecord::parse(row.second)).generation());
  return found;
}

}  // namespace

TEST_CASE("I-12: a purge killed at any point loses nothing, and is taken up again") {
  const Vaults place;
  for (const std::string scope : {"acme/customer/u1", "acme"}) {
    INFO(scope);
    const auto points = kill_everywhere(
        in_vault(place,
                 [&](Vault& vault, const Telling& parent) -> Result<void> {
                   QUIETUS_TRY(vault.lifecycle().purge(scope, "test"));
                   parent.tell("purged");
                   return {};
                 }),
        [&] { place.put_back("base"); },
        [&](const Crash& crash) {
          auto core = must(place.open());
          Vault vault(core);
          check_base(place, *core, vault);
          must(vault.lifecycle().resume_rotations());
          CHECK(must(vault.lifecycle().rotations()).empty());
          check_base(place, *core, vault);
          CHECK(must(vault.check()).orphaned_rows == 0);
          CHECK(generations_in(*core, place.id_of(scope)).size() == 1);
          const std::string state = state_of_first_key(vault, scope);
          CHECK((state == "destroyed" || (state == "active" && !crash.said("purged"))));
        });
    for (const char* point : {"move/after-fence", "change/after-t1", "change/after-t2",
                              "change/after-destroy", "change/before-t3"}) {
      INFO(point);
      CHECK(points.count(point) == 1);
    }
  }
}

TEST_CASE("I-12: a sweep of older keys killed at any point loses nothing, and is taken up again") {
  const Vaults place;
  const std::vector<std::string> rotated = {"acme/customer/u1", "acme", "globex"};
  {
    Vault vault(must(place.open()));
    for (const std::string& scope : rotated) must(vault.lifecycle().rotate(scope, "test"));
  }
  place.keep("rotated");
  const auto states = [&](Vault& vault) {
    std::set<std::string> found;
    for (const std::string& scope : rotated) found.insert(state_of_first_key(vault, scope));
    return found;
  };
  const auto points = kill_everywhere(
      [&](const Telling& parent) -> Result<void> {
        QUIETUS_TRY_AS(auto core, place.open());
        QUIETUS_TRY(retire_older_keys(*core, kWhenever, false));
        parent.tell("retired");
        return {};
      },
      [&] { place.put_back("rotated"); },
      [&](const Crash& crash) {
        auto core = must(place.open());
        Vault vault(core);
        check_base(place, *core, vault);
        // All of them or none.
        const auto left = states(vault);
        REQUIRE(left.size() == 1);
        CHECK((*left.begin() == "destroyed" || !crash.said("retired")));
        const auto report = must(retire_older_keys(*core, kWhenever, false));
        CHECK(report.scopes == (*left.begin() == "destroyed" ? 0 : rotated.size()));
        CHECK(states(vault) == std::set<std::string>{"destroyed"});
        CHECK(must(vault.lifecycle().rotations()).empty());
        check_base(place, *core, vault);
        CHECK(must(vault.check()).orphaned_rows == 0);
      });
  for (const char* point :
       {"change/after-t1", "change/after-t2", "change/after-destroy", "change/before-t3"}) {
    INFO(point);
    CHECK(points.count(point) == 1);
  }
}

namespace {

std::string outcome(const Result<Version>& put) {
  return put ? "put" : std::string(name_of(put.error().code()));
}

// What a process sees and does that was open before the rotation, one line each.
void tell_of(Vault& vault, const Telling& parent) {
  Scope scope = must(vault.scope("acme"));
  parent.tell(reading(vault, "acme", "of the new key"));
  parent.tell(reading(vault, "acme", "of the old key"));
  std::size_t listed = 0;
  const auto list = scope.list("", [&](const RecordInfo&) -> Result<bool> {
    ++listed;
    return true;
  });
  parent.tell(list ? std::to_string(listed) : std::string(name_of(list.error().code())));
  PutOptions new_one;
  new_one.must_be_new = true;
  parent.tell(outcome(scope.put("of the new key", as_bytes("x"), new_one)));
  parent.tell(outcome(scope.put("of both", content_of("acme", "of both"))));
  parent.tell(vault.scope("acme/made meanwhile").ok() ? "found" : "not found");
  const auto made = vault.create_scope("acme/made meanwhile");
  parent.tell(made ? "made" : std::string(name_of(made.error().code())));
}

}  // namespace

TEST_CASE("C9: a new key that nobody published is used beside the old one and nothing is lost",
          "[concurrent]") {
  for (const KeyCaching caching : {KeyCaching::kGuarded, KeyCaching::kNone}) {
    INFO(static_cast<int>(caching));
    const VaultPlace place;
    {
      Vault vault(must(place.create()));
      must(vault.create_scope("acme"));
      must(put_known(vault, "acme", "of the old key"));
    }
    Worker older([&](const Telling& parent) {
      OpenOptions options;
      options.key_caching = caching;
      auto core = place.open(options);
      if (!core) return false;
      Vault vault(*core);
      if (reading(vault, "acme", "of the old key") != "whole") return false;
      static_cast<void>(raise(SIGSTOP));
      tell_of(vault, parent);
      return true;
    });
    older.await_stopped();
    {
      Vault killed(must(place.open()));
      const FailpointHook hook([](std::string_view name) -> Result<void> {
        return name == "rotate/before-publish" ? Result<void>(Error(ErrorCode::kIo, "planned"))
                                               : Result<void>();
      });
      CHECK_FAILS_WITH(killed.lifecycle().rotate("acme", "test"), ErrorCode::kIo);
    }
    auto core = must(place.open());
    Vault vault(core);
    Scope scope = must(vault.scope("acme"));
    must(put_known(vault, "acme", "of the new key"));
    must(scope.put("of both", as_bytes("older")));
    must(vault.create_scope("acme/made meanwhile"));
    older.go_on();
    for (const char* expected :
         {"whole", "whole", "3", "conflict", "put", "found", "already exists"})
      CHECK(older.hear() == expected);
    CHECK(older.succeeds());
    // A later write of the same record, and what is left of the rotation, change nothing of that.
    CHECK(reading(vault, "acme", "of both") == "whole");
    must(scope.put("of both", as_bytes("newest")));
    CHECK(must(vault.lifecycle().resume_rotations()) == 1);
    CHECK(must(scope.get("of both")) == Bytes{'n', 'e', 'w', 'e', 's', 't'});
    CHECK(reading(vault, "acme", "of the old key") == "whole");
    CHECK(must(vault.children("acme")).size() == 1);
    for (const Damage& damage : must(vault.check()).damages)
      FAIL_CHECK(damage.where << ": " << damage.what);
  }
}

TEST_CASE("C9: who hears of no epoch finds what a rotation moved, and writes under the new key",
          "[concurrent]") {
  const bool read_only = GENERATE(true, false);
  INFO(read_only);
  const VaultPlace place;
  {
    Vault vault(must(place.create()));
    must(vault.create_scope("acme"));
    must(put_known(vault, "acme", "small"));
    must(put_known(vault, "acme", "large"));
  }
  // Nobody lays out a table for a reader, and the writer's is taken away from it.
  std::filesystem::remove_all(place.vault() / "runtime");
  Worker deaf([&](const Telling& parent) {
    OpenOptions options;
    options.read_only = read_only;
    auto core = place.open(options);
    if (!core) return false;
    Vault vault(*core);
    if (reading(vault, "acme", "small") != "whole") return false;
    static_cast<void>(raise(SIGSTOP));
    for (const char* name : {"small", "large", "nothing"})
      parent.tell(reading(vault, "acme", name));
    if (read_only) return true;
    return put_known(vault, "acme", "small").ok() && vault.create_scope("acme/child").ok() &&
           put_known(vault, "acme/child", "small").ok();
  });
  deaf.await_stopped();
  std::filesystem::remove_all(place.vault() / "runtime");
  OpenOptions options;
  options.acknowledgement_timeout = std::chrono::milliseconds(50);
  Vault vault(must(place.open(options)));
  must(vault.lifecycle().rotate("acme", "test"));
  deaf.go_on();
  for (const char* expected : {"whole", "whole", "absent"}) CHECK(deaf.hear() == expected);
  CHECK(deaf.succeeds());
  must(vault.lifecycle().purge("acme", "test"));
  CHECK(reading(vault, "acme", "small") == "whole");
  CHECK(reading(vault, "acme", "large") == "whole");
  if (!read_only) CHECK(reading(vault, "acme/child", "small") == "whole");
  for (const Damage& damage : must(vault.check()).damages)
    FAIL_CHECK(damage.where << ": " << damage.what);
}

namespace {

std::string name_of_record(int n) {
  return "record " + std::to_string(n);
}

// A record that was not visited yet and that moves to before what was, when it is written under the
// newest key.
std::optional<std::string> moves_back(const VaultCore& core, ScopeId scope, int records,
                                      const std::set<std::string>& visited) {
  std::optional<std::string> found;
  must(core.keys->with_scope(
      scope, KeyUse::kMaintain, [&](const ScopeKeys& keys, const KeyCache::Use&) -> Result<void> {
        Prf128 last{};
        for (const std::string& name : visited)
          last = std::max(last, prf128(keys.older.at(0).names, as_bytes(name)));
        for (int n = 0; n < records && !found; ++n)
          if (!visited.contains(name_of_record(n)) &&
              prf128(keys.names, as_bytes(name_of_record(n))) < last)
            found = name_of_record(n);
        return {};
      }));
  return found;
}

}  // namespace

TEST_CASE("C9: a list misses no record that is written under a new key that nobody published",
          "[concurrent]") {
  constexpr int kListed = 600;
  constexpr int kFirstPage = 256;
  const VaultPlace place;
  {
    Vault vault(must(place.create()));
    Scope scope = must(vault.create_scope("acme"));
    Batch batch;
    for (int n = 0; n < kListed; ++n) batch.put(name_of_record(n), as_bytes("x"));
    must(scope.write(batch));
  }
  Worker lister([&](const Telling& parent) {
    auto core = place.open();
    if (!core) return false;
    Vault vault(*core);
    std::set<std::string> listed;
    const auto visit = [&](const RecordInfo& info) -> Result<bool> {
      listed.insert(info.name);
      if (listed.size() <= kFirstPage) parent.tell(info.name);
      if (listed.size() == kFirstPage) static_cast<void>(raise(SIGSTOP));
      return true;
    };
    const auto done = must(vault.scope("acme")).list("", visit);
    return done.ok() && listed.size() == kListed;
  });
  std::set<std::string> visited;
  while (visited.size() < kFirstPage) visited.insert(lister.hear());
  lister.await_stopped();
  {
    Vault killed(must(place.open()));
    const FailpointHook hook([](std::string_view name) -> Result<void> {
      return name == "rotate/before-publish" ? Result<void>(Error(ErrorCode::kIo, "planned"))
                                             : Result<void>();
    });
    CHECK_FAILS_WITH(killed.lifecycle().rotate("acme", "test"), ErrorCode::kIo);
  }
  auto core = must(place.open());
  Vault vault(core);
  Scope scope = must(vault.scope("acme"));
  const auto name = moves_back(*core, scope.id(), kListed, visited);
  REQUIRE(name);
  must(scope.put(*name, as_bytes("y")));
  lister.go_on();
  CHECK(lister.succeeds());
}
