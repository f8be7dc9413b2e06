// Every cell of the table of SP 800-57, as data and on a real store.
#include "keys/key_state.hpp"

#include <sys/mman.h>

#include <atomic>
#include <map>

#include "keys/erasable_vault.hpp"
#include "keys/scope_state.hpp"
#include "support/worker.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;
using enum KeyState;

namespace {

// SP 800-57 Part 1 Rev. 5, section 7: transitions 2 to 15, and KMIP's report of a compromise after
// the destruction.
const std::set<std::pair<KeyState, KeyState>>& transitions() {
  static const std::set<std::pair<KeyState, KeyState>> all = {{kPreActivation, kDestroyed},
                                                              {kPreActivation, kCompromised},
                                                              {kPreActivation, kActive},
                                                              {kActive, kDestroyed},
                                                              {kActive, kCompromised},
                                                              {kActive, kSuspended},
                                                              {kActive, kDeactivated},
                                                              {kSuspended, kDestroyed},
                                                              {kSuspended, kActive},
                                                              {kSuspended, kCompromised},
                                                              {kSuspended, kDeactivated},
                                                              {kDeactivated, kDestroyed},
                                                              {kDeactivated, kCompromised},
                                                              {kCompromised, kDestroyedCompromised},
                                                              {kDestroyed, kDestroyedCompromised}};
  return all;
}

// Whether it protects, and whether it processes.
const std::map<KeyState, std::pair<Allowance, Allowance>>& uses() {
  static const std::map<KeyState, std::pair<Allowance, Allowance>> all = {
      {kPreActivation, {Allowance::kNo, Allowance::kNo}},
      {kActive, {Allowance::kYes, Allowance::kYes}},
      {kSuspended, {Allowance::kByException, Allowance::kByException}},
      {kDeactivated, {Allowance::kNo, Allowance::kYes}},
      {kCompromised, {Allowance::kNo, Allowance::kByException}},
      {kDestroyed, {Allowance::kNo, Allowance::kNo}},
      {kDestroyedCompromised, {Allowance::kNo, Allowance::kNo}}};
  return all;
}

// A scope in a state, by whatever way: written as no program would write it.
void force(TestVault& vault, ScopeId scope, KeyState state) {
  must(vault.keys().update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(auto row, rows::key_row(writer, scopes.seal(), scope));
        row->state = state;
        for (KeyRecord& key : row->keys) key.state = state;
        return rows::put_key_row(writer, scopes.seal(), *row);
      }));
}

Result<HolderCount> change(TestVault& vault, ScopeId scope, KeyState to, Code reason = "test") {
  return vault.keys().update_standing([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return change_state(writer, scopes.seal(), {scope, to, reason, 1790000001000});
  });
}

Result<void> use(TestVault& vault, const ScopeAccess& access, KeyUse wanted) {
  return vault.keys().with_scope(
      access, wanted, [](const ScopeKeys&, const KeyCache::Use&) { return Result<void>(); });
}

std::uint64_t log_size(TestVault& vault) {
  return must(vault.keys().log_head()).size;
}

std::string newest_entry(TestVault& vault) {
  return vault.look(
      [](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<std::string> {
        QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const Bytes text,
                       read_entry(reader, {seal.key, seal.vault, seal.context}, head.size - 1));
        return std::string(as_text(text));
      });
}

}  // namespace

TEST_CASE("the table of states is that of SP 800-57", "[states]") {
  for (const KeyState from : kAllKeyStates) {
    for (const KeyState to : kAllKeyStates) {
      INFO(name_of(from) << " to " << name_of(to));
      CHECK(may_become(from, to) == transitions().contains({from, to}));
    }
    INFO(name_of(from));
    CHECK(allowance(from, KeyUse::kProtect) == uses().at(from).first);
    CHECK(allowance(from, KeyUse::kProcess) == uses().at(from).second);
    CHECK((allowance(from, KeyUse::kMaintain) == Allowance::kYes) == !is_destroyed(from));
  }
}

TEST_CASE("every transition happens and is logged, or is refused and changes nothing", "[states]") {
  ErasableVault vault;
  const ScopeId scope = vault.scopes.other;
  for (const KeyState from : kAllKeyStates) {
    if (is_destroyed(from)) continue;  // the scope is erased then: see below
    for (const KeyState to : kAllKeyStates) {
      INFO(name_of(from) << " to " << name_of(to));
      force(*vault, scope, from);
      const std::uint64_t before = log_size(*vault);
      const auto changed = change(*vault, scope, to);
      const KeyRow row = *vault->key_row(scope);
      // Only a root change destroys.
      if (transitions().contains({from, to}) && !is_destroyed(to)) {
        REQUIRE(changed.ok());
        CHECK(row.state == to);
        CHECK(row.reason == "test");
        CHECK(row.changed == 1790000001000);
        for (const KeyRecord& key : row.keys) CHECK(key.state == to);
        CHECK(log_size(*vault) == before + 1);
        const std::string entry = newest_entry(*vault);
        CHECK(entry.find("\"kind\":\"state-changed\"") != std::string::npos);
        CHECK(entry.find("\"from\":\"" + std::string(name_of(from)) + "\"") != std::string::npos);
        CHECK(entry.find("\"to\":\"" + std::string(name_of(to)) + "\"") != std::string::npos);
        CHECK(entry.find("\"reason\":\"test\"") != std::string::npos);
      } else {
        CHECK_FAILS_WITH(changed, kRefused);
        CHECK(row.state == from);
        for (const KeyRecord& key : row.keys) CHECK(key.state == from);
        CHECK(log_size(*vault) == before);
      }
    }
  }
}

