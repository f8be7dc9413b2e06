// A removed record, and every old version of a replaced one, is unrecoverable after a purge, for
// whoever kept every version of every file and lacks only what the destroyed root slots held.
#include <catch2/catch.hpp>

#include "base/failpoint.hpp"
#include "faults/loot.hpp"
#include "keys/rotation.hpp"
#include "retire.hpp"
#include "support/failpoint_hook.hpp"

namespace quietus::test {
namespace {

struct Known {
  std::size_t dead = 0;
  std::size_t living = 0;
};

class Purged {
 public:
  Purged() {
    Life& life = whole_.life;
    for (const std::string path : {"acme", "acme/data", "acme/data/gone", "globex"})
      life.make(path);
    for (const std::string name : {"kept", "replaced", "removed"}) {
      life.put("acme/data", name, 100);
      life.put("acme/data", "large " + name, 300'000);
      life.put("globex", name, 100);
    }
    living_from_ = life.facts().size();
    for (const std::string name : {"replaced", "large replaced"}) life.put("acme/data", name, 120);
    for (const std::string name : {"removed", "large removed"}) life.remove("acme/data", name);
  }

  Life& life() { return whole_.life; }
  WholeLife& whole() { return whole_; }

  bool is_dead(std::size_t index) const {
    const Fact& fact = whole_.life.facts().at(index);
    return fact.scope == "acme/data" && index < living_from_ &&
           fact.name.find("kept") == std::string::npos;
  }
  Known known_to(const Adversary& adversary) {
    Known known;
    for (std::size_t i = 0; i < life().facts().size(); ++i) {
      const Fact& fact = life().facts()[i];
      if (!knows(adversary, life().scopes().at(fact.scope).id, fact)) continue;
      ++(is_dead(i) ? known.dead : known.living);
    }
    return known;
  }

 private:
  WholeLife whole_;
  std::size_t living_from_ = 0;
};

constexpr std::size_t kDead = 4;

void check_purged(Purged& purged) {
  const Life& life = purged.life();
  const std::size_t all = life.facts().size();
  Loot loot = loot_of(life);
  const Slots slots = slots_of(purged.whole());
  loot.slots = slots.surviving;
  const Known known = purged.known_to(Adversary(loot));
  CHECK(known.dead == 0);
  CHECK(known.living == all - kDead);
  // The test can fail: with the destroyed slots, what was removed is there.
  loot.slots.insert(slots.destroyed.begin(), slots.destroyed.end());
  CHECK(purged.known_to(Adversary(loot)).dead == kDead);
}

TEST_CASE("what was removed or replaced before a purge opens for nobody") {
  Purged purged;
  // Before, the files alone give it away.
  {
    Loot loot = loot_of(purged.life());
    loot.slots = slots_of(purged.whole()).surviving;
    CHECK(purged.known_to(Adversary(loot)).dead == kDead);
  }
  must(purged.life().vault().lifecycle().purge("acme/data", "test"));
  purged.life().put("acme/data", "after", 50);
  check_purged(purged);
}

TEST_CASE("a rotation alone leaves it recoverable, as it says, until the old key is destroyed") {
  Purged purged;
  must(purged.life().vault().lifecycle().rotate("acme/data", "test"));
  Loot loot = loot_of(purged.life());
  loot.slots = slots_of(purged.whole()).surviving;
  CHECK(purged.known_to(Adversary(loot)).dead == kDead);
  must(purged.life().vault().lifecycle().purge("acme/data", "test"));
  check_purged(purged);
}

TEST_CASE("what a rotation left behind is gone when the sweep retired it") {
  Purged purged;
  must(purged.life().vault().lifecycle().rotate("acme/data", "test"));
  must(purged.life().vault().lifecycle().rotate("globex", "test"));
  CHECK(must(retire_older_keys(purged.life().core(), kWhenever, false)).root_changes == 1);
  purged.life().put("acme/data", "after", 50);
  check_purged(purged);
}

TEST_CASE("a purge that was interrupted before the old key was destroyed, and taken up") {
  for (const std::string step : {"move/before-update", "change/after-slot", "change/before-t3"}) {
    INFO(step);
    Purged purged;
    {
      const FailpointHook hook([&](std::string_view name) -> Result<void> {
        return name == step ? Result<void>(Error(ErrorCode::kIo, "planned")) : Result<void>();
      });
      CHECK_FALSE(purged.life().vault().lifecycle().purge("acme/data", "test").ok());
    }
    purged.life().close();
    purged.life().open();
    must(purged.life().vault().lifecycle().resume_rotations());
    check_purged(purged);
  }
}

TEST_CASE("the name of an erased child cannot be guessed any more after a purge of its parent") {
  Purged purged;
  Life& life = purged.life();
  life.erase({"acme/data/gone"});
  CHECK(life.vault().scope("acme/data/gone").error().code() == ErrorCode::kErased);
  must(life.vault().lifecycle().purge("acme/data", "test"));
  CHECK(life.vault().scope("acme/data/gone").error().code() == ErrorCode::kNotFound);
  CHECK(life.vault().create_scope("acme/data/gone").ok());
}

}  // namespace
}  // namespace quietus::test
