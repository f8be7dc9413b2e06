// Changing the unlock secret: whatever happens, exactly one secret opens the vault.
#include "keys/root_change.hpp"

#include "keys/erasable_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

TEST_CASE("a changed unlock secret opens the vault, the old one does not", "[unlock-change]") {
  ErasableVault vault;
  const auto outcome = must(vault->change_unlock(key_file_secret("new")));
  CHECK(outcome.certificate_document.empty());
  vault.scopes.check_erased(*vault, {});
  check_settled(*vault);
  // It goes on as before: another change, another erasure.
  must(vault->erase({vault.scopes.user}));
  CHECK_FAILS_WITH(vault.open(), ErrorCode::kWrongKey);
  vault.place.secret = key_file_secret("new");
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("from a key file to a passphrase and back", "[unlock-change][passphrase]") {
  ErasableVault vault;
  must(vault->change_unlock(passphrase_secret("correct horse")));
  vault.place.secret = passphrase_secret("correct horse");
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  must(vault->change_unlock(key_file_secret("new")));
  vault.place.secret = key_file_secret("new");
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("whatever step of the files fails, exactly one unlock secret opens",
          "[unlock-change][faults]") {
  const bool for_ever = GENERATE(false, true);
  for (std::uint64_t n = 1;; ++n) {
    ErasableVault vault;
    must(vault.open());
    const auto old_secret = vault.place.secret;
    const auto new_secret = key_file_secret("new");
    if (for_ever)
      vault.place.files.fail_from(n, ErrorCode::kIo);
    else
      vault.place.files.fail_at(n, ErrorCode::kIo);
    const auto result = vault->change_unlock(new_secret);
    const bool failed = vault.place.files.failed();
    vault.place.files.fail_no_more();
    INFO("operation " << n << ": " << describe(result));
    if (!for_ever) {
      // The process that failed goes on working.
      vault.scopes.check_erased(*vault, {});
      must(vault->erase({vault.scopes.other}));
    }
    vault.vault.reset();
    vault.place.files.crash();
    vault.place.secret = new_secret;
    const auto with_new = vault.open();
    vault.place.secret = old_secret;
    const auto with_old = vault.open();
    REQUIRE(with_new.ok() != with_old.ok());
    CHECK((with_new ? with_old : with_new).error().code() == ErrorCode::kWrongKey);
    if (result.ok()) CHECK(with_new.ok());
    vault.place.secret = with_new ? new_secret : old_secret;
    must(vault.open());
    vault.scopes.check_erased(
        *vault, for_ever ? std::set<ScopeId>{} : std::set<ScopeId>{vault.scopes.other});
    check_settled(*vault);
    if (!failed) break;
  }
}

TEST_CASE("whatever a commit answers, exactly one unlock secret opens", "[unlock-change][faults]") {
  const UpdateFault fault =
      GENERATE(UpdateFault::kRefused, UpdateFault::kUnknownCommitted, UpdateFault::kUnknownLost);
  for (std::uint64_t n = 1;; ++n) {
    ErasableVault vault;
    must(vault.open());
    const auto old_secret = vault.place.secret;
    const auto new_secret = key_file_secret("new");
    vault->control().fail_at(n, fault);
    const auto result = vault->change_unlock(new_secret);
    const bool failed = vault->control().failed();
    INFO("update " << n << ", fault " << static_cast<int>(fault) << ": " << describe(result));
    vault.place.secret = new_secret;
    const auto with_new = vault.open();
    vault.place.secret = old_secret;
    const auto with_old = vault.open();
    REQUIRE(with_new.ok() != with_old.ok());
    CHECK((with_new ? with_old : with_new).error().code() == ErrorCode::kWrongKey);
    if (result.ok()) CHECK(with_new.ok());
    vault.place.secret = with_new ? new_secret : old_secret;
    must(vault.open());
    vault.scopes.check_erased(*vault, {});
    check_settled(*vault);
    if (!failed) break;
  }
}

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("an interrupted change of the unlock secret does not stay pending for ever",
          "[unlock-change][kill]") {
  ErasableVault vault;
  // It dies after T1; a process that had the vault open all the time then erases something.
  REQUIRE(dies_in(vault.place, "change/after-t1", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.change_unlock(key_file_secret("new")));
  }));
  const auto pending = must(vault->keys().pending());
  REQUIRE(pending.size() == 1);
  must(vault->erase({vault.scopes.user}));
  const auto opened = must(vault.open());
  CHECK_FALSE(opened.recovery_pending);
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("wherever a change of the unlock secret is killed, one secret opens",
          "[unlock-change][kill]") {
  int n = 1;
  int changed = 0;
  for (bool died = true; died; ++n) {
    ErasableVault vault;
    vault.vault.reset();
    const auto old_secret = vault.place.secret;
    const auto new_secret = key_file_secret("new");
    died = dies_in(vault.place, n, [&](TestVault& theirs) {
      if (theirs.open()) static_cast<void>(theirs.change_unlock(key_file_secret("new")));
    });
    INFO("fail point " << n);
    vault.place.secret = new_secret;
    const auto with_new = vault.open();
    vault.place.secret = old_secret;
    const auto with_old = vault.open();
    REQUIRE(with_new.ok() != with_old.ok());
    CHECK((with_new ? with_old : with_new).error().code() == ErrorCode::kWrongKey);
    changed += with_new ? 1 : 0;
    vault.place.secret = with_new ? new_secret : old_secret;
    must(vault.open());
    vault.scopes.check_erased(*vault, {});
    check_settled(*vault);
  }
  CHECK(changed > 2);
  CHECK(changed < n - 2);
}

#endif  // QUIETUS_FAILPOINTS
