// Must hold: a process that is killed at any fail point of any operation loses nothing that it had
// acknowledged, and what it had begun to destroy is destroyed (docs/erasure.md, section 4).
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "base/failpoint.hpp"
#include "support/failpoint_hook.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

const std::vector<std::string> kScopes = {
    "acme", "acme/customer", "acme/customer/u1", "acme/customer/u2", "globex", "globex/orders"};

std::vector<std::string> names_in(const std::string& scope) {
  if (scope == "acme/customer/u1" || scope == "globex") return {"small", "large"};
  return {"small"};
}

Result<void> erase(Vault& vault, const std::string& path) {
  const std::string paths[] = {path};
  QUIETUS_TRY(vault.erase(paths, "test"));
  return {};
}

bool lies_in(const std::string& scope, const std::string& above) {
  return scope == above || scope.starts_with(above + "/");
}

// Two tenants with data, and a third that was erased.
class Vaults : public VaultPlace {
 public:
  Vaults() {
    auto core = must(create());
    Vault vault(core);
    for (const std::string& scope : kScopes) {
      ids_[scope] = must(vault.create_scope(scope)).id();
      for (const std::string& name : names_in(scope)) must(put_known(vault, scope, name));
    }
    must(vault.create_scope("old"));
    must(put_known(vault, "old", "small"));
    must(erase(vault, "old"));
    vault = Vault(nullptr);
    core.reset();
    keep("base");
  }
  std::uint64_t id_of(const std::string& scope) const { return ids_.at(scope); }

 private:
  std::map<std::string, std::uint64_t> ids_;
};

struct Crash {
  std::vector<std::string> told;
  std::string at;  // the fail point; empty: it went through
  bool said(const std::string& line) const {
    return std::find(told.begin(), told.end(), line) != told.end();
  }
};

using Body = std::function<Result<void>(const Telling&)>;

// Runs `body` in a process of its own that is killed at the n-th fail point.
Crash killed_at(int n, const Body& body) {
  Worker worker([&](const Telling& parent) {
    failpoint::install(failpoint::at_nth(n, [&](std::string_view name) -> Result<void> {
      parent.tell("at " + std::string(name));
      kill(getpid(), SIGKILL);
      return {};
    }));
    const auto done = body(parent);
    if (!done) parent.tell(std::string(name_of(done.error().code())) + done.error().context());
    return done.ok();
  });
  Crash crash;
  crash.told = worker.hear_all();
  const int status = worker.await_end();
  INFO("child " << n << " said last: " << (crash.told.empty() ? "nothing" : crash.told.back()));
  if (was_killed(status)) {
    REQUIRE(crash.told.back().starts_with("at "));
    crash.at = crash.told.back().substr(3);
    crash.told.pop_back();
  } else {
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
  }
  return crash;
}

// Kills `body` at each of its fail points, the ones of opening and closing included, each time in
// the vault as it was, and looks at what is left. The names of the points.
std::set<std::string> kill_everywhere(const Body& prepare_and_run,
                                      const std::function<void()>& prepare,
                                      const std::function<void(const Crash&)>& check) {
  std::set<std::string> points;
  for (int n = 1;; ++n) {
    prepare();
    const Crash crash = killed_at(n, prepare_and_run);
    INFO("killed at fail point " << n << " " << crash.at);
    check(crash);
    if (crash.at.empty()) return points;
    points.insert(crash.at);
    REQUIRE(n < 500);
  }
}

Body in_vault(const VaultPlace& place,
              std::function<Result<void>(Vault&, const Telling&)> operation) {
  return [&place, operation = std::move(operation)](const Telling& parent) -> Result<void> {
    QUIETUS_TRY_AS(auto core, place.open());
    Vault vault(std::move(core));
    return operation(vault, parent);
  };
}

// What was there before the operation is whole, but for what lies in `target`: that is whole or
// erased, all of it alike, and erased only with a certificate. Whether it is erased.
bool check_base(const Vaults& place, VaultCore& core, Vault& vault,
                const std::string& target = "-") {
  const auto certified = check_invariants(core, vault);
  CHECK(reading(vault, "old", "small") == "erased");
  std::set<std::string> of_target;
  for (const std::string& scope : kScopes)
    for (const std::string& name : names_in(scope)) {
      const std::string seen = reading(vault, scope, name);
      INFO(scope << " " << name);
      if (lies_in(scope, target))
        of_target.insert(seen);
      else
        CHECK(seen == "whole");
    }
  if (target == "-") {
    CHECK(certified.size() == 1);
    return false;
  }
  REQUIRE(of_target.size() == 1);
  const bool erased = *of_target.begin() == "erased";
  CHECK((erased || *of_target.begin() == "whole"));
  CHECK(certified.size() == (erased ? 2U : 1U));
  const bool named =
      std::find(certified.begin(), certified.end(), place.id_of(target)) != certified.end();
  CHECK(named == erased);
  return erased;
}

// Writes records one after another, and what it is about to do before each.
Result<void> put_told(Vault& vault, const Telling& parent, const std::string& scope,
                      const std::string& name) {
  QUIETUS_TRY(put_known(vault, scope, name));
  parent.tell("put " + name);
  return {};
}

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
            CHECK_FAILS_WITH(there, ErrorCode::kNotFound);
            CHECK(!crash.said("made " + path));
            must(vault.create_scope(path));
          }
          must(put_known(vault, path, "small"));
          CHECK(reading(vault, path, "small") == "whole");
        }
        check_base(place, *core, vault);
      });
}

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
        if (!changed) CHECK_FAILS_WITH(core, ErrorCode::kWrongKey);
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

