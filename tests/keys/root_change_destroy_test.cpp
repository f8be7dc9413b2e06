// The end of a whole vault.
#include "keys/root_change.hpp"

#include "keys/erasable_vault.hpp"
#include "keys/other_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

TEST_CASE("destroying the vault ends everything with one certificate", "[destroy]") {
  ErasableVault vault;
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

TEST_CASE("a vault that another process has open is not destroyed: its certificate would be lost",
          "[destroy]") {
  ErasableVault vault;
  vault.vault.reset();
  must(vault.open());
  OtherProcess other(opener(vault));
  other.stop();
  const std::uint64_t updates = vault->control().updates();
  CHECK_FAILS_WITH(vault->destroy(), ErrorCode::kBusy);
  CHECK(vault->control().updates() == updates);
  vault.scopes.check_erased(*vault, {});
  other.end();
  CHECK_FALSE(must(vault->destroy()).certificate_document.empty());
}

TEST_CASE("whatever step of the files fails, a vault is destroyed wholly, not at all, or going on",
          "[destroy][faults]") {
  for (std::uint64_t n = 1;; ++n) {
    ErasableVault vault;
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

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("wherever the destruction of a vault is killed, it opens wholly or never again",
          "[destroy][kill]") {
  int n = 1;
  int destroyed = 0;
  for (bool died = true; died; ++n) {
    ErasableVault vault;
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
