// What an erasure certificate says, and the issuing of one. The payload is one line of JSON: ASCII,
// members in a fixed order, numbers unsigned integers, ids and hashes lower-case hex, times RFC
// 3339 in UTC. It holds ids, codes, numbers and sentences that are constants of the program; no
// names and no text of a user's.
//
//   version 1, type, certificate_id, supersedes [certificate ids], vault_id, issuer {kid, tool},
//   issued_at, status, phase, erasure_id, reason, targets [{scope_id, level, subject, keys
//   [{key_id, line, generation, algorithm, strength_bits, commitment}]}], unreadable {scopes_below,
//   keys_below, records, bytes, counted}, batch {statement_id, scopes, index, proof [hashes]} (only
//   of an erasure that was logged as a batch), method {…}, root {provider, assurance,
//   assurance_known, generation_before, generation_after, slots_destroyed [{slot_id, generation,
//   mirrors, overwritten, read_back, gone}]}, holders {acknowledged, ended}, times {begun,
//   keys_unreachable, slot_destroyed}, log {origin, vkey, proofs [{kind, entry, proof}]}, exports
//   [{scope_id, time, records, bytes}], exports_known, key_snapshots [{epoch_id, clear_date,
//   attested}], instances [{instance_id, copied, receipt}], instances_known, copies [{copy,
//   state}], claims [sentences], exclusions [sentences]
//
// docs/certificate.schema.json is the same as a JSON Schema.
#pragma once

#include <quietus/certificate.hpp>
#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/signature.hpp"
#include "evidence/code.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/log_store.hpp"

