// Must hold 4 of keys that live and die on schedule: a tenth of all scopes is erased in one run, in
// memory that does not grow with their number.
#include <cstdio>
#include <cstdlib>

#include <quietus/vault.hpp>

#include "erase_many.hpp"
#include "support/child_process.hpp"
#include "support/measuring.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

constexpr std::size_t kCreatedAtOnce = 1000;

class LargeVault {
 public:
  LargeVault() {
    must(new_key_file(folder_ / "key"));
    CreateOptions options;
    options.root_folder = folder_ / "roots";
    options.accept_unknown_medium = true;
    core_ =
        must(VaultCore::create(folder_ / "vault", Unlock::key_file(folder_ / "key"), options, {}));
    tenant_ = make_some(kVaultScope, {"tenant"}).front();
  }
  VaultCore& core() { return *core_; }
  Vault vault() { return Vault(core_); }

  std::vector<ScopeId> make(std::size_t scopes) {
    std::vector<ScopeId> made;
    made.reserve(scopes);
    while (made.size() < scopes) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < kCreatedAtOnce && made.size() + i < scopes; ++i)
        names.push_back("person-" + std::to_string(made.size() + i));
      const auto some = make_some(tenant_, names);
      made.insert(made.end(), some.begin(), some.end());
    }
    return made;
  }
  Result<void> open_scope(ScopeId scope) {
    return core_->read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY(scopes.keys(reader, scope));
          return {};
        });
  }

 private:
  std::vector<ScopeId> make_some(ScopeId parent, const std::vector<std::string>& names) {
    std::vector<ScopeId> made;
    must(core_->update(
        [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          made.clear();
          for (const std::string& name : names) {
            QUIETUS_TRY_AS(const ScopeId id,
                           scopes.create(writer, root, {parent, name, "customer-data", {}, 1}));
            made.push_back(id);
          }
          return {};
        }));
    return made;
  }

  TemporaryFolder folder_;
  std::shared_ptr<VaultCore> core_;
  ScopeId tenant_ = 0;
};

// Erases every tenth of so many scopes; the peak of anonymous memory beyond what was in use before.
std::uint64_t erase_a_tenth(std::size_t scopes) {
  LargeVault large;
  const Timer making;
  const auto all = large.make(scopes);
  std::printf("%zu scopes made in %.1f s\n", scopes, making.seconds());
  constexpr std::string_view kReasons[] = {"retention-expired", "consent-withdrawn"};
  std::vector<DueErasure> due;
  for (std::size_t i = 0; i < all.size(); i += 10)
    due.push_back({all[i], std::string(kReasons[i / 10 % 2])});
  const std::uint64_t generation = must(large.vault().status()).root_generation;
  const std::uint64_t before = anonymous_kib();
  PeakMemory memory;
  const Timer erasing;
  const ManyErased erased = must(erase_many(large.core(), due));
  const double seconds = erasing.seconds();
  const std::uint64_t peak = memory.stop();
  const std::uint64_t grown = peak > before ? peak - before : 0;
  CHECK(erased.erased == due.size());
  CHECK(erased.skipped == 0);
  CHECK(erased.root_generation_after == generation + 1);
  const Timer cleaning;
  CHECK(must(clean_up_erased(large.core(), ~std::size_t{0})));
  std::printf("%zu erased in %.1f s, rows cleaned in %.1f s; anonymous memory grew by %lu KiB\n",
              due.size(), seconds, cleaning.seconds(), static_cast<unsigned long>(grown));
  const std::string pem = must(large.vault().issuing_key_pem());
  const CertificateExpectations expected{must(large.vault().log_verifier_key())};
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto opened = large.open_scope(all[i]);
    const bool gone = !opened && opened.error().code() == ErrorCode::kErased;
    if (gone != (i % 10 == 0)) ++wrong;
  }
  CHECK(wrong == 0);
  const Timer drawing;
  for (std::size_t i = 0; i < due.size(); i += 1 + due.size() / 20) {
    const auto document =
        must(large.vault().certificate_of("tenant/person-" + std::to_string(10 * i)));
    const auto verified = must(verify_certificate(as_bytes(document), pem, expected));
    CHECK(verified.scope_ids() == std::vector<ScopeId>{due[i].scope});
    CHECK(document.find("\"protected\"") != std::string::npos);
  }
  std::printf("20 certificates drawn and verified in %.2f s\n", drawing.seconds());
  return grown;
}

std::size_t scopes_wanted(std::size_t otherwise) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets it
  const char* const wanted = std::getenv("QUIETUS_SCOPES");
  return wanted == nullptr ? otherwise : std::strtoull(wanted, nullptr, 10);
}

TEST_CASE("a tenth of all scopes is erased in one run, and each has its certificate") {
  erase_a_tenth(QUIETUS_TEST_SANITIZED != 0 ? 1'000 : 10'000);
}

TEST_CASE("memory for an erasure does not grow with the number of scopes", "[.][long]") {
  const std::uint64_t few = erase_a_tenth(10'000);
  const std::uint64_t many = erase_a_tenth(100'000);
  // Nothing is kept for a scope; the cache of keys and the heap's own slack have a limit.
  CHECK(many < few + std::uint64_t{48} * 1024);
}

TEST_CASE("100,000 of 1,000,000 scopes are erased in one run", "[.][long]") {
  CHECK(erase_a_tenth(scopes_wanted(1'000'000)) < std::uint64_t{96} * 1024);
}

}  // namespace
}  // namespace quietus::test
