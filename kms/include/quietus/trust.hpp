// Whom a verifier trusts: time-stamp authorities (below), and the keys of logs, of witnesses and of
// the issuer of certificates, in one text file, the trust file. It is a C2SP tlog-policy file with
// one more line, `issuer`:
//
//   # comment                            empty lines are allowed too
//   log <vkey> [<url>]                   an evidence log; `audit verify` prints its key
//   witness <name> <vkey> [<url>]        C2SP tlog-cosignature, Ed25519 (type 04)
//   group <name> any|all|<k> <name>…     k of these witnesses and groups
//   quorum <name>|none                   exactly one: who must have cosigned a checkpoint
//   issuer <name> <base64>               at most one: SubjectPublicKeyInfo, the line inside a PEM
//
// Names are those of the file alone. A group or quorum uses names of lines above it, each name in
// at most one group. One file is about one vault: with a second issuer in it, either could speak
// for the other.
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

struct TrustRules;

// That a witness saw a checkpoint.
struct WitnessStatement {
  std::string witness;       // its name in the trust file
  std::int64_t unix_ms = 0;  // whole seconds, by the witness's clock
};

// A checkpoint (C2SP tlog-checkpoint) and what is known about it.
struct CheckedCheckpoint {
  std::string origin;
  std::uint64_t size = 0;
  std::string root_hash;  // 64 hex digits
  std::string log_vkey;   // the key that signed it; empty when that was not checked
  std::vector<WitnessStatement> witnesses;  // whose cosignature was verified
};

// A trust file that was read. Immutable, cheap to copy, thread-safe.
class QUIETUS_EXPORT Trust {
 public:
  static constexpr std::size_t kMaxFile = std::size_t{64} * 1024;  // bytes
  static constexpr std::size_t kMaxLogs = 64;
  static constexpr std::size_t kMaxVoters = 256;  // witnesses and groups together

  // kInvalidArgument with the number of the line and what is wrong with it.
  static Result<Trust> parse(std::string_view text);

  // The checkpoint in a note that a log of the file signed. Cosignatures by witnesses of the file
  // are verified; nobody counts them. Other signatures are ignored. kUnverified: not a checkpoint;
  // of a log that is not in the file; not signed by its key; a bad signature by a key of the file.
  Result<CheckedCheckpoint> open_checkpoint(std::string_view note) const;

  // The same, and the witnesses must meet the quorum. kUnverified also when they do not; the text
  // names those that are missing.
  Result<CheckedCheckpoint> check_checkpoint(std::string_view note) const;

  // The name that the quorum line gives; "none" when no witness is needed.
  const std::string& quorum() const noexcept;

  const TrustRules& rules() const noexcept { return *rules_; }  // what the file says

 private:
  explicit Trust(std::shared_ptr<const TrustRules> rules) : rules_(std::move(rules)) {}

  std::shared_ptr<const TrustRules> rules_;
};

// Time stamps of certificates (RFC 3161, RFC 5816): a third party's signed word that a file existed
// at a time. Needs no vault and no network: requests and responses are bytes that somebody carries
// to the authority and back, with any HTTP client. A token stands beside what it stamps and changes
// no byte of it; it does not say when the bytes were made, nor that what they state is true.
//
// All functions are thread-safe. Authorities are named by CA certificates in PEM, one or several;
// intermediate ones may be among them. A chain ends at one of them that is self-signed.

// Bytes; larger input is refused unread.
inline constexpr std::size_t kMaxTimestampMessage = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxTimestampAuthorities = std::size_t{1024} * 1024;

// What a token says, once it was verified.
struct VerifiedTimestamp {
  // The authority's time (genTime), in milliseconds since 1970-01-01T00:00:00Z, rounded up.
  std::int64_t time_unix_ms = 0;
  std::int64_t accuracy_ms = 0;  // by how much that may be wrong either way; 0: not stated
  std::string policy;            // what the authority promises: an object identifier, "1.2.3.4"
  std::string serial;            // the authority's number for this token, lower-case hex
  std::string tsa;               // the name in the certificate that signed (RFC 2253), ASCII
};

