// Erasure from intent to certificate, with every step failing in turn.
#include "keys/root_change.hpp"

#include "keys/erasable_vault.hpp"
#include "keys/other_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

TEST_CASE("an erasure is certified, and a stranger can verify the certificate", "[erase]") {
  ErasableVault vault;
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
  ErasableVault vault;
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
  ErasableVault vault;
  std::vector<ScopeId> many;
  for (int i = 0; i < 40; ++i)
    many.push_back(must(vault->add(vault.scopes.data, "m" + std::to_string(i))));
  const auto outcome = must(vault->erase(many));
  CHECK(must(vault->verify(outcome.certificate_document)).scope_ids().size() == 40);
  for (const ScopeId scope : many) CHECK_FAILS_WITH(vault->record_key(scope), ErrorCode::kErased);
  vault.scopes.check_erased(*vault, {});
}

TEST_CASE("a scope named twice is erased once", "[erase]") {
  ErasableVault vault;
  const auto outcome = must(vault->erase({vault.scopes.user, vault.scopes.user}));
  CHECK(outcome.intent.targets.size() == 1);
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("requests that make no sense are refused before anything is written", "[erase]") {
  ErasableVault vault;
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
  ErasableVault vault;
  RootChangeRequest request;
  request.scopes = {vault.scopes.user};
  request.reason = "customer-request";
  request.reason_text = "Ada asked for it on the phone";
  const auto outcome = must(vault->keys().change_root(request));
  CHECK(outcome.certificate_document.find("Ada") == std::string::npos);
  must(vault->erase({vault.scopes.data}));
  CHECK(must(vault->keys().pending()).empty());
}

TEST_CASE("I5: a damaged node on the path stops the erasure, and nothing is destroyed", "[erase]") {
  ErasableVault vault;
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
    ErasableVault vault;
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
    ErasableVault vault;
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

TEST_CASE("C13: a holder that does not answer makes the erasure incomplete, not undone",
          "[holders]") {
  ErasableVault vault;
  vault.place.acknowledgement_timeout = milliseconds(100);
  vault.vault.reset();
  must(vault.open());
  OtherProcess other(opener(vault));
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
  ErasableVault vault;
  vault.place.acknowledgement_timeout = milliseconds(50);
  must(vault.open());
  OtherProcess other(opener(vault));
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
  ErasableVault vault;
  vault.place.mode = KeyCache::Mode::kNone;
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("a clock that goes back does not make the certificate's story run backwards", "[erase]") {
  ErasableVault vault;
  vault->control().fail_at(3, UpdateFault::kRefused);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErasureIncomplete);
  vault.place.clock.set(1000);
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("recovery of a settled vault does nothing", "[erase]") {
  ErasableVault vault;
  must(vault.open());
  const std::uint64_t updates = vault->control().updates();
  CHECK(must(vault->keys().recover(milliseconds(100))).empty());
  CHECK(vault->control().updates() == updates);
}

TEST_CASE("a mirror that is missing makes the certificate partial, never complete", "[erase]") {
  ErasableVault vault;
  for (const auto& entry : std::filesystem::directory_iterator(vault.place.roots()))
    if (entry.path().filename().string().starts_with("slot-") && entry.path().extension() == ".1")
      std::filesystem::remove(entry.path());
  const auto outcome = must(vault->erase({vault.scopes.user}));
  const auto verified = must(vault->verify(outcome.certificate_document));
  CHECK(verified.status() == CertificateStatus::kPartial);
}

TEST_CASE("a damaged row of an export makes certificates partial, and keeps no erasure from ending",
          "[erase]") {
  ErasableVault vault;
  const Bytes damaged = ByteWriter().u8('P').u64(vault.scopes.globex).u64(3).take();
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(damaged, Bytes(60, 7));
  }));
  const auto outcome = must(vault->erase({vault.scopes.user}));
  CHECK(must(vault->verify(outcome.certificate_document)).status() == CertificateStatus::kPartial);
  must(vault.open());
  check_settled(*vault);
}

TEST_CASE("scopes derived from each other many times over are looked at once", "[erase]") {
  ErasableVault vault;
  constexpr int kLayers = 16;  // 4^16 ways from top to bottom
  std::vector<ScopeId> below;
  for (int layer = 0; layer < kLayers; ++layer) {
    std::vector<ScopeId> sources = below;
    std::sort(sources.begin(), sources.end());
    below.clear();
    for (int i = 0; i < 4; ++i) {
      const std::string name = "l" + std::to_string(layer) + "-" + std::to_string(i);
      below.push_back(must(vault->add(vault.scopes.globex, name, sources)));
    }
  }
  must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_export(writer, scopes.seal(), 1, {below.front(), 1, 2, 3});
  }));
  const auto outcome = must(vault->erase({vault.scopes.user}));
  CHECK(outcome.certificate_document.size() > 0);
}
