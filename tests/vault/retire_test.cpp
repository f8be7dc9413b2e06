// What a sweep does to the keys that plain rotations left behind.
#include "retire.hpp"

#include <chrono>
#include <thread>

#include "base/byte_writer.hpp"
#include "keys/rotation.hpp"
#include "support/failpoint_hook.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

struct Retiring {
  TempVault place;
  Vault vault = place.vault();
  Lifecycle lifecycle = vault.lifecycle();

  explicit Retiring(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) must(place.scope(path).put("a", as_bytes(path)));
  }
  void rotate(const std::string& path) { must(lifecycle.rotate(path, "test")); }
  RetireReport retire(UnixMillis before = kWhenever, bool dry_run = false) {
    return must(retire_older_keys(place.core(), before, dry_run));
  }
  std::string state_of(const std::string& path, std::uint32_t generation) {
    for (const KeyInfo& key : must(lifecycle.keys(path)).keys)
      if (key.line == "data" && key.generation == generation) return key.state;
    return "none";
  }
  // What is done while the root is being changed cannot load keys: they must be cached, in the
  // newest epoch.
  void take_keys_to_hand() {
    const Holders& holders = *place.core().holders;
    REQUIRE(must(holders.await(holders.epoch(), std::chrono::seconds(20))).missing == 0);
    must(vault.status());
  }
  std::uint64_t id_of(const std::string& path) { return must(vault.scope(path)).id(); }
  std::uint64_t root_generation() { return must(vault.status()).root_generation; }
  void check(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      const auto got = must(must(vault.scope(path)).get("a"));
      CHECK(got == Bytes(path.begin(), path.end()));
    }
    for (const Damage& damage : must(vault.check()).damages)
      FAIL_CHECK(damage.where << ": " << damage.what);
  }
};

// A time between what was done before and what is done afterwards.
UnixMillis a_moment() {
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  const UnixMillis now = system_clock().now();
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  return now;
}

std::vector<std::string> three() {
  return {"acme/a", "acme/b", "globex"};
}

// Fails once, at the first fail point of that name; before it does, does that.
auto once(std::string at, std::function<void()> what, bool fails) {
  return [at = std::move(at), what = std::move(what), fails,
          done = false](std::string_view name) mutable -> Result<void> {
    if (done || name != at) return {};
    done = true;
    what();
    return fails ? Result<void>(Error(kIo, "planned")) : Result<void>();
  };
}

}  // namespace

TEST_CASE("older keys of all scopes go in one root change", "[rotation][retire]") {
  Retiring t(three());
  CHECK(t.retire().scopes == 0);
  for (const std::string& path : three()) t.rotate(path);
  t.rotate("globex");
  const std::uint64_t root = t.root_generation();
  const RetireReport planned = t.retire(kWhenever, true);
  CHECK(planned.scopes == 3);
  CHECK(planned.keys == 4);
  CHECK(planned.root_changes == 0);
  CHECK(t.root_generation() == root);
  CHECK(t.state_of("globex", 1) == "deactivated");
  const RetireReport done = t.retire();
  CHECK(done.scopes == 3);
  CHECK(done.keys == 4);
  CHECK(done.root_changes == 1);
  CHECK(t.root_generation() == root + 1);
  for (const std::string& path : three()) CHECK(t.state_of(path, 1) == "destroyed");
  CHECK(t.state_of("globex", 2) == "destroyed");
  CHECK(t.state_of("globex", 3) == "active");
  CHECK(must(t.lifecycle.rotations()).empty());
  CHECK(t.retire().scopes == 0);
  t.check(three());
  CHECK(must(t.vault.certificates()).empty());
}

