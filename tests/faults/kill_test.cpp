// Must hold: a process that is killed at any fail point of any operation loses nothing that it had
// acknowledged.
#include "faults/killing.hpp"

using namespace quietus;
using namespace quietus::test;

TEST_CASE("I-12: a put killed at any point loses nothing that was acknowledged") {
  const Vaults place;
  const std::vector<std::string> names = {"inline", "large1", "inline", "large1", "large2"};
  const auto points = kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 for (const std::string& name : names)
                   QUIETUS_TRY(put_told(vault, parent, "acme", name));
                 return {};
               }),
      [&] { place.put_back("base"); },
      [&](const Crash& crash) {
        auto core = must(place.open());
        Vault vault(core);
        check_base(place, *core, vault);
        for (const std::string& name : names) {
          INFO(name);
          const std::string seen = reading(vault, "acme", name);
          CHECK((seen == "whole" || (seen == "absent" && !crash.said("put " + name))));
        }
        CHECK(must(vault.check()).orphaned_rows == 0);
      });
  CHECK(points.count("store/before-commit") == 1);
  CHECK(points.count("store/after-commit") == 1);
  CHECK(points.count("objects/before-rows") == 1);
}

TEST_CASE("I-12: a batch killed at any point is there as a whole or not at all") {
  const Vaults place;
  kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 Batch batch;
                 for (const std::string name : {"one", "two", "large"})
                   batch.put(name, content_of("acme", name));
                 batch.remove("small");
                 QUIETUS_TRY_AS(Scope scope, vault.scope("acme"));
                 QUIETUS_TRY(scope.write(batch));
                 parent.tell("written");
                 return {};
               }),
      [&] { place.put_back("base"); },
      [&](const Crash& crash) {
        auto core = must(place.open());
        Vault vault(core);
        check_invariants(*core, vault);
        const bool written = reading(vault, "acme", "one") == "whole";
        const std::string others = written ? "whole" : "absent";
        for (const std::string name : {"one", "two", "large"})
          CHECK(reading(vault, "acme", name) == others);
        CHECK(reading(vault, "acme", "small") == (written ? "absent" : "whole"));
        if (crash.said("written")) CHECK(written);
      });
}

TEST_CASE("A scope whose making is killed at any point exists whole or not at all") {
  const Vaults place;
  kill_everywhere(
      in_vault(place,
               [&](Vault& vault, const Telling& parent) -> Result<void> {
                 for (const std::string path : {"initech", "initech/a", "acme/customer/u3"}) {
                   QUIETUS_TRY(vault.create_scope(path));
                   parent.tell("made " + path);
                 }
                 return {};
               }),
      [&] { place.put_back("base"); },
      [&](const Crash& crash) {
        auto core = must(place.open());
        Vault vault(core);
        for (const std::string path : {"initech", "initech/a", "acme/customer/u3"}) {
          INFO(path);
          const auto there = vault.scope(path);
          if (!there) {
            CHECK(there.error().code() == ErrorCode::kNotFound);
            CHECK(!crash.said("made " + path));
            must(vault.create_scope(path));
          }
          must(put_known(vault, path, "small"));
          CHECK(reading(vault, path, "small") == "whole");
        }
        check_base(place, *core, vault);
      });
}

TEST_CASE("An interrupted init is simply repeated, and leaves nothing of the first") {
  const VaultPlace place;
  const auto points = kill_everywhere(
      [&](const Telling& parent) -> Result<void> {
        QUIETUS_TRY(place.create());
        parent.tell("made");
        return {};
      },
      [&] { std::filesystem::remove_all(place.live()); },
      [&](const Crash& crash) {
        const bool there = std::filesystem::exists(place.vault() / "vault.json");
        if (crash.said("made")) CHECK(there);
        auto core = must(there ? place.open() : place.create());
        Vault vault(core);
        must(vault.create_scope("acme"));
        must(put_known(vault, "acme", "small"));
        check_invariants(*core, vault);
        CHECK(!std::filesystem::exists(place.vault() / "vault.json.new"));
        std::size_t roots = 0;
        for (const auto& root : std::filesystem::directory_iterator(place.roots())) {
          INFO(root.path());
          CHECK(root.path() == core->header.root_folder);
          ++roots;
        }
        CHECK(roots == 1);
      });
  for (const char* point : {"create/after-header", "create/after-room", "create/after-slot",
                            "create/after-rows", "create/before-rename", "create/after-rename"}) {
    INFO(point);
    CHECK(points.count(point) == 1);
  }
}