TEST_CASE("what is destroyed changes its state no more", "[states]") {
  ErasableVault vault;
  must(change(*vault, vault.scopes.user, kCompromised));
  must(vault->erase({vault.scopes.user, vault.scopes.other}));
  CHECK(vault->key_row(vault.scopes.user)->state == kDestroyedCompromised);
  CHECK(vault->key_row(vault.scopes.other)->state == kDestroyed);
  const std::uint64_t before = log_size(*vault);
  for (const KeyState to : kAllKeyStates)
    for (const ScopeId scope : {vault.scopes.user, vault.scopes.other})
      CHECK_FAILS_WITH(change(*vault, scope, to), kErased);
  CHECK_FAILS_WITH(change(*vault, 4711, kSuspended), kNotFound);
  CHECK(log_size(*vault) == before);
}

TEST_CASE("each state allows what the table says, to the scope and to what depends on it",
          "[states]") {
  ErasableVault vault;
  for (const KeyState state : kAllKeyStates) {
    if (is_destroyed(state)) continue;
    force(*vault, vault.scopes.data, state);
    const ErrorCode refusal = state == kSuspended ? ErrorCode::kRestricted : ErrorCode::kRefused;
    // data itself, a scope below it, and one that was derived from that.
    for (const ScopeId scope : {vault.scopes.data, vault.scopes.user, vault.scopes.derived}) {
      INFO(name_of(state) << ", scope " << scope);
      for (const KeyUse wanted : {KeyUse::kProtect, KeyUse::kProcess}) {
        const Allowance given =
            wanted == KeyUse::kProtect ? uses().at(state).first : uses().at(state).second;
        const auto plain = use(*vault, scope, wanted);
        CHECK(plain.ok() == (given == Allowance::kYes));
        if (!plain) CHECK(plain.error().code() == refusal);
        CHECK(use(*vault, {scope, true}, wanted).ok() == (given != Allowance::kNo));
      }
      CHECK(use(*vault, scope, KeyUse::kMaintain).ok());
    }
    CHECK(use(*vault, vault.scopes.acme, KeyUse::kProtect).ok());
    CHECK(use(*vault, vault.scopes.globex, KeyUse::kProtect).ok());
    CHECK(vault->add(vault.scopes.data, "below " + std::string(name_of(state))).ok() ==
          (state == kActive));
  }
}

TEST_CASE("a compromise is one of every key of the scope, also of the older ones", "[states]") {
  ErasableVault vault;
  must(vault->keys().update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(auto row, rows::key_row(writer, scopes.seal(), vault.scopes.user));
        KeyRecord older = *row->newest(KeyLine::kLasting);
        older.generation = 0;
        older.state = kDeactivated;
        row->keys.push_back(older);
        return rows::put_key_row(writer, scopes.seal(), *row);
      }));
  must(change(*vault, vault.scopes.user, kSuspended));
  CHECK(vault->key_row(vault.scopes.user)->keys.back().state == kDeactivated);
  must(change(*vault, vault.scopes.user, kCompromised));
  const KeyRow row = *vault->key_row(vault.scopes.user);
  for (const KeyRecord& key : row.keys) CHECK(key.state == kCompromised);
}

TEST_CASE("a change that was made and not published takes effect when it is asked for again",
          "[states]") {
  ErasableVault vault;
  const ScopeId scope = vault.scopes.user;
  must(use(*vault, scope, KeyUse::kProcess));
  // As by a process that is killed after its commit.
  must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return change_state(writer, scopes.seal(), {scope, kSuspended, "test", 1790000001000});
  }));
  must(use(*vault, scope, KeyUse::kProcess));
  CHECK_FAILS_WITH(change(*vault, scope, kSuspended), kRefused);
  CHECK_FAILS_WITH(use(*vault, scope, KeyUse::kProcess), kRestricted);
}

TEST_CASE("a restriction holds in other processes as soon as it is reported",
          "[states][concurrent]") {
  ErasableVault vault;
  auto* restricted = static_cast<std::atomic<bool>*>(mmap(nullptr, sizeof(std::atomic<bool>),
                                                          PROT_READ | PROT_WRITE,
                                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(restricted != MAP_FAILED);
  vault.vault.reset();
  Worker other([&](const Telling& telling) {
    vault.place.forked();
    TestVault theirs(vault.place);
    if (!theirs.open().ok()) return false;
    for (bool told = false;;) {
      const bool late = *restricted;
      const auto read = use(theirs, vault.scopes.user, KeyUse::kProcess);
      if (!read) {
        telling.tell(read.error().code() == ErrorCode::kRestricted ? "restricted" : "failed");
        pause();  // one that ends here may end before it is counted
      }
      if (late) telling.tell("read what is restricted");
      if (!told) telling.tell("reads");
      told = true;
    }
  });
  CHECK(other.hear() == "reads");
  must(vault.open());
  const HolderCount holders = must(change(*vault, vault.scopes.data, kSuspended));
  *restricted = true;
  CHECK(holders.acknowledged == 2);
  CHECK(holders.missing == 0);
  CHECK(other.hear() == "restricted");
  munmap(restricted, sizeof(std::atomic<bool>));
}
