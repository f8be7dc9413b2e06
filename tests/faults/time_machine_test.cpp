// Must hold 1: whoever kept every version of every file, and every unlock secret, and lacks only
// what the destroyed root slots held, opens nothing of what was erased and everything else.
#include <algorithm>
#include <catch2/catch.hpp>

#include "faults/adversary.hpp"
#include "faults/loot.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

// How many facts of scopes that `pick` wants are known.
template <class Pick>
std::pair<std::size_t, std::size_t> known_facts(const Adversary& adversary, const Life& life,
                                                Pick pick) {
  std::size_t known = 0;
  std::size_t all = 0;
  for (const Fact& fact : life.facts()) {
    const LifeOfScope& scope = life.scopes().at(fact.scope);
    if (!pick(scope)) continue;
    ++all;
    if (knows(adversary, scope.id, fact)) ++known;
  }
  return {known, all};
}

bool is_alive(const LifeOfScope& scope) {
  return !is_erased(scope);
}

void check_without_destroyed_slots(const Adversary& adversary, const Life& life) {
  const auto erased = known_facts(adversary, life, is_erased);
  const auto alive = known_facts(adversary, life, is_alive);
  CHECK(erased.second > 30);
  CHECK(erased.first == 0);
  CHECK(alive.first == alive.second);
  for (const auto& [path, scope] : life.scopes()) {
    INFO(path);
    CHECK(adversary.scope_keys(scope.id).empty() == is_erased(scope));
    if (is_erased(scope)) CHECK(adversary.brute_force(scope.id) == 0);
  }
  for (const std::string name : {"gamma", "person-7", "derived-1", "file 12"})
    CHECK_FALSE(any_row_holds(adversary, name));
  for (const std::string name : {"alpha", "person-8", "derived-2", "file 13"})
    CHECK(any_row_holds(adversary, name));
}

// What the store itself reads in its versions was among the rows that were taken from the pages.
void check_that_no_version_is_missed(const Life& life, const Loot& loot) {
  const LmdbPages::Rows rows = loot.control.rows();
  const auto path = life.aside("version.mdb");
  LmdbOptions options;
  options.vault = life.id();
  std::size_t versions = 0;
  std::size_t missed = 0;
  replay(life.calls(), [&](const RecordedCall& call, const FileContents& files) {
    if (!call.path.ends_with("/control.mdb") || !call.waits || call.offset >= 8192) return;
    if (call.kind != RecordedCall::Kind::kWrite || ++versions % 2 != 0) return;
    write_bytes(path, files.at(call.path));
    must(must(open_lmdb_control(path, options))->read([&](ControlReader& reader) {
      return reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
        const auto found = rows.find(Bytes(key.begin(), key.end()));
        if (found == rows.end() || !found->second.contains(Bytes(value.begin(), value.end())))
          ++missed;
        return true;
      });
    }));
    std::filesystem::remove(path);
  });
  CHECK(versions > 80);
  CHECK(missed == 0);
}

// With the slots of one root generation everything opens that lived then, and nothing that had been
// erased before. False when the slots never came to name a root.
bool check_generation(const Life& life, const Loot& loot, std::uint64_t generation) {
  INFO("root generation " << generation);
  const Adversary adversary(loot);
  REQUIRE_FALSE(adversary.root_keys().empty());
  if (adversary.rows().empty()) return false;
  const auto gone = known_facts(
      adversary, life, [&](const LifeOfScope& scope) { return scope.erased < generation; });
  const auto later = known_facts(adversary, life, [&](const LifeOfScope& scope) {
    return is_erased(scope) && scope.erased >= generation;
  });
  CHECK(gone.first == 0);
  CHECK(later.first == later.second);
  return true;
}

TEST_CASE("the time machine opens nothing of what was erased and everything else") {
  WholeLife whole;
  live(whole);
  const Life& life = whole.life;
  Loot loot = loot_of(life);
  const Slots slots = slots_of(whole);
  check_that_no_version_is_missed(life, loot);

  loot.slots = slots.surviving;
  check_without_destroyed_slots(Adversary(loot), life);

  // The test can fail: with the destroyed slots all that ever was opens.
  loot.slots.insert(slots.destroyed.begin(), slots.destroyed.end());
  const Adversary with_all(loot);
  const auto all = known_facts(with_all, life, [](const LifeOfScope&) { return true; });
  CHECK(all.first == all.second);
  CHECK(any_row_holds(with_all, "person-7"));
  CHECK(any_row_holds(with_all, "file 12"));
  CHECK(with_all.brute_force(life.scopes().at("gamma").id) > 0);

  // Pages that were flushed and never committed are reached through the abandoned slot alone.
  loot.slots = slots.abandoned;
  REQUIRE_FALSE(loot.slots.empty());
  const Adversary with_abandoned(loot);
  CHECK_FALSE(with_abandoned.scope_keys(life.scopes().at("gamma").id).empty());
  CHECK(with_abandoned.scope_keys(life.scopes().at("beta/billing").id).empty());

  std::map<std::uint64_t, std::set<StolenSlot>> by_generation;
  for (const StolenSlot& slot : slots.destroyed)
    if (!slots.abandoned.contains(slot)) by_generation[slot.slot.generation].insert(slot);
  int generations = 0;
  for (const auto& [generation, stolen] : by_generation) {
    loot.slots = stolen;
    if (check_generation(life, loot, generation)) ++generations;
  }
  CHECK(generations == 7);
}

}  // namespace
}  // namespace quietus::test