TEST_CASE("only keys that nothing needed since before a time are retired", "[rotation][retire]") {
  Retiring t({"acme"});
  t.rotate("acme");
  t.rotate("acme");
  const UnixMillis moment = a_moment();
  t.rotate("acme");
  CHECK(t.retire(0).keys == 0);
  CHECK(t.retire(moment).keys == 1);
  CHECK(t.state_of("acme", 1) == "destroyed");
  CHECK(t.state_of("acme", 2) == "deactivated");
  CHECK(must(t.lifecycle.rotations()).size() == 1);
  CHECK(t.retire(moment).keys == 0);
  t.check({"acme"});
  CHECK(t.retire(a_moment()).keys == 2);
  CHECK(t.state_of("acme", 3) == "destroyed");
  CHECK(must(t.lifecycle.rotations()).empty());
  t.check({"acme"});
}

TEST_CASE("a compromised key that took over does not make an older one look unneeded",
          "[rotation][retire]") {
  Retiring t({"acme"});
  {
    const FailpointHook hook(once(
        "move/before-fence", [] {}, true));
    CHECK_FAILS_WITH(t.lifecycle.rotate("acme", "test"), kIo);
  }
  must(t.lifecycle.compromise("acme", "incident"));
  const UnixMillis moment = a_moment();
  t.rotate("acme");
  CHECK(t.retire(moment).keys == 0);
  CHECK(t.retire().keys == 2);
  t.check({"acme"});
}

TEST_CASE("names of erased children stay for as long as the key that tells them",
          "[rotation][retire]") {
  Retiring t({"acme/first", "acme/second"});
  t.place.erase("acme/first");
  t.rotate("acme");
  t.rotate("acme");
  t.place.erase("acme/second");
  const UnixMillis moment = a_moment();
  t.rotate("acme");
  CHECK(t.retire(moment).keys == 1);
  CHECK_FAILS_WITH(t.vault.scope("acme/first"), kNotFound);
  CHECK_FAILS_WITH(t.vault.scope("acme/second"), kErased);
  CHECK(t.retire().keys == 2);
  CHECK_FAILS_WITH(t.vault.scope("acme/second"), kNotFound);
}

TEST_CASE("I-22: keys of held scopes are passed over and told", "[rotation][retire][holds]") {
  Retiring t(three());
  for (const std::string& path : three()) t.rotate(path);
  const HoldInfo hold = must(t.lifecycle.place_hold("acme/b", "audit"));
  CHECK(t.retire(kWhenever, true).held == 1);
  const RetireReport done = t.retire();
  CHECK(done.scopes == 2);
  CHECK(done.held == 1);
  CHECK(done.held_scopes == std::vector<ScopeId>{t.id_of("acme/b")});
  CHECK(t.state_of("acme/a", 1) == "destroyed");
  CHECK(t.state_of("acme/b", 1) == "deactivated");
  must(t.lifecycle.release_hold(hold.id));
  CHECK(t.retire().scopes == 1);
  t.check(three());
}

TEST_CASE("I-22: a hold that comes in between keeps its scope's keys and no others'",
          "[rotation][retire][holds]") {
  for (const std::string step : {"change/before-t1", "change/after-t1", "change/after-slot"}) {
    INFO(step);
    Retiring t(three());
    for (const std::string& path : three()) t.rotate(path);
    t.take_keys_to_hand();
    const FailpointHook hook(once(
        step, [&] { must(t.lifecycle.place_hold("acme/b", "audit")); }, false));
    const RetireReport done = t.retire();
    CHECK(done.scopes == 2);
    CHECK(done.held == 1);
    CHECK(t.state_of("acme/a", 1) == "destroyed");
    CHECK(t.state_of("acme/b", 1) == "deactivated");
    t.check(three());
  }
}

TEST_CASE("I-23: a rotation that is not finished keeps its older keys, and no others'",
          "[rotation][retire]") {
  Retiring t(three());
  for (const std::string& path : three()) t.rotate(path);
  {
    const FailpointHook hook(once(
        "move/before-fence", [] {}, true));
    CHECK_FAILS_WITH(t.lifecycle.rotate("globex", "test"), kIo);
  }
  CHECK(t.retire().scopes == 2);
  CHECK(t.state_of("globex", 1) == "deactivated");
  CHECK(must(t.lifecycle.resume_rotations()) == 1);
  const RetireReport done = t.retire();
  CHECK(done.scopes == 1);
  CHECK(done.keys == 2);
  t.check(three());
}

