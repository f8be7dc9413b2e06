// Must hold: what a killed process had begun to destroy is destroyed, and nothing else is
// (docs/erasure.md, section 4).
#include "faults/killing.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

void check_erasing(const std::string& target) {
  const Vaults place;
  bool erased_last = false;
  const auto points = kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 QUIETUS_TRY(put_told(vault, parent, "globex", "new"));
                 QUIETUS_TRY(erase(vault, target));
                 parent.tell("erased");
                 return {};
               }),
      [&] { place.put_back("base"); },
      [&](const Crash& crash) {
        auto core = must(place.open());
        Vault vault(core);
        erased_last = check_base(place, *core, vault, target);
        if (crash.said("erased")) CHECK(erased_last);
        const std::string fresh = reading(vault, "globex", "new");
        if (lies_in("globex", target) && erased_last)
          CHECK(fresh == "erased");
        else
          CHECK((fresh == "whole" || (fresh == "absent" && !crash.said("put new"))));
      });
  CHECK(erased_last);
  for (const char* point :
       {"store/before-commit", "store/after-commit", "change/after-t1", "change/after-slot",
        "slot/after-room", "change/after-t2", "change/after-confirm", "change/after-anchor",
        "slot/before-overwrite", "slot/after-overwrite", "change/after-destroy", "change/before-t3",
        "change/after-t3", "anchor/after-write"}) {
    INFO(point);
    CHECK(points.count(point) == 1);
  }
}

}  // namespace

TEST_CASE("I-6, I-12, I-15: an erasure killed at any point completes or never was") {
  SECTION("of a tenant") {
    check_erasing("acme");
  }
  SECTION("of a class") {
    check_erasing("acme/customer");
  }
  SECTION("of a subject") {
    check_erasing("acme/customer/u1");
  }
  SECTION("of a tenant that was just written to") {
    check_erasing("globex");
  }
}

TEST_CASE("I-15: a recovery killed at any point is recovered from") {
  const Vaults place;
  const Body erasing = in_vault(
      place, [&](Vault& vault, const Telling&) -> Result<void> { return erase(vault, "acme"); });
  std::set<std::string> seen;
  std::set<std::string> in_recovery;
  for (int n = 1;; ++n) {
    place.put_back("base");
    const Crash first = killed_at(n, erasing);
    if (first.at.empty()) break;
    // Some points are passed many times; the first time after each other point is enough.
    if (!first.at.starts_with("change/") && !seen.insert(first.at).second) continue;
    place.keep("crashed");
    const auto points = kill_everywhere(
        in_vault(place, [](Vault&, const Telling&) { return Result<void>(); }),
        [&] { place.put_back("crashed"); },
        [&](const Crash&) {
          INFO("first killed at " << first.at);
          auto core = must(place.open());
          Vault vault(core);
          const bool erased = check_base(place, *core, vault, "acme");
          const bool begun = first.at.starts_with("change/") && first.at != "change/before-t1";
          if (begun) CHECK(erased);
        });
    in_recovery.insert(points.begin(), points.end());
  }
  for (const char* point : {"recover/before-confirm", "recover/after-anchor",
                            "recover/after-destroy", "change/after-t1", "change/before-t3"}) {
    INFO(point);
    CHECK(in_recovery.count(point) == 1);
  }
}

TEST_CASE("An unlock change killed at any point leaves exactly one secret that opens") {
  const Vaults place;
  const auto second_key = place.path("second");
  must(new_key_file(second_key));
  bool changed = false;
  kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 QUIETUS_TRY(vault.change_unlock(Unlock::key_file(second_key)));
                 parent.tell("changed");
                 return {};
               }),
      [&] { place.put_back("base"); },
      [&](const Crash& crash) {
        auto core = VaultCore::open(place.vault(), Unlock::key_file(second_key), {}, {});
        changed = core.ok();
        if (!changed) CHECK(core.error().code() == ErrorCode::kWrongKey);
        if (!changed) core = place.open();
        REQUIRE(core.ok());
        {
          Vault vault(*core);
          check_base(place, **core, vault);
        }
        core = Error(ErrorCode::kInternal, "closed");
        if (changed)
          CHECK_FAILS_WITH(place.open(), ErrorCode::kWrongKey);
        else
          CHECK_FAILS_WITH(VaultCore::open(place.vault(), Unlock::key_file(second_key), {}, {}),
                           ErrorCode::kWrongKey);
        if (crash.said("changed")) CHECK(changed);
      });
  CHECK(changed);
}

TEST_CASE("A vault whose destruction is killed at any point is whole, or can only be destroyed") {
  const Vaults place;
  const auto certificate = place.path("certificate");
  bool destroyed = false;
  kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 QUIETUS_TRY(vault.destroy(certificate, "test"));
                 parent.tell("destroyed");
                 return {};
               }),
      [&] {
        place.put_back("base");
        std::filesystem::remove(certificate);
      },
      [&](const Crash& crash) {
        auto opened = place.open();
        destroyed = !opened.ok();
        if (opened) {
          CHECK(!crash.said("destroyed"));
          Vault vault(*opened);
          check_base(place, **opened, vault);
          return;
        }
        if (opened.error().code() == ErrorCode::kErasureIncomplete)
          must(Vault::finish_destruction(place.vault()));
        CHECK_FAILS_WITH(place.open(), ErrorCode::kErased);
        for (const auto& file : std::filesystem::directory_iterator(place.root()))
          CHECK(!file.path().filename().string().starts_with("slot-"));
      });
  CHECK(destroyed);
}
