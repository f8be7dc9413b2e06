// Verifies erasure certificates: bytes in, verdict out. It needs no vault, no disk and no network.
//
// Three steps, three types: the bytes of a certificate, what the reader expects of it, and a
// VerifiedCertificate, which only verify_certificate() makes. Whoever holds one holds a certificate
// that was signed by the issuer's key, says one thing only, agrees with itself, and rests on log
// entries that were proved. What that is worth is in report(): all three parts belong in front of a
// reader.
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>
#include <quietus/trust.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

// kPartial: keys are unreachable, but not every root slot is known to be gone, or nobody can say
// what the medium kept. kPendingSnapshots: all is done here, but key snapshots elsewhere still age
// out. Neither is ever to be read as complete. Numbers reach the disk.
enum class CertificateStatus { kPartial = 0, kComplete = 1, kPendingSnapshots = 2 };

// kLive: key snapshots still age out. kFinal: none holds the keys.
enum class CertificatePhase { kLive, kFinal };

QUIETUS_EXPORT std::string_view name_of(
    CertificateStatus status) noexcept;  // "complete", "partial", "pending-snapshots"
QUIETUS_EXPORT std::string_view name_of(CertificatePhase phase) noexcept;  // "live", "final"

// What the reader knows from elsewhere.
struct CertificateExpectations {
  // The evidence log's key (C2SP vkey). Without it the one in the certificate is used, and the
  // report says that it was not pinned.
  std::optional<std::string> log_vkey;
};

// Milliseconds since 1970-01-01T00:00:00Z, whole seconds, by the issuer's clock.
struct CertificateTimes {
  std::int64_t begun_unix_ms = 0;
  std::int64_t keys_unreachable_unix_ms = 0;
  std::int64_t slot_destroyed_unix_ms = 0;
  std::int64_t issued_unix_ms = 0;
};

// What was erased. The scope is named by its random id and by a commitment to its path.
struct CertifiedScope {
  std::uint64_t scope_id = 0;
  std::uint64_t level =
      0;  // 1 a tenant, 2 a data class, 3 and more a person; 0 the vault, or not known
  std::string subject_commitment;  // 64 hex digits; empty when the path was not readable
};

// What became unreadable, besides the keys listed, as the vault counted it when the erasure began.
struct CertifiedAmount {
  std::uint64_t scopes_below = 0;
  std::uint64_t keys_below = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of ciphertext
  bool counted = false;     // false: it could not be counted, the numbers are zero
};

// Opens a subject commitment. Whoever has it can show whose scope it was; nobody else can.
struct SubjectOpening {
  std::uint64_t scope_id = 0;
  std::string path;  // "acme/customer-data/user-7"
  std::string salt;  // 64 hex digits
};

// One line of plain English each.
struct CertificateReport {
  std::vector<std::string> checked;
  std::vector<std::string> not_checked;
  std::vector<std::string> claims;       // what the issuer states
  std::vector<std::string> not_claimed;  // what the certificate does not cover
};

// Who decided. Whose the keys are, only the vault that issued it can say.
struct CertifiedDecision {
  std::string by;  // "single-user", "policy", "approval", "unknown"
  // Of an approval, and of a policy whose rule counted from something that was approved:
  std::string request_id;       // 32 hex digits; empty: nothing was
  std::string kind;             // of the request, a code
  std::string plan_sha256;      // of the text that was signed, 64 hex digits
  std::uint64_t approvals = 0;  // how many
};

// A certificate that was verified: there is no other way to get one.
class QUIETUS_EXPORT VerifiedCertificate {
 public:
  const std::string& certificate_id() const noexcept { return certificate_id_; }  // 32 hex digits
  const std::string& vault_id() const noexcept { return vault_id_; }              // 32 hex digits
  const std::string& erasure_id() const noexcept { return erasure_id_; }          // 32 hex digits
  const std::string& reason() const noexcept { return reason_; }                  // a code
  const CertifiedDecision& decision() const noexcept { return decision_; }        // who decided
  CertificateStatus status() const noexcept { return status_; }  // whether it is complete
  CertificatePhase phase() const noexcept { return phase_; }  // whether key snapshots still age out
  const std::vector<std::uint64_t>& scope_ids() const noexcept { return scope_ids_; }  // erased
  const std::vector<CertifiedScope>& scopes() const noexcept { return scopes_; }       // in detail
  const CertifiedAmount& amount() const noexcept { return amount_; }  // what is unreadable
  const std::vector<std::string>& supersedes() const noexcept { return supersedes_; }  // ids
  const CertificateTimes& times() const noexcept { return times_; }  // by the issuer's clock
  // RFC 7638 thumbprint of the key that signed it: the one that was passed in.
  const std::string& issuer_kid() const noexcept { return issuer_kid_; }
  const std::string& log_vkey() const noexcept { return log_vkey_; }  // the evidence log's key
  bool log_key_pinned() const noexcept { return log_key_pinned_; }    // the reader named that key
  // Witnesses of the trust file that cosigned the log's checkpoint in it.
  const std::vector<WitnessStatement>& witnesses() const noexcept { return witnesses_; }
  const CertificateReport& report() const noexcept { return report_; }  // for people