TEST_CASE("I-23: a rotation that begins in between keeps the keys that it needs",
          "[rotation][retire]") {
  for (const std::string step : {"change/before-t1", "change/after-t1", "change/after-slot"}) {
    INFO(step);
    Retiring t(three());
    for (const std::string& path : three()) t.rotate(path);
    t.take_keys_to_hand();
    bool begun = false;
    {
      const FailpointHook hook([&](std::string_view name) -> Result<void> {
        if (name == "rotate/before-publish" && begun) return Error(kIo, "planned");
        if (name != step || std::exchange(begun, true)) return {};
        CHECK_FAILS_WITH(t.lifecycle.rotate("globex", "test"), kIo);
        return {};
      });
      CHECK(t.retire().scopes == 2);
    }
    CHECK(t.state_of("globex", 1) == "deactivated");
    CHECK(t.state_of("globex", 2) == "deactivated");
    CHECK(t.state_of("acme/a", 1) == "destroyed");
    CHECK(must(t.lifecycle.resume_rotations()) == 1);
    CHECK(t.retire().keys == 2);
    t.check(three());
  }
}

TEST_CASE("a purge that did not get to its end goes along, whatever its time",
          "[rotation][retire]") {
  Retiring t(three());
  {
    const FailpointHook hook(once(
        "change/before-t1", [] {}, true));
    CHECK_FAILS_WITH(t.lifecycle.purge("globex", "test"), kIo);
  }
  t.rotate("acme/a");
  CHECK(t.retire(0).scopes == 1);
  CHECK(t.state_of("globex", 1) == "destroyed");
  CHECK(t.state_of("acme/a", 1) == "deactivated");
  t.check(three());
}

TEST_CASE("what is erased or damaged does not keep the others", "[rotation][retire]") {
  Retiring t({"acme/a", "globex/a", "globex/b", "initech"});
  for (const std::string path : {"acme/a", "globex/a", "globex/b", "initech"}) t.rotate(path);
  const ScopeId damaged = t.id_of("globex/b");
  t.place.erase("acme");
  must(t.place.core().control->update(
      WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
        return writer.put(ByteWriter().u8('G').u64(damaged).take(), as_bytes("no such row"));
      }));
  const RetireReport done = t.retire();
  CHECK(done.scopes == 2);
  CHECK(done.damaged == 1);
  CHECK(t.state_of("initech", 1) == "destroyed");
  CHECK(t.state_of("globex/a", 1) == "destroyed");
}

TEST_CASE("the guard of the caller is asked, and its error gives the change up",
          "[rotation][retire]") {
  Retiring t({"acme"});
  t.rotate("acme");
  const auto guard = [](ControlReader&, const RowSeal&, UnixMillis,
                        RootChangeRequest::Moment moment) -> Result<void> {
    if (moment == RootChangeRequest::Moment::kBegin) return {};
    return Error(kRefused, "the clock jumped");
  };
  CHECK_FAILS_WITH(retire_older_keys(t.place.core(), kWhenever, false, guard), kRefused);
  CHECK(t.state_of("acme", 1) == "deactivated");
  t.check({"acme"});
}

TEST_CASE("more scopes than one root change takes", "[rotation][retire]") {
  constexpr int kScopes = 1030;
  Retiring t({});
  must(t.vault.create_scope("acme"));
  for (int n = 0; n < kScopes; ++n) {
    const std::string path = "acme/" + std::to_string(n);
    must(t.vault.create_scope(path));
    t.rotate(path);
  }
  const RetireReport done = t.retire();
  CHECK(done.scopes == kScopes);
  CHECK(done.keys == kScopes);
  CHECK(done.root_changes == 2);
  CHECK(must(t.lifecycle.rotations()).empty());
}
