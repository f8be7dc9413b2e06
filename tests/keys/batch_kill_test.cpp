// Erasures of many scopes with the process killed, and the store failing, at every step.
#include "keys/batch_vault.hpp"
#include "support/sanitized.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

#ifdef QUIETUS_FAILPOINTS

namespace {

// A vault to begin each round with: made once, copied back.
class Rounds {
 public:
  Rounds() {
    vault.vault.reset();
    vault.place.copy("store", "store-before");
    vault.place.copy("roots", "roots-before");
  }
  void restart() {
    vault.vault.reset();
    vault.place.copy("store-before", "store");
    vault.place.copy("roots-before", "roots");
  }
  // After a fault: opened until nothing is pending, then looked at.
  bool check_after(bool certified) {
    must(vault.open());
    must(vault->keys().recover(milliseconds(500)));
    check_settled(*vault);
    const bool happened = vault.check_all_or_nothing();
    if (happened && certified) vault.check_certificates(5);
    vault.check_cleaned(happened);
    CHECK(vault.check_all_or_nothing() == happened);
    if (happened && certified) vault.check_certificates(7);
    return happened;
  }

  BatchVault vault;
};

void erase_doomed(BatchVault& vault, TestVault& theirs) {
  if (!theirs.open()) return;
  if (erase_batch(theirs, vault.doomed)) static_cast<void>(theirs.keys().clean(10000));
}

}  // namespace

TEST_CASE("wherever the process is killed, a batch is erased wholly or not at all",
          "[erase][batch][kill]") {
  Rounds rounds;
  int n = 1;
  bool certain = false;  // from the decision on there is no way back
  for (bool died = true; died; n += kPointStep) {
    rounds.restart();
    died = dies_in(rounds.vault.place, n,
                   [&](TestVault& theirs) { erase_doomed(rounds.vault, theirs); });
    INFO("fail point " << n);
    const bool happened = rounds.check_after(n % 4 == 0);
    CHECK((happened || !certain));
    certain = certain || happened;
    if (!died) CHECK(happened);
  }
  CHECK(n > 40);
}

TEST_CASE("a batch whose recovery is killed at any point is finished by the next one",
          "[erase][batch][kill]") {
  const std::string first = GENERATE("change/after-t1", "batch/after-subtree", "change/after-slot",
                                     "change/after-t2", "change/before-t3");
  Rounds rounds;
  int q = 1;
  for (bool died = true; died; q += kPointStep) {
    rounds.restart();
    REQUIRE(dies_in(rounds.vault.place, std::string_view(first),
                    [&](TestVault& theirs) { erase_doomed(rounds.vault, theirs); }));
    died = dies_in(rounds.vault.place, q, [](TestVault& theirs) {
      if (theirs.open()) static_cast<void>(theirs.keys().clean(10000));
    });
    INFO("killed at " << first << ", recovery killed at " << q);
    CHECK(rounds.check_after(false));
  }
  CHECK(q > 4);
}

TEST_CASE("whichever transaction of a batch fails, it is erased wholly or not at all",
          "[erase][batch][faults]") {
  Rounds rounds;
  for (const UpdateFault fault :
       {UpdateFault::kRefused, UpdateFault::kUnknownCommitted, UpdateFault::kUnknownLost}) {
    bool failed = true;
    for (int n = 1; failed; n += kPointStep) {
      INFO("fault " << static_cast<int>(fault) << " of transaction " << n);
      rounds.restart();
      BatchVault& vault = rounds.vault;
      must(vault.open());
      vault->control().fail_at(n, fault);
      const auto outcome = erase_batch(*vault, vault.doomed);
      failed = vault->control().failed();
      const bool happened = rounds.check_after(n % 7 == 0);
      if (outcome) CHECK(happened);
      // What is reported as not begun did not happen.
      if (!outcome && outcome.error().code() != ErrorCode::kErasureIncomplete &&
          fault == UpdateFault::kRefused)
        CHECK_FALSE(happened);
    }
  }
}

TEST_CASE("a batch that was begun waits until an earlier one is cleaned up",
          "[erase][batch][kill]") {
  BatchVault vault;
  const std::vector<ScopeId> first(vault.doomed.begin(), vault.doomed.begin() + 12);
  const std::vector<ScopeId> second(vault.doomed.begin() + 12, vault.doomed.end());
  REQUIRE(dies_in(vault.place, "batch/after-staging", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(erase_batch(theirs, first));
  }));
  // This one had the vault open all the time.
  must(erase_batch(*vault, second));
  CHECK_FALSE(must(vault.open()).recovery_pending);
  CHECK(vault.check_all_or_nothing());
  vault.check_certificates();
  vault.check_cleaned(true);
  check_settled(*vault);
}

TEST_CASE(
    "a batch that was begun is given up when a hold is placed on one of its scopes, or when "
    "all of it was erased meanwhile",
    "[erase][batch][kill]") {
  BatchVault vault;
  const std::vector<ScopeId> few(vault.doomed.begin(), vault.doomed.begin() + 2);
  REQUIRE(dies_in(vault.place, "change/after-slot", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(erase_batch(theirs, few));
  }));
  for (const ScopeId scope : few) must(vault->erase({scope}));
  CHECK_FALSE(must(vault.open()).recovery_pending);
  check_settled(*vault);
  CHECK(vault->certificates().size() == 2);
  CHECK(must(vault->keys().clean(10000)));
  CHECK(vault.count('q') == 0);
}

#endif  // QUIETUS_FAILPOINTS
