#include "evidence/certificate.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "evidence/sample_certificate.hpp"
#include "evidence/strict_json.hpp"
#include "support/mentions.hpp"

namespace quietus::test {
namespace {

TEST_CASE("a certificate verifies and says what was claimed", "[certificate]") {
  const SampleVault vault;
  const VerifiedCertificate verified = must(vault.verify(vault.certificate()));
  const ErasureClaims& claims = vault.claims();
  CHECK(verified.certificate_id() == to_hex(claims.certificate));
  CHECK(verified.vault_id() == to_hex(claims.vault));
  CHECK(verified.erasure_id() == to_hex(claims.erasure));
  CHECK(verified.reason() == "customer-request");
  CHECK(verified.status() == CertificateStatus::kComplete);
  CHECK(verified.phase() == CertificatePhase::kFinal);
  CHECK(verified.scope_ids() == std::vector<std::uint64_t>{0x1001, 0x1002});
  CHECK(verified.times().begun_unix_ms == claims.times.begun);
  CHECK(verified.times().keys_unreachable_unix_ms == claims.times.keys_unreachable);
  CHECK(verified.times().slot_destroyed_unix_ms == claims.times.slot_destroyed);
  CHECK(verified.times().issued_unix_ms == claims.issued_at);
  CHECK(verified.issuer_kid() == jwk_thumbprint(ed25519_public_key(vault.issuer())));
  CHECK(verified.log_vkey() == vault.vkey());
  CHECK(verified.log_key_pinned());
}

TEST_CASE("the report says what was not checked and what is not claimed", "[certificate]") {
  const SampleVault vault;
  const std::string file = vault.certificate();
  const CertificateReport pinned = must(vault.verify(file)).report();
  CHECK(mentions(pinned.checked, "Signature"));
  CHECK(mentions(pinned.checked, "Status complete"));
  CHECK_FALSE(mentions(pinned.not_checked, "not pinned"));
  CHECK(mentions(pinned.not_checked, "clock"));
  CHECK(mentions(pinned.claims, "does not prove destruction by itself"));
  CHECK(mentions(pinned.not_claimed, "outside the vault"));
  CHECK(mentions(pinned.not_claimed, "partial sanitization"));

  const auto trusting = must(verify_certificate(as_bytes(file), vault.issuer_pem()));
  CHECK_FALSE(trusting.log_key_pinned());
  CHECK(mentions(trusting.report().not_checked, "not pinned"));
}

TEST_CASE("the payload is one line of ASCII with its members in order", "[certificate]") {
  const SampleVault vault;
  const std::string payload = encode_claims(vault.claims());
  CHECK(std::all_of(payload.begin(), payload.end(), [](char c) { return c >= 0x20 && c < 0x7F; }));
  std::vector<std::string> names;
  const Json json = must(parse_strict_json(payload));
  for (const auto& [name, value] : json.items()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"version",       "type",       "certificate_id",
                                          "supersedes",    "vault_id",   "issuer",
                                          "issued_at",     "status",     "phase",
                                          "erasure_id",    "reason",     "decided_by",
                                          "targets",       "unreadable", "method",
                                          "root",          "holders",    "times",
                                          "log",           "exports",    "exports_known",
                                          "key_snapshots", "instances",  "instances_known",
                                          "copies",        "claims",     "exclusions"});
  CHECK(encode_claims(must(decode_claims(as_bytes(payload)))) == payload);
  CHECK(must(issue_certificate(vault.claims(), vault.issuer())).payload ==
        sha256(as_bytes(payload)));
}

TEST_CASE("the sentences claim destruction by this vault and prove nothing alone",
          "[certificate]") {
  CHECK(certificate_claims({})[0] ==
        "Every copy of the listed keys that this vault and the systems listed here made was "
        "destroyed by the method and at the times stated.");
  const nlohmann::json payload = nlohmann::json::parse(encode_claims(SampleVault().claims()));
  CHECK(payload["claims"].size() == certificate_claims({}).size());
  CHECK(payload["exclusions"].size() == certificate_exclusions().size());
  CHECK(payload["method"]["technique"] == "cryptographic erase by key destruction");
  CHECK(payload["method"]["extent"] == "partial sanitization of the medium");
}

TEST_CASE("milliseconds do not reach the certificate", "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  claims.issued_at += 999;
  claims.times.begun += 1;
  const auto issued = must(issue_certificate(claims, vault.issuer()));
  CHECK(issued.file == vault.certificate());
}

TEST_CASE("a partial certificate is valid and says that it is partial", "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  claims.status = CertificateStatus::kPartial;
  claims.root.assurance_known = false;
  claims.root.assurance = "unknown: btrfs";
  const std::string file = must(issue_certificate(claims, vault.issuer())).file;
  const VerifiedCertificate verified = must(vault.verify(file));
  CHECK(verified.status() == CertificateStatus::kPartial);
  CHECK(mentions(verified.report().checked, "Status partial"));
}

TEST_CASE("every place of a copy is named with what is known of it", "[certificate]") {
  const SampleVault vault;
  const auto states = [](const ErasureClaims& claims) {
    std::string found;
    const auto payload = nlohmann::json::parse(encode_claims(claims));
    for (const auto& copy : payload["copies"])
      found += copy["copy"].get<std::string>() + " " + copy["state"].get<std::string>() + "; ";
    return found;
  };
  ErasureClaims claims = vault.claims();
  CHECK(states(claims) ==
        "root-slots destroyed; process-memory destroyed; key-snapshots never-existed; "
        "restored-instances never-existed; known-exports outside; copies-outside-the-vault "
        "outside; ");
  claims.exports.clear();
  claims.root.slots[0].gone = false;
  claims.snapshots = {{{1}, claims.issued_at, true}};
  claims.instances_known = false;
  CHECK(states(claims).find("key-snapshots destroyed; ") != std::string::npos);
  claims.snapshots.push_back({{2}, claims.issued_at, false});
  claims.phase = CertificatePhase::kLive;
  CHECK(states(claims) ==
        "root-slots unknown; process-memory destroyed; key-snapshots ages-out; "
        "restored-instances unknown; known-exports never-existed; "
        "copies-outside-the-vault outside; ");
  claims.instances = {{{1}, kStart, CertificateId{7}}, {{2}, kStart}};
  CHECK(states(claims).find("restored-instances not-covered; ") != std::string::npos);
  claims.instances[1].receipt = CertificateId{8};
  CHECK(states(claims).find("restored-instances unknown; ") != std::string::npos);
  claims.instances_known = true;
  CHECK(states(claims).find("restored-instances destroyed; ") != std::string::npos);
}

TEST_CASE("a certificate says who decided, and names what they signed", "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  for (const DecidedBy by : {DecidedBy::kSingleUser, DecidedBy::kPolicy}) {
    claims.decided = by;
    CHECK(must(decode_claims(as_bytes(encode_claims(claims)))).decided == by);
  }
  claims.decided = DecidedBy::kApproval;
  CHECK_FAILS_WITH(decode_claims(as_bytes(encode_claims(claims))), ErrorCode::kUnverified);
  claims.request =
      ClaimedRequest{{1}, "deletion", {2}, {{{3}, {4}, claims.issued_at, true, false}}};
  const std::string payload = encode_claims(claims);
  const ErasureClaims read = must(decode_claims(as_bytes(payload)));
  REQUIRE(read.request);
  CHECK(read.request->approvals.size() == 1);
  CHECK(read.request->approvals[0].touched);
  CHECK(encode_claims(read) == payload);
  CHECK(issue_certificate(claims, vault.issuer()).ok());
  // The rules of a policy may count from something that was approved.
  claims.decided = DecidedBy::kPolicy;
  CHECK(must(decode_claims(as_bytes(encode_claims(claims)))).request.has_value());
  claims.decided = DecidedBy::kSingleUser;
  CHECK_FAILS_WITH(decode_claims(as_bytes(encode_claims(claims))), ErrorCode::kUnverified);
}

