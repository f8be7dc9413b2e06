// Erasure from intent to certificate, with every step failing in turn, and recovery.
#include "keys/root_change.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "keys/key_tree.hpp"
#include "keys/other_process.hpp"
#include "keys/test_vault.hpp"
#include "support/child_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

struct Vault {
  VaultPlace place;
  std::unique_ptr<TestVault> vault = std::make_unique<TestVault>(place);
  Tenancy scopes;

  Vault() {
    must(vault->make());
    scopes.fill(*vault);
  }
  TestVault* operator->() const { return vault.get(); }
  TestVault& operator*() const { return *vault; }
  Result<KeyStore::Opened> open() {
    vault.reset();
    vault = std::make_unique<TestVault>(place);
    return vault->open();
  }
  std::set<ScopeId> erased_with_user() const { return {scopes.user, scopes.derived}; }

  // After a fault and a reopening: the erasure of `user` happened and is certified, or it did not.
  bool check_all_or_nothing() {
    const bool erased = vault->tombstone(scopes.user).has_value();
    scopes.check_erased(*vault, erased ? erased_with_user() : std::set<ScopeId>{});
    check_settled(*vault);
    const auto certificates = vault->certificates();
    CHECK(certificates.size() == (erased ? 1 : 0));
    for (const auto& [id, row] : certificates) {
      CHECK(row.complete);
      const auto verified = must(vault->verify(vault->document(id)));
      CHECK(verified.scope_ids() == std::vector<ScopeId>{scopes.user});
    }
    return erased;
  }
};

bool fails_with(const Result<RootChangeOutcome>& result, ErrorCode code) {
  return !result && result.error().code() == code;
}

// Ends the process, as a kill would, at the n-th fail point or at the one of that name.
failpoint::Hook die_at(int n) {
  return failpoint::at_nth(n, [](std::string_view) -> Result<void> { _exit(9); });
}
failpoint::Hook die_at(std::string_view name) {
  return [name](std::string_view reached) -> Result<void> {
    if (reached == name) _exit(9);
    return {};
  };
}

// Runs `work` in a process of its own that dies as planned. False when it did not come to that.
template <class Point, class F>
bool dies_in(VaultPlace& place, Point point, F&& work) {
  const int status = status_of_child([&] {
    place.forked();
    TestVault theirs(place);
    failpoint::install(die_at(point));
    work(theirs);
    return true;
  });
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 9;
}

}  // namespace

