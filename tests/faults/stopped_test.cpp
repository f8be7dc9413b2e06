// Must hold: erasers side by side, erasers and holders of keys that are stopped, and then go on or
// are killed.
#include <chrono>
#include <thread>

#include "faults/killing.hpp"

using namespace quietus;
using namespace quietus::test;

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
    for (const std::string& scope : scopes()) CHECK(reading(vault, scope, "small") == "erased");
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
