// Whether others judge certificates as this library does: the second verifier in tests/cli/verifier
// and the JSON Schema. Skipped where node or npm's ajv is missing.
#include <filesystem>
#include <fstream>

#include "evidence/sample_certificate.hpp"

namespace quietus::test {
namespace {

namespace fs = std::filesystem;

fs::path tools() {
  return fs::path(QUIETUS_SOURCE_DIR) / "tests" / "cli";
}

bool can_judge() {
  if (!fs::is_directory(tools() / "node_modules" / "ajv")) return false;
  // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): a fixed command
  return std::system("node --version >/dev/null 2>&1") == 0;
}

bool accepted(const std::string& certificate, const std::string& pem) {
  const fs::path folder = fs::path(QUIETUS_BINARY_DIR) / "judged-certificates";
  fs::create_directories(folder);
  std::ofstream(folder / "certificate", std::ios::binary) << certificate;
  std::ofstream(folder / "issuer.pem", std::ios::binary) << pem;
  const fs::path schema = fs::path(QUIETUS_SOURCE_DIR) / "docs" / "certificate.schema.json";
  const std::string command = "cd '" + folder.string() + "' && node '" +
                              (tools() / "verifier" / "judge.mjs").string() +
                              "' certificate issuer.pem '" + schema.string() + "' >output 2>&1";
  // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): the point
  const bool good = std::system(command.c_str()) == 0;
  std::ifstream output(folder / "output");
  const std::string said{std::istreambuf_iterator<char>(output), {}};
  INFO(said);
  CHECK(good == (said.find("all refused") != std::string::npos));
  return good;
}

TEST_CASE("a second verifier and the schema judge batches, snapshots and other instances alike",
          "[certificate]") {
  if (!can_judge()) return;
  SampleVault vault;
  // In the order that the format has.
  const auto& at = vault.proven();
  const ErasureClaims ordinary = vault.with_proofs({at[3], at[4], at[0], at[1], at[2]});
  CHECK(accepted(must(issue_certificate(ordinary, vault.issuer())).file, vault.issuer_pem()));
  ErasureClaims copied = ordinary;
  copied.instances = {{{1}, kStart}, {{2}, kStart}};
  CHECK_FALSE(accepted(vault.sign(encode_claims(copied)), vault.issuer_pem()));
  copied.status = CertificateStatus::kPartial;
  CHECK(accepted(must(issue_certificate(copied, vault.issuer())).file, vault.issuer_pem()));
  std::swap(copied.instances[0], copied.instances[1]);
  CHECK_FALSE(accepted(vault.sign(encode_claims(copied)), vault.issuer_pem()));
  std::swap(copied.instances[0], copied.instances[1]);
  const auto signed_by = [&](const ErasureClaims& claims) {
    return accepted(must(issue_certificate(claims, vault.issuer())).file, vault.issuer_pem());
  };
  const auto lies = [&](const ErasureClaims& claims) {
    return accepted(vault.sign(encode_claims(claims)), vault.issuer_pem());
  };
  copied.instances[0].receipt = CertificateId{7};
  CHECK(signed_by(copied));
  copied.status = CertificateStatus::kComplete;
  CHECK_FALSE(lies(copied));
  copied.instances[1].receipt = CertificateId{8};
  CHECK(signed_by(copied));
  copied.instances[1].receipt = CertificateId{7};
  CHECK_FALSE(lies(copied));
  ErasureClaims waiting = ordinary;
  waiting.snapshots = {{{1}, waiting.issued_at, true}};
  CHECK(signed_by(waiting));
  waiting.snapshots[0].attested = false;
  CHECK_FALSE(lies(waiting));
  waiting.phase = CertificatePhase::kLive;
  CHECK_FALSE(lies(waiting));
  waiting.status = CertificateStatus::kPendingSnapshots;
  CHECK(signed_by(waiting));
  for (const std::uint64_t scopes : {1U, 20U}) {
    const ErasureClaims claims = vault.of_batch(scopes / 2, scopes);
    const std::string file = must(issue_certificate(claims, vault.issuer())).file;
    CHECK(accepted(file, vault.issuer_pem()));
    // The same without its place in the batch, signed by an issuer that keeps to no rules.
    ErasureClaims lie = claims;
    lie.batch.reset();
    CHECK_FALSE(accepted(vault.sign(encode_claims(lie)), vault.issuer_pem()));
    lie = claims;
    lie.unreadable.records += 1;
    CHECK_FALSE(accepted(vault.sign(encode_claims(lie)), vault.issuer_pem()));
  }
}

}  // namespace
}  // namespace quietus::test
