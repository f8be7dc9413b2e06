#include "evidence/add_checkpoint.hpp"
#include "evidence/cosignature.hpp"
#include "evidence/sample_certificate.hpp"
#include "support/mentions.hpp"

namespace quietus::test {
namespace {

std::string cosignature(const std::string& note, const std::string& name = "w.example") {
  return must(cosign_text(must(parse_note(note)).text, name, signing_key(name), 1772368205));
}

struct Trusted {
  SampleVault vault;
  std::string log = "log " + vault.vkey() + "\n";
  std::string witness = "witness w " +
                        format_vkey({"w.example", ed25519_public_key(signing_key("w.example")),
                                     NoteKeyType::kCosignature}) +
                        "\n";
  std::string issuer = issuer_line(vault);

  static std::string issuer_line(const SampleVault& of) {
    const std::string pem = of.issuer_pem();
    const std::size_t begin = pem.find('\n') + 1;
    return "issuer acme " + pem.substr(begin, pem.find('\n', begin) - begin) + "\n";
  }

  // A certificate whose checkpoint has more signature lines.
  std::string certificate(const std::string& more_lines) {
    ErasureClaims claims = vault.claims();
    const std::string note = vault.checkpoint() + more_lines;
    claims.log.proofs.clear();
    for (const std::uint64_t index : vault.proven())
      claims.log.proofs.push_back(vault.prove(index, note));
    return must(issue_certificate(claims, vault.issuer())).file;
  }
};

Result<VerifiedCertificate> verify(const std::string& file, const std::string& trust_file,
                                   std::optional<std::string_view> later = {}) {
  return verify_certificate(as_bytes(file), must(Trust::parse(trust_file)), later);
}

std::string why(const Result<VerifiedCertificate>& verdict, ErrorCode code) {
  INFO(describe(verdict));
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code() == code);
  return verdict.error().context();
}

TEST_CASE("a trust file pins issuer and log", "[certificate][trust]") {
  const Trusted trusted;
  const std::string file = trusted.vault.certificate();
  const auto verified = must(verify(file, trusted.log + trusted.issuer + "quorum none\n"));
  CHECK(verified.log_key_pinned());
  CHECK(verified.witnesses().empty());
  CHECK(mentions(verified.report().checked, "that of acme in the trust file"));
  CHECK(mentions(verified.report().checked, "Log key"));
  CHECK_FALSE(mentions(verified.report().checked, "Witnesses"));
  CHECK(mentions(verified.report().not_checked, "the trust file needs none"));
}

TEST_CASE("a trust file without the keys it takes is a wrong argument", "[certificate][trust]") {
  const Trusted trusted;
  const std::string file = trusted.vault.certificate();
  CHECK(why(verify(file, trusted.log + "quorum none\n"), ErrorCode::kInvalidArgument) ==
        "trust file has no issuer line for certificates");
  CHECK(why(verify(file, trusted.issuer + "quorum none\n"), ErrorCode::kInvalidArgument) ==
        "trust file has no log line");
}

TEST_CASE("another issuer or log is refused, each in its words", "[certificate][trust]") {
  const Trusted trusted;
  const Trusted other{SampleVault("other")};
  const std::string file = trusted.vault.certificate();
  CHECK(why(verify(file, trusted.log + other.issuer + "quorum none\n"), ErrorCode::kUnverified)
            .find("signed by another key") != std::string::npos);
  CHECK(why(verify(file, other.log + trusted.issuer + "quorum none\n"), ErrorCode::kUnverified)
            .find("of a log that the trust file does not name") != std::string::npos);
  // The same name with another key.
  const std::string same_name = "log " +
                                format_vkey({log_origin(trusted.vault.claims().vault),
                                             ed25519_public_key(signing_key("x"))}) +
                                "\n";
  CHECK(why(verify(file, same_name + trusted.issuer + "quorum none\n"), ErrorCode::kUnverified)
            .find("not signed by a known key") != std::string::npos);
}

TEST_CASE("the quorum is asked of the checkpoint in the certificate", "[certificate][trust]") {
  Trusted trusted;
  const std::string trust = trusted.log + trusted.witness + trusted.issuer + "quorum w\n";
  CHECK(why(verify(trusted.vault.certificate(), trust), ErrorCode::kUnverified)
            .find("quorum w is not met: no cosignature by w") != std::string::npos);

  const std::string file = trusted.certificate(cosignature(trusted.vault.checkpoint()));
  const auto verified = must(verify(file, trust));
  REQUIRE(verified.witnesses().size() == 1);
  CHECK(verified.witnesses()[0].witness == "w");
  CHECK(mentions(verified.report().checked, "quorum w: w at 2026-03-01T12:30:05Z"));
  CHECK(mentions(verified.report().not_checked, "independent of the issuer"));

  // A witness that is not in the file does not count, a bad cosignature refuses all.
  const std::string foreign =
      trusted.certificate(cosignature(trusted.vault.checkpoint(), "v.example"));
  CHECK(why(verify(foreign, trust), ErrorCode::kUnverified).find("quorum w") != std::string::npos);
  const std::string bad =
      must(cosign_text("other\n", "w.example", signing_key("w.example"), 1772368205));
  CHECK(why(verify(trusted.certificate(bad), trust), ErrorCode::kUnverified)
            .find("bad cosignature by the witness w.example") != std::string::npos);
}

struct LaterCheckpoint {
  Trusted trusted;
  std::string trust = trusted.log + trusted.witness + trusted.issuer + "quorum w\n";
  std::string file = trusted.vault.certificate();
  std::uint64_t old_size = trusted.vault.log_size();

  std::string request(bool cosigned, SampleVault& vault) {
    const std::string note = vault.checkpoint();
    return format_add_checkpoint({old_size, vault.proof_from(old_size),
                                  note + (cosigned ? cosignature(note) : std::string())});
  }
};

TEST_CASE("a later checkpoint that was witnessed will do", "[certificate][trust]") {
  LaterCheckpoint sample;
  for (int i = 0; i < 5; ++i) sample.trusted.vault.log("later");
  const auto verified =
      must(verify(sample.file, sample.trust, sample.request(true, sample.trusted.vault)));
  CHECK(verified.witnesses().size() == 1);
  CHECK(mentions(verified.report().checked, "goes on from the one in the certificate"));

  CHECK(why(verify(sample.file, sample.trust, sample.request(false, sample.trusted.vault)),
            ErrorCode::kUnverified)
            .find("later checkpoint: quorum w is not met") != std::string::npos);
  CHECK(why(verify(sample.file, sample.trust, ""), ErrorCode::kUnverified)
            .find("later checkpoint: ") != std::string::npos);
}

TEST_CASE("a later checkpoint of a fork or of another log will not do", "[certificate][trust]") {
  LaterCheckpoint sample;
  SampleVault forked;  // the same keys; its entries have other random ids
  for (int i = 0; i < 5; ++i) forked.log("later");
  CHECK(why(verify(sample.file, sample.trust, sample.request(true, forked)), ErrorCode::kUnverified)
            .find("fork: ") != std::string::npos);

  SampleVault other("other");
  other.log("later");
  CHECK(why(verify(sample.file, sample.trust + "log " + other.vkey() + "\n",
                   sample.request(true, other)),
            ErrorCode::kUnverified) == "later checkpoint is of another log");
}

}  // namespace
}  // namespace quietus::test