  // Verifies a time stamp of the very file that this was made from, as verify_timestamp() does and
  // with its errors, and tells it in the report. kInvalidArgument also when there is one already.
  // After an error this is as before.
  Result<void> add_timestamp(ByteView token, std::string_view tsa_ca_pem);
  // That time stamp; none when none was added.
  const std::optional<VerifiedTimestamp>& timestamp() const noexcept { return timestamp_; }

 private:
  friend class CertificateVerifier;
  VerifiedCertificate() = default;

  std::string certificate_id_;
  std::string vault_id_;
  std::string erasure_id_;
  std::string reason_;
  CertifiedDecision decision_;
  CertificateStatus status_ = CertificateStatus::kPartial;
  CertificatePhase phase_ = CertificatePhase::kLive;
  std::vector<std::uint64_t> scope_ids_;
  std::vector<CertifiedScope> scopes_;
  CertifiedAmount amount_;
  std::vector<std::string> supersedes_;
  CertificateTimes times_;
  std::string issuer_kid_;
  std::string log_vkey_;
  bool log_key_pinned_ = false;
  std::vector<WitnessStatement> witnesses_;
  CertificateReport report_;
  std::array<std::uint8_t, 32> file_hash_{};  // SHA-256
  std::optional<VerifiedTimestamp> timestamp_;
};

// Verifies the bytes of a certificate file against the issuer's public key (PEM). Thread-safe.
//   kInvalidArgument  the key or an expectation is not one
//   kUnsupported      a certificate of a later version
//   kUnverified       everything else; the text says what does not hold
QUIETUS_EXPORT Result<VerifiedCertificate> verify_certificate(
    ByteView file, std::string_view issuer_key_pem,
    const CertificateExpectations& expectations = {});

// What stands in a certificate file, with nothing of it verified: for showing it to somebody who
// verifies it elsewhere.
struct UnverifiedCertificate {
  std::string payload;         // one line of JSON
  std::string certificate_id;  // 32 hex digits
  std::string issuer_kid;      // of the key that it says it was signed with
};

// Takes a file apart that has the outer form of a certificate; members of the payload that are not
// known here are no fault. Thread-safe. kUnverified: it is no certificate; the text says why.
QUIETUS_EXPORT Result<UnverifiedCertificate> read_unverified_certificate(ByteView file);

// Verifies against a trust file: the issuer's key is the one in it, the log's key one of those in
// it, and the witnesses that cosigned the checkpoint in the certificate meet its quorum. Witnesses
// usually see a log after the certificate was signed: then `later` is a later checkpoint that meets
// the quorum, with the proof that the log goes on to it from the one in the certificate (C2SP
// tlog-witness, body of add-checkpoint; Vault::log_proof() makes it). Thread-safe. Errors as above;
// kInvalidArgument when the trust file names no issuer or no log.
QUIETUS_EXPORT Result<VerifiedCertificate> verify_certificate(
    ByteView file, const Trust& trust, std::optional<std::string_view> later = {});

// Whether the opening is that of a scope of this certificate: HMAC-SHA256 with the salt as key over
// "quietus-subject-1", the vault id, the scope id and the path, a line each. kInvalidArgument for a
// malformed salt; kUnverified when it opens nothing here. Thread-safe.
QUIETUS_EXPORT Result<void> check_subject(const VerifiedCertificate& certificate,
                                          const SubjectOpening& opening);

// The issuer's public key in the two forms that tools read: PEM (openssl) and JWK (JOSE libraries).
// kInvalidArgument for anything but an Ed25519 public key.
QUIETUS_EXPORT Result<std::string> issuer_key_jwk(std::string_view pem);
QUIETUS_EXPORT Result<std::string> issuer_key_pem(std::string_view jwk);  // and back

}  // namespace quietus