TEST_CASE("a certificate says whether the site was told, where there is one to tell",
          "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  CHECK(encode_claims(claims).find("site_inbox") == std::string::npos);
  for (const SiteInbox inbox : {SiteInbox::kDelivered, SiteInbox::kNotYet}) {
    claims.site_inbox = inbox;
    const std::string payload = encode_claims(claims);
    const std::string member = "\"site_inbox\":\"" + std::string(name_of(inbox)) + "\",\"copies\"";
    REQUIRE(payload.find(member) != std::string::npos);
    CHECK(must(decode_claims(as_bytes(payload))).site_inbox == inbox);
    std::string other = payload;
    other.replace(payload.find(member), member.size(), R"("site_inbox":"none","copies")");
    CHECK_FAILS_WITH(decode_claims(as_bytes(other)), ErrorCode::kUnverified);
    CHECK(issue_certificate(claims, vault.issuer()).ok());
  }
}

TEST_CASE("with the receipts of all other instances a certificate is complete", "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  claims.instances = {{{0x0A}, kStart, CertificateId{7}}, {{0x0B}, kStart}};
  CHECK_FALSE(issue_certificate(claims, vault.issuer()).ok());
  claims.status = CertificateStatus::kPartial;
  const VerifiedCertificate one =
      must(vault.verify(must(issue_certificate(claims, vault.issuer())).file));
  CHECK_FALSE(mentions(one.report().not_claimed, "0a000000"));
  CHECK(mentions(one.report().not_claimed, "0b000000"));
  CHECK(mentions(one.report().not_checked, "its certificate 07000000000000000000000000000000"));
  CHECK(mentions(one.report().claims, "may still hold the listed keys"));

  claims.instances[1].receipt = CertificateId{8};
  claims.status = CertificateStatus::kComplete;
  const std::string payload = encode_claims(claims);
  CHECK(encode_claims(must(decode_claims(as_bytes(payload)))) == payload);
  const CertificateReport all =
      must(vault.verify(must(issue_certificate(claims, vault.issuer())).file)).report();
  CHECK(all.not_claimed.size() == certificate_exclusions().size());
  CHECK(mentions(all.not_checked, "its certificate 08000000000000000000000000000000"));
  // Nothing is claimed of how and when others destroyed them.
  CHECK_FALSE(mentions(all.claims, "this vault and the systems listed here"));
  CHECK(mentions(all.claims, "that this instance of the vault made"));
  CHECK(mentions(all.claims, "as its own certificate states that is listed as receipt"));
  CHECK_FALSE(mentions(all.claims, "may still hold"));
}