namespace {

// Opens, waits to be continued, erases; tells how that ended.
bool erase_when_told(const VaultPlace& place, const std::string& target, const OpenOptions& options,
                     const Telling& parent) {
  auto core = place.open(options);
  if (!core) return false;
  Vault vault(*core);
  static_cast<void>(reading(vault, target, "small"));
  parent.tell("open");
  static_cast<void>(raise(SIGSTOP));
  const auto done = erase(vault, target);
  parent.tell(done ? "erased" : std::string(name_of(done.error().code())));
  return true;
}

OpenOptions impatient() {
  OpenOptions options;
  options.lock_timeout = std::chrono::milliseconds(200);
  options.acknowledgement_timeout = std::chrono::milliseconds(200);
  return options;
}

// An eraser that stops itself between T1 and T2.
bool erase_and_stop(const VaultPlace& place, const std::string& target, const Telling& parent) {
  auto core = place.open();
  if (!core) return false;
  Vault vault(*core);
  failpoint::install([&](std::string_view name) -> Result<void> {
    if (name == "change/after-t1") static_cast<void>(raise(SIGSTOP));
    return {};
  });
  const auto done = erase(vault, target);
  parent.tell(done ? "erased" : std::string(name_of(done.error().code())));
  return done.ok();
}

}  // namespace

TEST_CASE("C1: two processes that erase at once both get what they asked for, or are told busy") {
  const Vaults place;
  for (int round = 0; round < 5; ++round) {
    place.put_back("base");
    Worker one([&](const Telling& to) { return erase_when_told(place, "acme", {}, to); });
    Worker two([&](const Telling& to) { return erase_when_told(place, "globex", {}, to); });
    REQUIRE(one.hear() == "open");
    REQUIRE(two.hear() == "open");
    one.await_stopped();
    two.await_stopped();
    one.go_on();
    two.go_on();
    const std::string first = one.hear();
    const std::string second = two.hear();
    CHECK(one.succeeds());
    CHECK(two.succeeds());
    INFO(first << " and " << second);
    CHECK((first == "erased" || first == "busy"));
    CHECK((second == "erased" || second == "busy"));
    CHECK((first == "erased" || second == "erased"));
    auto core = must(place.open());
    Vault vault(core);
    if (first == "busy") must(erase(vault, "acme"));
    if (second == "busy") must(erase(vault, "globex"));
    CHECK(check_invariants(*core, vault).size() == 3);
    for (const std::string& scope : kScopes) CHECK(reading(vault, scope, "small") == "erased");
  }
}

TEST_CASE("C1: while an eraser is stopped between T1 and T2 a second one is told busy") {
  const Vaults place;
  Worker second(
      [&](const Telling& to) { return erase_when_told(place, "globex", impatient(), to); });
  REQUIRE(second.hear() == "open");
  second.await_stopped();
  Worker first([&](const Telling& to) { return erase_and_stop(place, "acme", to); });
  first.await_stopped();
  second.go_on();
  CHECK(second.hear() == "busy");
  CHECK(second.succeeds());
  SECTION("the first finishes when it goes on") {
    first.go_on();
    CHECK(first.hear() == "erased");
    CHECK(first.succeeds());
    auto core = must(place.open());
    Vault vault(core);
    CHECK(check_base(place, *core, vault, "acme"));
  }
  SECTION("killed while it is stopped, the next open finishes for it") {
    first.end();
    auto core = must(place.open());
    Vault vault(core);
    CHECK(check_base(place, *core, vault, "acme"));
  }
}

TEST_CASE(
    "C13, I-9: a stopped process that holds the keys delays the certificate, not the end of "
    "the slot") {
  const Vaults place;
  Worker holder([&](const Telling& parent) {
    auto core = place.open();
    if (!core) return false;
    Vault vault(*core);
    parent.tell(reading(vault, "acme", "small"));
    while (reading(vault, "acme", "small") == "whole")
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    parent.tell(reading(vault, "acme", "small"));
    pause();
    return true;
  });
  REQUIRE(holder.hear() == "whole");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  holder.stop();
  auto core = must(place.open(impatient()));
  Vault vault(core);
  const auto old_slots = must(core->provider->list());
  CHECK_FAILS_WITH(erase(vault, "acme"), ErrorCode::kErasureIncomplete);
  const auto slots = must(core->provider->list());
  REQUIRE(slots.size() == 1);
  CHECK(slots != old_slots);
  CHECK(must(vault.certificates()).size() == 1);  // the one from before
  CHECK(must(vault.status()).pending.size() == 1);
  CHECK(reading(vault, "acme", "small") == "erased");
  CHECK_FAILS_WITH(vault.resume(), ErrorCode::kErasureIncomplete);
  SECTION("continued, it drops the keys") {
    holder.go_on();
    CHECK(holder.hear() == "erased");
  }
  SECTION("killed, it holds nothing any more") {
    holder.end();
  }
  const auto reports = must(vault.resume());
  REQUIRE(reports.size() == 1);
  must(verify_certificate(as_bytes(reports[0].certificate), must(vault.issuing_key_pem())));
  CHECK(check_base(place, *core, vault, "acme"));
}
