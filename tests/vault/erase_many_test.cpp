// Erasing many scopes at once, as a sweep does, and their certificates.
#include "erase_many.hpp"

#include <quietus/vault.hpp>

#include "base/text_encoding.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

struct Crowd {
  TempVault temp;
  Vault vault = temp.vault();
  std::vector<DueErasure> due;

  Crowd() {
    must(vault.create_scope("acme"));
    for (int i = 0; i < 8; ++i) {
      Scope person = must(vault.create_scope(path(i)));
      must(person.put("profile", Bytes(100, 7)));
    }
    must(vault.create_scope("acme/p1/device"));
    for (const int i : {1, 3, 5})
      due.push_back({id(path(i)), i == 3 ? "consent-withdrawn" : "retention-expired"});
  }
  static std::string path(int i) { return "acme/p" + std::to_string(i); }
  ScopeId id(const std::string& of) { return must(vault.describe(of)).id; }
  VaultCore& core() { return temp.core(); }
  bool lives(int i) {
    auto person = vault.scope(path(i));
    return person && person->get("profile").ok();
  }
  void check_whole() {
    const CheckReport report = must(vault.check());
    for (const Damage& damage : report.damages) {
      INFO(damage.where << ": " << damage.what);
      CHECK(false);
    }
  }
  VerifiedCertificate verified(const std::string& document) {
    const CertificateExpectations expected{must(vault.log_verifier_key())};
    return must(verify_certificate(as_bytes(document), must(vault.issuing_key_pem()), expected));
  }
};

}  // namespace

TEST_CASE("many scopes are erased at once, each for its own reason", "[erase]") {
  Crowd crowd;
  const ManyErased report = must(erase_many(crowd.core(), crowd.due));
  CHECK(report.erased == 3);
  CHECK(report.skipped == 0);
  CHECK(report.root_generation_after == report.root_generation_before + 1);
  for (int i = 0; i < 8; ++i) CHECK(crowd.lives(i) == (i != 1 && i != 3 && i != 5));
  crowd.check_whole();
  for (const bool cleaned : {false, true}) {
    if (cleaned) CHECK(must(clean_up_erased(crowd.core(), 1000)));
    for (const int i : {1, 3, 5}) {
      const std::string document = must(crowd.vault.certificate_of(Crowd::path(i)));
      const VerifiedCertificate certificate = crowd.verified(document);
      CHECK(certificate.reason() == (i == 3 ? "consent-withdrawn" : "retention-expired"));
      CHECK(certificate.amount().records == 1);
      CHECK(certificate.amount().scopes_below == (i == 1 ? 1 : 0));
    }
    CHECK(must(crowd.vault.certificates()).size() == 3);
    crowd.check_whole();
  }
  CHECK_FAILS_WITH(erase_many(crowd.core(), crowd.due), ErrorCode::kNotFound);
  CHECK(must(crowd.vault.create_scope("acme/p9")).get("nothing").ok());
}

TEST_CASE("the subject commitment of a scope that was erased among many can be opened", "[erase]") {
  Crowd crowd;
  must(erase_many(crowd.core(), crowd.due));
  const std::string document = must(crowd.vault.certificate_of(Crowd::path(3)));
  const auto certificate = crowd.verified(document);
  auto openings = must(crowd.vault.reveal(must(crowd.vault.certificates()).front().id));
  REQUIRE(openings.size() == 1);
  openings[0].path = Crowd::path(3);
  must(check_subject(certificate, openings[0]));
  openings[0].path = Crowd::path(4);
  CHECK_FALSE(check_subject(certificate, openings[0]).ok());
}

TEST_CASE("a hold on one of many refuses all, and that somebody tried is logged", "[erase]") {
  Crowd crowd;
  must(crowd.vault.lifecycle().place_hold(Crowd::path(5), "litigation"));
  const auto before = must(crowd.vault.log_head()).size;
  CHECK_FAILS_WITH(erase_many(crowd.core(), crowd.due), ErrorCode::kHeld);
  CHECK(must(crowd.vault.log_head()).size == before + 1);
  CHECK(must(crowd.vault.log_entry(before)).find("attempt-refused") != std::string::npos);
  for (int i = 0; i < 8; ++i) CHECK(crowd.lives(i));
}

TEST_CASE("a reason that is no code is refused before anything is listed", "[erase]") {
  Crowd crowd;
  crowd.due.back().reason = "because of Jane";
  CHECK_FAILS_WITH(erase_many(crowd.core(), crowd.due), ErrorCode::kInvalidArgument);
  for (int i = 0; i < 8; ++i) CHECK(crowd.lives(i));
}

TEST_CASE("the certificate of a scope is found by its path and by its id", "[erase]") {
  Crowd crowd;
  const std::string id = hex_id(crowd.id(Crowd::path(2)));
  CHECK_FAILS_WITH(crowd.vault.certificate_of(Crowd::path(2)), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(crowd.vault.certificate_of("acme/nobody"), ErrorCode::kNotFound);
  const std::string paths[] = {Crowd::path(2)};
  const auto report = must(crowd.vault.erase(paths, "test"));
  CHECK(must(crowd.vault.certificate_of(Crowd::path(2))) == report.certificate);
  CHECK(must(crowd.vault.certificate_of(id)) == report.certificate);
  must(erase_many(crowd.core(), crowd.due));
  const std::string tenant[] = {"acme"};
  must(crowd.vault.erase(tenant, "test"));
  // By its path it is not known any more: that died with its tenant.
  CHECK_FAILS_WITH(crowd.vault.certificate_of(Crowd::path(1)), ErrorCode::kErased);
  CHECK(crowd.verified(must(crowd.vault.certificate_of(hex_id(crowd.due[0].scope))))
            .scope_ids()
            .front() == crowd.due[0].scope);
}