TEST_CASE("another instance makes a certificate partial, and is named as not covered",
          "[certificate]") {
  const SampleVault vault;
  const auto verified = [&](const ErasureClaims& claims) {
    const std::string payload = encode_claims(claims);
    CHECK(encode_claims(must(decode_claims(as_bytes(payload)))) == payload);
    return must(vault.verify(must(issue_certificate(claims, vault.issuer())).file));
  };
  ErasureClaims claims = vault.claims();
  CHECK_FALSE(mentions(verified(claims).report().not_claimed, "instance"));
  claims.status = CertificateStatus::kPartial;
  claims.instances = {{{0x0A}, kStart + kMinute}, {{0x0B}, kStart}};
  const CertificateReport report = verified(claims).report();
  CHECK(mentions(report.not_claimed,
                 "0a000000000000000000000000000000, copied 2026-03-01T12:31:05Z: it may still"));
  CHECK(mentions(report.not_claimed,
                 "0b000000000000000000000000000000, copied 2026-03-01T12:30:05Z: it may still"));
  CHECK_FALSE(mentions(report.not_claimed, "not known any more"));
  CHECK(report.not_claimed.size() == certificate_exclusions().size() + 2);
  // Nothing is claimed of copies in other instances.
  CHECK_FALSE(mentions(report.claims, "this vault and the systems listed here"));
  CHECK_FALSE(mentions(report.claims, "This vault made no key snapshot"));
  CHECK(mentions(report.claims, "that this instance of the vault made"));
  CHECK(mentions(report.claims, "This instance of the vault made no key snapshot"));
  CHECK(mentions(report.claims, "Other instances of this vault may still hold the listed keys"));

  claims.instances.clear();
  claims.instances_known = false;
  const CertificateReport unknown = verified(claims).report();
  CHECK(mentions(unknown.not_claimed, "Instances of this vault that are not known any more"));
  CHECK(mentions(unknown.claims, "Other instances of this vault may still hold the listed keys"));

  claims.instances = {{{0x0A}, kStart}};
  claims.snapshots = {{{1}, claims.issued_at, false}};
  claims.phase = CertificatePhase::kLive;
  CHECK(mentions(verified(claims).report().claims, "key snapshots of this instance of the vault"));
}

TEST_CASE("while key snapshots age out a certificate is live and pending, never complete",
          "[certificate]") {
  const SampleVault vault;
  ErasureClaims claims = vault.claims();
  claims.snapshots = {{{1}, claims.issued_at + 20160 * kMinute, false}};
  claims.phase = CertificatePhase::kLive;
  claims.status = CertificateStatus::kPendingSnapshots;
  const VerifiedCertificate live =
      must(vault.verify(must(issue_certificate(claims, vault.issuer())).file));
  CHECK(name_of(live.status()) == "pending-snapshots");
  CHECK(live.phase() == CertificatePhase::kLive);
  CHECK(mentions(live.report().claims, "is unreadable from its clear date"));
  CHECK_FALSE(mentions(live.report().claims, "made no key snapshot"));
  // The one that follows names it, and the snapshots that are gone.
  ErasureClaims later = vault.claims();
  later.supersedes = {{5}};
  later.snapshots = {{{1}, later.issued_at, true}};
  const VerifiedCertificate final_one =
      must(vault.verify(must(issue_certificate(later, vault.issuer())).file));
  CHECK(final_one.supersedes() == std::vector<std::string>{"05000000000000000000000000000000"});
}