TEST_CASE("an erasure is certified, and a stranger can verify the certificate", "[erase]") {
  Vault vault;
  const RootChangeOutcome outcome = must(vault->erase({vault.scopes.user}));
  const auto verified = must(vault->verify(outcome.certificate_document));
  CHECK(verified.status() == CertificateStatus::kComplete);
  CHECK(verified.phase() == CertificatePhase::kFinal);
  CHECK(verified.log_key_pinned());
  CHECK(verified.reason() == "customer-request");
  CHECK(verified.scope_ids() == std::vector<ScopeId>{vault.scopes.user});
  CHECK(outcome.holders.acknowledged == 1);
  CHECK(outcome.destroyed.size() == 1);
  CHECK(outcome.destroyed[0].complete());
  CHECK(vault->document(outcome.certificate) == outcome.certificate_document);
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("an erasure costs four commits and seven syncs of slots and anchor", "[erase]") {
  Vault vault;
  must(vault.open());
  const std::uint64_t updates = vault->control().updates();
  const std::uint64_t syncs = vault.place.files.syncs();
  const std::uint64_t written = vault.place.files.bytes_written();
  must(vault->erase({vault.scopes.user}));
  CHECK(vault->control().updates() - updates == 4);
  CHECK(vault.place.files.syncs() - syncs == 7);
  CHECK(vault.place.files.bytes_written() - written <= 4 * kSlotFileSize + 512);
}

TEST_CASE("many scopes are erased at once under one certificate", "[erase]") {
  Vault vault;
  std::vector<ScopeId> many;
  for (int i = 0; i < 40; ++i)
    many.push_back(must(vault->add(vault.scopes.data, "m" + std::to_string(i))));
  const auto outcome = must(vault->erase(many));
  CHECK(must(vault->verify(outcome.certificate_document)).scope_ids().size() == 40);
  for (const ScopeId scope : many) CHECK_FAILS_WITH(vault->record_key(scope), ErrorCode::kErased);
  vault.scopes.check_erased(*vault, {});
}

TEST_CASE("a scope named twice is erased once", "[erase]") {
  Vault vault;
  const auto outcome = must(vault->erase({vault.scopes.user, vault.scopes.user}));
  CHECK(outcome.intent.targets.size() == 1);
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("requests that make no sense are refused before anything is written", "[erase]") {
  Vault vault;
  const std::uint64_t updates = vault->control().updates();
  CHECK_FAILS_WITH(vault->erase({}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(vault->erase({kVaultScope}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(vault->erase(std::vector<ScopeId>(1025, vault.scopes.user)),
                   ErrorCode::kInvalidArgument);
  RootChangeRequest request;
  request.scopes = {vault.scopes.user};
  for (const std::string& reason :
       {std::string(), std::string("Not a code"), std::string(65, 'x')}) {
    request.reason = reason;
    CHECK_FAILS_WITH(vault->keys().change_root(request), ErrorCode::kInvalidArgument);
  }
  CHECK(vault->control().updates() == updates);
  CHECK_FALSE(vault.check_all_or_nothing());
}

TEST_CASE("free text of a reason is sealed under the parent", "[erase]") {
  Vault vault;
  RootChangeRequest request;
  request.scopes = {vault.scopes.user};
  request.reason = "customer-request";
  request.reason_text = "Ada asked for it on the phone";
  const auto outcome = must(vault->keys().change_root(request));
  CHECK(outcome.certificate_document.find("Ada") == std::string::npos);
  must(vault->erase({vault.scopes.data}));
  CHECK(must(vault->keys().pending()).empty());
}

// Scopes enough to fill the first leaf node, so that the vault's own leaf and the last of them lie
// in different ones.
std::vector<ScopeId> many_scopes(TestVault& vault) {
  std::vector<ScopeId> made;
  for (std::uint64_t i = 0; i < kLeafNodeEntries / 2; ++i)
    made.push_back(must(vault.add(kVaultScope, "many" + std::to_string(i))));
  return made;
}

// Damages the second leaf node; what was there before.
Bytes damage_second_node(TestVault& vault) {
  const Bytes node = ByteWriter().u8('N').u8(0).u64(1).take();
  Bytes before;
  must(vault.control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const auto row, writer.get(node));
    before = Bytes(row->begin(), row->end());
    Bytes bad = before;
    bad[100] ^= 1;
    return writer.put(node, bad);
  }));
  return before;
}

void repair_second_node(TestVault& vault, const Bytes& content) {
  const Bytes node = ByteWriter().u8('N').u8(0).u64(1).take();
  must(vault.control().update(WriteClass::kOrdinary,
                              [&](ControlWriter& writer) { return writer.put(node, content); }));
}

TEST_CASE("I5: a damaged node on the path stops the erasure, and nothing is destroyed", "[erase]") {
  Vault vault;
  const ScopeId hit = many_scopes(*vault).back();
  const Bytes node = damage_second_node(*vault);
  CHECK_FAILS_WITH(vault->erase({hit}), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user, hit}), ErrorCode::kCorrupt);
  CHECK(must(vault->keys().pending()).empty());
  CHECK_FALSE(vault.check_all_or_nothing());
  // Others are not held up by it, and the scope is still there once the node is repaired.
  must(vault->erase({vault.scopes.user}));
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
  repair_second_node(*vault, node);
  CHECK(vault->record_key(hit).ok());
}

TEST_CASE("C1: whatever step of the files fails, an erasure happens wholly or not at all",
          "[erase][faults]") {
  const bool for_ever = GENERATE(false, true);
  const bool crash = GENERATE(false, true);
  int erased = 0;
  int kept = 0;
  for (std::uint64_t n = 1;; ++n) {
    Vault vault;
    must(vault.open());
    const ErrorCode code = n % 2 == 0 ? ErrorCode::kFull : ErrorCode::kIo;
    if (for_ever)
      vault.place.files.fail_from(n, code);
    else
      vault.place.files.fail_at(n, code);
    const auto result = vault->erase({vault.scopes.user});
    const bool failed = vault.place.files.failed();
    vault.place.files.fail_no_more();
    INFO("operation " << n << (for_ever ? " and all after it" : "")
                      << (crash ? ", then a crash: " : ": ") << describe(result));
    vault.vault.reset();
    if (crash) vault.place.files.crash();
    must(vault.open());
    const bool happened = vault.check_all_or_nothing();
    // What was called done is done; what was called begun is finished; anything else never was.
    CHECK(happened == (result.ok() || fails_with(result, ErrorCode::kErasureIncomplete)));
    happened ? ++erased : ++kept;
    must(vault.open());
    CHECK(vault.check_all_or_nothing() == happened);
    if (!failed) break;
  }
  CHECK(erased > 5);
  CHECK(kept > 5);
}

TEST_CASE("C2: whatever a commit answers, an erasure happens wholly or not at all",
          "[erase][faults]") {
  const UpdateFault fault =
      GENERATE(UpdateFault::kRefused, UpdateFault::kUnknownCommitted, UpdateFault::kUnknownLost);
  for (std::uint64_t n = 1;; ++n) {
    Vault vault;
    must(vault.open());
    vault->control().fail_at(n, fault);
    const auto result = vault->erase({vault.scopes.user});
    const bool failed = vault->control().failed();
    INFO("update " << n << ", fault " << static_cast<int>(fault) << ": " << describe(result));
    // Nothing dies while the outcome is unknown: what the store may name is still there.
    if (failed && n <= 3) {
      const RootRow row = [&] {
        vault->control().reopen();
        RootRow read;
        must(vault->control().read([&](ControlReader& reader) -> Result<void> {
          QUIETUS_TRY_AS(const SealedRootRow sealed, read_root_row(reader));
          read = sealed.row;
          return {};
        }));
        return read;
      }();
      for (const SlotName& slot : row.slots) CHECK(vault->root().intact_mirrors(slot) == 2);
      if (n >= 2) CHECK(must(vault->root().list()).size() == 2);
    }
    CHECK(result.ok() == !failed);
    must(vault.open());
    const bool happened = vault.check_all_or_nothing();
    if (n >= 2 || result.ok()) CHECK(happened);
    if (n == 1 && fault != UpdateFault::kUnknownCommitted && failed) CHECK_FALSE(happened);
    must(vault.open());
    CHECK(vault.check_all_or_nothing() == happened);
    if (!failed) break;
  }
}

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("C1: wherever the process is killed, an erasure happens wholly or not at all",
          "[erase][kill]") {
  int n = 1;
  for (bool died = true; died; ++n) {
    Vault vault;
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
  for (bool died = true; died; ++q) {
    Vault vault;
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
  Vault vault;
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
  Vault vault;
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

TEST_CASE("an erasure that was begun and then made by somebody else is certified once",
          "[erase][kill]") {
  Vault vault;
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
  Vault vault;
  REQUIRE(dies_in(vault.place, "change/after-t2", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  must(vault->add(kVaultScope, "later"));
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("two processes that erase at the same time lose nothing", "[erase][kill]") {
  Vault vault;
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

TEST_CASE("an interrupted change of the unlock secret does not stay pending for ever",
          "[unlock-change][kill]") {
  Vault vault;
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
    Vault vault;
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

TEST_CASE("wherever the destruction of a vault is killed, it opens wholly or never again",
          "[destroy][kill]") {
  int n = 1;
  int destroyed = 0;
  for (bool died = true; died; ++n) {
    Vault vault;
    vault.vault.reset();
    died = dies_in(vault.place, n, [&](TestVault& theirs) {
      if (theirs.open()) static_cast<void>(theirs.destroy());
    });
    INFO("fail point " << n);
    const auto opened = vault.open();
    if (opened) {
      vault.scopes.check_erased(*vault, {});
      check_settled(*vault);
      continue;
    }
    ++destroyed;
    const bool slots_left = !must(vault->root().list()).empty();
    CHECK(opened.error().code() ==
          (slots_left ? ErrorCode::kErasureIncomplete : ErrorCode::kErased));
  }
  CHECK(destroyed > 2);
  CHECK(destroyed < n - 2);
}

#endif  // QUIETUS_FAILPOINTS

TEST_CASE("a changed unlock secret opens the vault, the old one does not", "[unlock-change]") {
  Vault vault;
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
  Vault vault;
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
    Vault vault;
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
    Vault vault;
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

TEST_CASE("C13: a holder that does not answer makes the erasure incomplete, not undone",
          "[holders]") {
  Vault vault;
  vault.place.acknowledgement_timeout = milliseconds(100);
  vault.vault.reset();
  must(vault.open());
  OtherProcess other([&] {
    vault.place.forked();
    auto theirs = std::make_unique<TestVault>(vault.place);
    return theirs->open().ok() ? std::move(theirs) : nullptr;
  });
  other.stop();
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErasureIncomplete);
  CHECK(must(vault->root().list()) == vault->root_row().slots);
  CHECK(vault->certificates().empty());
  vault.scopes.check_erased(*vault, vault.erased_with_user());
  CHECK_FAILS_WITH(vault->keys().recover(milliseconds(50)), ErrorCode::kErasureIncomplete);
  const bool ends = GENERATE(false, true);
  if (ends)
    other.end();
  else
    other.go_on();
  const auto finished = must(vault->keys().recover(milliseconds(5000)));
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].holders.acknowledged == (ends ? 1 : 2));
  must(vault->verify(finished[0].certificate_document));
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("an opener serves while a holder of before does not answer", "[holders]") {
  Vault vault;
  vault.place.acknowledgement_timeout = milliseconds(50);
  must(vault.open());
  OtherProcess other([&] {
    vault.place.forked();
    auto theirs = std::make_unique<TestVault>(vault.place);
    return theirs->open().ok() ? std::move(theirs) : nullptr;
  });
  other.stop();
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErasureIncomplete);
  const auto opened = must(vault.open());
  CHECK(opened.recovery_pending);
  vault.scopes.check_erased(*vault, vault.erased_with_user());
  CHECK(vault->add(kVaultScope, "later").ok());
  other.end();
  CHECK_FALSE(must(vault.open()).recovery_pending);
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("without a cache erasures work alike", "[erase]") {
  Vault vault;
  vault.place.mode = KeyCache::Mode::kNone;
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("a clock that goes back does not make the certificate's story run backwards", "[erase]") {
  Vault vault;
  vault->control().fail_at(3, UpdateFault::kRefused);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErasureIncomplete);
  vault.place.clock.set(1000);
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("recovery of a settled vault does nothing", "[erase]") {
  Vault vault;
  must(vault.open());
  const std::uint64_t updates = vault->control().updates();
  CHECK(must(vault->keys().recover(milliseconds(100))).empty());
  CHECK(vault->control().updates() == updates);
}

TEST_CASE("a mirror that is missing makes the certificate partial, never complete", "[erase]") {
  Vault vault;
  for (const auto& entry : std::filesystem::directory_iterator(vault.place.roots()))
    if (entry.path().filename().string().starts_with("slot-") && entry.path().extension() == ".1")
      std::filesystem::remove(entry.path());
  const auto outcome = must(vault->erase({vault.scopes.user}));
  const auto verified = must(vault->verify(outcome.certificate_document));
  CHECK(verified.status() == CertificateStatus::kPartial);
}

TEST_CASE("destroying the vault ends everything with one certificate", "[destroy]") {
  Vault vault;
  const std::string pem = vault->issuer_pem();
  const auto expectations = vault->expectations();
  const auto outcome = must(vault->destroy());
  const auto verified =
      must(verify_certificate(as_bytes(outcome.certificate_document), pem, expectations));
  CHECK(verified.status() == CertificateStatus::kComplete);
  CHECK(verified.scope_ids() == std::vector<ScopeId>{kVaultScope});
  CHECK(must(vault->root().list()).empty());
  for (const ScopeId scope : vault.scopes.all()) CHECK_FALSE(vault->record_key(scope).ok());
  CHECK_FAILS_WITH(vault.open(), ErrorCode::kErased);
  std::filesystem::remove(vault.place.roots() / "anchor");
  CHECK_FAILS_WITH(vault.open(), ErrorCode::kErased);
}

TEST_CASE("whatever step of the files fails, a vault is destroyed wholly, not at all, or going on",
          "[destroy][faults]") {
  for (std::uint64_t n = 1;; ++n) {
    Vault vault;
    must(vault.open());
    vault.place.files.fail_at(n, ErrorCode::kIo);
    const auto result = vault->destroy();
    const bool failed = vault.place.files.failed();
    vault.place.files.fail_no_more();
    INFO("operation " << n << ": " << describe(result));
    const auto opened = vault.open();
    if (result.ok()) {
      CHECK((!opened && opened.error().code() == ErrorCode::kErased));
    } else if (fails_with(result, ErrorCode::kErasureIncomplete)) {
      CHECK((!opened && (opened.error().code() == ErrorCode::kErased ||
                         opened.error().code() == ErrorCode::kErasureIncomplete)));
    } else {
      must(opened);
      vault.scopes.check_erased(*vault, {});
      check_settled(*vault);
    }
    if (!failed) break;
  }
}
