// Erasure and recovery with the process killed at every step.
#include "keys/root_change.hpp"

#include "keys/erasable_vault.hpp"
#include "keys/other_process.hpp"
#include "support/sanitized.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("C1: wherever the process is killed, an erasure happens wholly or not at all",
          "[erase][kill]") {
  int n = 1;
  for (bool died = true; died; n += kPointStep) {
    ErasableVault vault;
    vault.vault.reset();
    died = dies_in(vault.place, n, [&](TestVault& theirs) {
      if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
    });
    INFO("fail point " << n);
    must(vault.open());
    const bool happened = vault.check_all_or_nothing();
    if (!died) CHECK(happened);
  }
  CHECK(n > 12);
}

TEST_CASE("recovery is idempotent: killed at any point, the next one finishes", "[erase][kill]") {
  const std::string first =
      GENERATE("change/after-t1", "slot/before-write", "change/after-slot", "change/after-t2",
               "change/after-anchor", "change/after-destroy", "change/before-t3");
  int q = 1;
  for (bool died = true; died; q += kPointStep) {
    ErasableVault vault;
    vault.vault.reset();
    REQUIRE(dies_in(vault.place, std::string_view(first), [&](TestVault& theirs) {
      if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
    }));
    died = dies_in(vault.place, q, [](TestVault& theirs) { static_cast<void>(theirs.open()); });
    INFO("killed at " << first << ", recovery killed at " << q);
    must(vault.open());
    CHECK(vault.check_all_or_nothing());
    CHECK(must(vault->keys().recover(milliseconds(100))).empty());
  }
  CHECK(q > 2);
}

TEST_CASE("C4: an abandoned slot never outlives a later erasure", "[erase][kill]") {
  ErasableVault vault;
  // Another process dies with its slot made and its decision not taken.
  REQUIRE(dies_in(vault.place, "change/after-slot", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  const auto listed = must(vault->root().list());
  REQUIRE(listed.size() == 2);
  // This one had the vault open all the time.
  const auto outcome = must(vault->erase({vault.scopes.other}));
  CHECK(must(vault->root().list()) == vault->root_row().slots);
  for (const SlotName& slot : listed) CHECK(vault->root().intact_mirrors(slot) == 0);
  must(vault->verify(outcome.certificate_document));
  must(vault.open());
  std::set<ScopeId> gone = vault.erased_with_user();
  gone.insert(vault.scopes.other);
  vault.scopes.check_erased(*vault, gone);
  check_settled(*vault);
}

TEST_CASE("an erasure that was begun is resumed when what stood against it is gone",
          "[erase][kill]") {
  ErasableVault vault;
  const ScopeId hit = many_scopes(*vault).back();
  vault.vault.reset();
  REQUIRE(dies_in(vault.place, "change/after-t1", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({hit}));
  }));
  vault.vault = std::make_unique<TestVault>(vault.place);
  must(vault->connect(TestVault::How::kOpen));
  const Bytes node = damage_second_node(*vault);
  // The vault serves meanwhile, and says so.
  CHECK(must(vault.open()).recovery_pending);
  vault.scopes.check_erased(*vault, {});
  // Nor does it hold up what others begin, or began.
  vault->control().fail_at(3, UpdateFault::kRefused);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.other}), ErrorCode::kErasureIncomplete);
  CHECK(must(vault.open()).recovery_pending);
  CHECK(vault->certificates().size() == 1);
  CHECK(must(vault->keys().pending()).size() == 1);
  repair_second_node(*vault, node);
  CHECK(must(vault.open()).finished.size() == 1);
  CHECK_FAILS_WITH(vault->record_key(hit), ErrorCode::kErased);
  check_settled(*vault);
}

TEST_CASE("two erasures that were begun are both certified as complete, killed on the way",
          "[erase][kill]") {
  int q = 1;
  for (bool died = true; died; q += kPointStep) {
    ErasableVault vault;
    vault.vault.reset();
    for (const ScopeId scope : {vault.scopes.other, vault.scopes.globex}) {
      // The first is held up by a full disk when the second's process opens the vault.
      REQUIRE(dies_in(vault.place, "change/after-t1", [&](TestVault& theirs) {
        if (!theirs.connect(TestVault::How::kOpen)) return;
        if (scope == vault.scopes.globex) theirs.control().fail_at(1, UpdateFault::kRefused);
        if (theirs.keys().open(vault.place.vault)) static_cast<void>(theirs.erase({scope}));
      }));
    }
    died = dies_in(vault.place, q, [](TestVault& theirs) { static_cast<void>(theirs.open()); });
    INFO("recovery killed at " << q);
    must(vault.open());
    check_settled(*vault);
    const auto certificates = vault->certificates();
    CHECK(certificates.size() == 2);
    for (const auto& [id, row] : certificates) CHECK(row.status == CertificateStatus::kComplete);
  }
  CHECK(q > 4);
}

TEST_CASE("an erasure that was begun and then made by somebody else is certified once",
          "[erase][kill]") {
  ErasableVault vault;
  REQUIRE(dies_in(vault.place, "change/after-t1", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  must(vault->erase({vault.scopes.user}));
  const Tombstone before = *vault->tombstone(vault.scopes.user);
  CHECK_FALSE(must(vault.open()).recovery_pending);
  CHECK(vault.check_all_or_nothing());
  CHECK(vault->tombstone(vault.scopes.user)->erasure == before.erasure);
}

TEST_CASE("a writer brings a root change to its end whose process died after the decision",
          "[erase][kill]") {
  ErasableVault vault;
  REQUIRE(dies_in(vault.place, "change/after-t2", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  must(vault->add(kVaultScope, "later"));
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("a writer is not told of an erasure that still waits for a holder", "[erase][kill]") {
  ErasableVault vault;
  vault.vault.reset();
  must(vault.open());
  OtherProcess other(opener(vault));
  other.stop();
  REQUIRE(dies_in(vault.place, "change/after-t2", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  must(vault->add(kVaultScope, "later"));
  CHECK(must(vault->keys().pending()).size() == 1);
  other.end();
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("two processes that erase at the same time lose nothing", "[erase][kill]") {
  ErasableVault vault;
  std::vector<ScopeId> doomed;
  for (int i = 0; i < 6; ++i)
    doomed.push_back(must(vault->add(vault.scopes.acme, "d" + std::to_string(i))));
  vault.vault.reset();
  const auto worker = [&](std::size_t first) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child != 0) return child;
    vault.place.forked();
    TestVault theirs(vault.place);
    bool good = theirs.open().ok();
    for (std::size_t i = first; i < doomed.size(); i += 2) {
      const auto outcome = theirs.erase({doomed[i]});
      good = good && outcome.ok() && !outcome->certificate_document.empty();
    }
    _exit(good ? 0 : 1);
  };
  const pid_t one = worker(0);
  const pid_t two = worker(1);
  for (const pid_t child : {one, two}) {
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  must(vault.open());
  for (const ScopeId scope : doomed) CHECK_FAILS_WITH(vault->record_key(scope), ErrorCode::kErased);
  CHECK(vault->certificates().size() == 6);
  vault.scopes.check_erased(*vault, {});
  check_settled(*vault);
}

#endif  // QUIETUS_FAILPOINTS