TEST_CASE("a subject's commitment is opened by its salt and path, and by nothing else",
          "[certificate]") {
  const SampleVault vault;
  const VerifiedCertificate verified = must(vault.verify(vault.certificate()));
  REQUIRE(verified.scopes().size() == 2);
  CHECK(verified.scopes()[0].level == 3);
  CHECK(verified.scopes()[1].subject_commitment.empty());
  CHECK(verified.amount().records == 12);
  const SubjectOpening right = vault.opening();
  must(check_subject(verified, right));
  SubjectOpening wrong = right;
  wrong.path += "x";
  CHECK_FAILS_WITH(check_subject(verified, wrong), ErrorCode::kUnverified);
  wrong = right;
  wrong.scope_id = 0x1002;
  CHECK_FAILS_WITH(check_subject(verified, wrong), ErrorCode::kUnverified);
  wrong = right;
  wrong.salt[0] = wrong.salt[0] == '0' ? '1' : '0';
  CHECK_FAILS_WITH(check_subject(verified, wrong), ErrorCode::kUnverified);
  wrong.salt.pop_back();
  CHECK_FAILS_WITH(check_subject(verified, wrong), ErrorCode::kInvalidArgument);
}

TEST_CASE("a certificate of one scope of a batch verifies, wherever it stands in it",
          "[certificate]") {
  SampleVault vault;
  const std::uint64_t scopes = GENERATE(1U, 2U, 5U, 64U, 100U);
  for (const std::uint64_t index : {std::uint64_t{0}, scopes / 2, scopes - 1}) {
    INFO(index << " of " << scopes);
    const ErasureClaims claims = vault.of_batch(index, scopes);
    const auto verified = must(vault.verify(must(issue_certificate(claims, vault.issuer())).file));
    CHECK(verified.scope_ids() == std::vector<std::uint64_t>{0x1001});
    CHECK(mentions(verified.report().checked, "batch-unreachable"));
    CHECK(mentions(verified.report().checked,
                   "number " + std::to_string(index) + " of the " + std::to_string(scopes)));
    const std::string payload = encode_claims(claims);
    CHECK(encode_claims(must(decode_claims(as_bytes(payload)))) == payload);
  }
}

TEST_CASE("stock openssl verifies a certificate", "[certificate]") {
  const SampleVault vault;
  const auto file = nlohmann::json::parse(vault.certificate());
  const auto folder = std::filesystem::path(QUIETUS_BINARY_DIR) / "openssl-certificate-test";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, std::string_view bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  };
  const std::string input =
      file["protected"].get<std::string>() + "." + file["payload"].get<std::string>();
  write("issuer.pem", vault.issuer_pem());
  write("signing_input", input);
  write("other_input", input + "x");
  write("signature", as_text(from_base64url(file["signature"].get<std::string>()).value()));
  const auto openssl = [&](const std::string& signing_input) {
    const std::string command =
        "cd '" + folder.string() +
        "' && openssl pkeyutl -verify -pubin -inkey issuer.pem -rawin -in " + signing_input +
        " -sigfile signature >output 2>&1";
    return std::system(command.c_str());  // NOLINT(cert-env33-c,concurrency-mt-unsafe): the point
  };
  CHECK(openssl("signing_input") == 0);
  CHECK(openssl("other_input") != 0);
  std::filesystem::remove_all(folder);
}

TEST_CASE("keys come as PEM and as JWK", "[certificate]") {
  const SampleVault vault;
  const std::string jwk = must(issuer_key_jwk(vault.issuer_pem()));
  CHECK(jwk == format_jwk(ed25519_public_key(vault.issuer())));
  CHECK(must(issuer_key_pem(jwk)) == vault.issuer_pem());
  CHECK_FAILS_WITH(issuer_key_jwk("not a key"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(issuer_key_pem("{}"), ErrorCode::kInvalidArgument);
}

TEST_CASE("expectations that are none are the caller's mistake", "[certificate]") {
  const SampleVault vault;
  const std::string file = vault.certificate();
  CHECK_FAILS_WITH(verify_certificate(as_bytes(file), "not a key"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(verify_certificate(as_bytes(file), vault.issuer_pem(), {"not a key"}),
                   ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quietus::test