// A time-stamp request (DER, application/timestamp-query) for the SHA-256 of `file`, with a random
// nonce. It asks for the authority's certificate to be part of the token.
//   kInvalidArgument  `file` is empty
QUIETUS_EXPORT Result<Bytes> request_timestamp(ByteView file);

// The token in a response (DER, application/timestamp-reply) that answers `request`, verified as
// verify_timestamp() does. It is a TimeStampToken in DER, which `openssl ts -token_in` reads too.
//   kInvalidArgument  `request` is no request, has no nonce or is for another file; no certificates
//                     in `ca_pem`
//   kUnverified       everything else; the text says what does not hold
QUIETUS_EXPORT Result<Bytes> import_timestamp(ByteView file, ByteView request, ByteView response,
                                              std::string_view ca_pem);

// Verifies a token against the file it stamps. Certificates are judged as of the time in the token,
// so that it stays valid when they expire. Whether one was revoked is not looked at.
//   kInvalidArgument  no certificates in `ca_pem`
//   kUnverified       everything else; the text says what does not hold
QUIETUS_EXPORT Result<VerifiedTimestamp> verify_timestamp(ByteView file, ByteView token,
                                                          std::string_view ca_pem);

// ---- the log as a stranger sees it: an exported folder, and the work of a witness; no vault, no
// network

// What the reader knows from elsewhere.
struct LogExpectations {
  // Without it nobody checks who signed the checkpoint, and the report says so.
  std::optional<Trust> trust;
  // A checkpoint (signed note) of the same log that the reader got earlier.
  std::optional<std::string> older_checkpoint;
};

// An exported log that was verified, up to which checkpoint, and what was looked at.
struct VerifiedLog {
  CheckedCheckpoint head;
  std::optional<CheckedCheckpoint> older;
  // One line of plain English each.
  std::vector<std::string> checked;
  std::vector<std::string> not_checked;
};

// Verifies a folder in the form of C2SP tlog-tiles v0.1.0: every entry hashes to its place in the
// tiles, the tiles to each other and to the root in `checkpoint`; that note and the older one are
// what the expectations ask for, and the log goes on from the older one. Reads one tile at a time.
//   kNotFound    there is no checkpoint: not an exported log, or an export that was not finished
//   kRolledBack  the folder holds fewer entries than the older checkpoint
//   kUnverified  everything else; the text begins with what it is where that can be told: "gap",
//                "rewritten", "fork"
QUIETUS_EXPORT Result<VerifiedLog> verify_log_folder(const std::filesystem::path& folder,
                                                     const LogExpectations& expectations);

// Makes a witness: its key in the file `key` (mode 0600), what it has seen in `<key>.state`.
// Returns the vkey (C2SP tlog-cosignature, type 04). An empty name gets a random one. Durable on
// return. kAlreadyExists; kInvalidArgument for a name that no key of a note can have.
QUIETUS_EXPORT Result<std::string> create_witness(const std::filesystem::path& key,
                                                  std::string_view name);

// The checkpoint in `request` with the witness's cosignature below it. `request` is the body of a
// C2SP tlog-witness add-checkpoint request, or a checkpoint alone, which is enough the first time
// and for one that was cosigned before. `logs` says whose checkpoints are accepted. That this was
// the newest checkpoint of the log is on the disk when it returns, and one process does this at a
// time.
//   kNotFound    no such key, or its state is gone
//   kRefused     the log has moved on and the request proves nothing, or the proof starts elsewhere
//                than at the last checkpoint that was cosigned; the text names its size
//   kRolledBack  the log is shorter than the witness saw it
//   kUnverified  not signed by one of the logs; "fork": it does not go on from what the witness saw
//   kCorrupt     key or state are damaged      kBusy
QUIETUS_EXPORT Result<std::string> cosign(const std::filesystem::path& key,
                                          std::string_view request, const Trust& logs);

}  // namespace quietus