namespace quietus {

inline constexpr std::string_view kCertificateType = "quietus-erasure-cert+jws";
inline constexpr std::string_view kPayloadType = "quietus-erasure-certificate";
inline constexpr std::uint64_t kCertificateVersion = 1;

// Stands among what was not checked until a time stamp is added.
inline constexpr std::string_view kNoTimestampLine =
    "The clock: times are the issuer's own, no time stamp was given.";

struct ClaimedKey {
  KeyId id = 0;
  KeyLine line = KeyLine::kData;
  std::uint64_t generation = 0;
  KeyCommitment commitment{};
};

struct ClaimedTarget {
  ScopeId scope = 0;
  std::uint64_t level =
      0;  // 1 a tenant, 2 a data class, 3 and more a person; 0 the vault, or not known
  std::optional<Sha256> subject;  // commitment to the path (subject.hpp); none: it was not readable
  std::vector<ClaimedKey> keys;
};

// What became unreadable besides the listed keys, as the stores counted it when the erasure began.
struct ClaimedUnreadable {
  std::uint64_t scopes_below = 0;  // below a target or derived from it
  std::uint64_t keys_below = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // of ciphertext
  bool counted = false;  // false: damaged rows kept them from being counted, the numbers are zero
};

using StatementId = std::array<std::uint8_t, 16>;  // random

// Where a scope stands among those of one batch: its statement is leaf `index` of the Merkle tree
// whose root the batch-unreachable entry holds.
struct ClaimedBatch {
  StatementId statement{};
  std::uint64_t scopes = 0;
  std::uint64_t index = 0;
  std::vector<Hash> proof;  // from the leaf's sibling upwards
};

// The key snapshots that hold the keys until the key of their epoch is destroyed.
struct ClaimedSnapshot {
  std::array<std::uint8_t, 16> epoch{};
  UnixMillis clear_date = 0;
  bool attested = false;  // the site's signed receipt says that it is destroyed, and when
};

// Another instance of the vault that was made when keys listed here existed. What it holds this
// certificate does not cover; its own does, if there is one.
struct ClaimedInstance {
  InstanceId instance{};
  UnixMillis copied = 0;
  std::optional<CertificateId> receipt =
      {};  // its certificate that covers every target of this one
};

// Whether the inbox of the recovery site has been told of the erasure.
enum class SiteInbox { kNone, kDelivered, kNotYet };
std::string_view name_of(SiteInbox inbox) noexcept;  // "none", "delivered", "not-yet"

// Who decided that it be erased.
enum class DecidedBy {
  kSingleUser,  // whoever could unlock the vault: it had no operators
  kPolicy,      // of a governed vault, which is approved when it is changed; with the request, if
                // any, for the termination or withdrawal from which its rule counted
  kApproval,    // of a plan, by people who signed it
  kUnknown,     // the row that says so is damaged
};
std::string_view name_of(DecidedBy by) noexcept;  // "single-user", "policy", "approval"

struct ClaimedApproval {
  std::array<std::uint8_t, 16> person{};  // an operator's id
  Sha256 key{};                           // SHA-256 of the SSH key that signed
  UnixMillis time = 0;
  bool touched = false;   // a security key, and
  bool verified = false;  // with a PIN or biometrics
};
struct ClaimedRequest {
  std::array<std::uint8_t, 16> request{};
  Code kind = "none";
  Sha256 plan{};  // SHA-256 of the text that was signed
  std::vector<ClaimedApproval> approvals;
};

struct ClaimedSlot {
  SlotId id{};
  std::uint64_t generation = 0;
  std::uint64_t mirrors = 0;  // copies that the provider itself kept
  bool overwritten = false;   // made unreadable, by the provider's own means
  bool read_back = false;     // looked at again, through an independent path
  bool gone = false;          // no longer there
};

struct ClaimedRoot {
  Code provider = "none";
  std::string assurance;         // the provider's own words: printable ASCII, at most 1,024 bytes
  bool assurance_known = false;  // false: nobody can tell what the medium keeps; never `complete`
  std::uint64_t generation_before = 0;
  std::uint64_t generation_after = 0;
  std::vector<ClaimedSlot> slots;  // every slot destroyed, abandoned ones included
};

// Never earlier than the one before: where the clock went back in between, the earlier time stands.
struct ClaimedTimes {
  UnixMillis begun = 0;
  UnixMillis keys_unreachable = 0;
  UnixMillis slot_destroyed = 0;
};

struct ClaimedExport {
  ScopeId scope = 0;
  UnixMillis time = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// Proofs of the entries keys-unreachable (or batch-unreachable) and slot-destroyed of this erasure
// and of the key-created entry of every key, all under one checkpoint signed after slot-destroyed
// was logged.
struct ClaimedLog {
  std::string origin;
  std::string vkey;
  std::vector<ProvenEntry> proofs;
};

struct ErasureClaims {
  CertificateId certificate{};
  std::vector<CertificateId> supersedes;  // of the same erasure
  VaultId vault{};
  std::string issuer_kid;  // set by issue_certificate()
  std::string tool;        // "quietus 0.1.0"
  UnixMillis issued_at = 0;
  CertificateStatus status = CertificateStatus::kPartial;
  CertificatePhase phase = CertificatePhase::kFinal;
  ErasureId erasure{};
  Code reason = "none";
  DecidedBy decided = DecidedBy::kSingleUser;
  std::optional<ClaimedRequest> request;  // of kApproval; of kPolicy what made a rule count
  std::vector<ClaimedTarget> targets;
  ClaimedUnreadable unreadable;
  std::optional<ClaimedBatch> batch;  // then there is one target
  ClaimedRoot root;
  std::uint64_t holders_acknowledged = 0;
  std::uint64_t holders_ended = 0;
  ClaimedTimes times;
  ClaimedLog log;
  std::vector<ClaimedExport> exports;
  bool exports_known = true;  // false: damaged rows may have named more; never `complete`
  std::vector<ClaimedSnapshot> snapshots;
  std::vector<ClaimedInstance> instances;  // ascending; `partial` while one has no receipt
  bool instances_known = true;  // false: damaged rows may have named more; always `partial`
  SiteInbox site_inbox = SiteInbox::kNone;
};

// Whether every root slot was seen overwritten, read back and gone, on a medium that is known to
// overwrite.
bool slots_are_destroyed(const ClaimedRoot& root) noexcept;

// Whether keys that are listed may live on in another instance of the vault.
bool may_live_elsewhere(const ErasureClaims& claims) noexcept;

// The sentences of every certificate of this version. What is said of snapshots depends on whether
// there are any, and how much is claimed on whether there are other instances, or may be.
std::vector<std::string_view> certificate_claims(const ErasureClaims& claims);
std::span<const std::string_view> certificate_exclusions() noexcept;

// The origin and key name of the evidence log of a vault. A verifier accepts every origin that has
// the vault's id in it.
std::string log_origin(const VaultId& vault);

// The kind that the proof of an entry is labelled with; "unknown" when the entry does not say.
std::string proof_kind(ByteView entry);

// What a batch states of one of its scopes, one line of JSON: {"statement_id", "erasure_id",
// "reason", "target" as under targets, "unreadable" as there}. The random id makes its hash say
// nothing to those who see only hashes.
struct StatementHead {
  StatementId id{};
  ErasureId erasure{};
  Code reason = "none";
};
std::string statement_text(const StatementHead& head, const ClaimedTarget& target,
                           const ClaimedUnreadable& unreadable);

std::string encode_claims(const ErasureClaims& claims);
// The claims that encode_claims() makes exactly this payload of: one that has other members,
// another order or other sentences is refused. kUnverified, kUnsupported.
Result<ErasureClaims> decode_claims(ByteView payload);

// Whether the claims agree with each other: a status that the facts carry, times in order,
// generations that grow, ids that are there once. kUnverified.
Result<void> check_claims(const ErasureClaims& claims);

struct IssuedCertificate {
  std::string file;
  Sha256 payload;  // what the certificate-issued entry records
};

// Signs the claims. Claims that a verifier would refuse are refused here, proofs included:
// kUnverified.
Result<IssuedCertificate> issue_certificate(ErasureClaims claims, const SigningKey& issuer);

}  // namespace quietus
