// What the evidence log says, one line of JSON an entry: ASCII, members in a fixed order, no names
// and no free text (a log cannot forget). Ids and hashes are lower-case hex, numbers unsigned
// integers, times RFC 3339 in UTC, everything else a Code.
//
//   {"entry":"<32 hex, random>","kind":"key-created","time":"2026-03-01T12:30:05Z", …}
//
// The random id makes an entry's hash say nothing about its content to those who see only hashes.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/derive.hpp"
#include "crypto/hash.hpp"
#include "evidence/code.hpp"

namespace quietus {

using EntryId = std::array<std::uint8_t, 16>;        // random
using ErasureId = std::array<std::uint8_t, 16>;      // random
using CertificateId = std::array<std::uint8_t, 16>;  // random
using HoldId = std::array<std::uint8_t, 16>;         // random
using BackupId = std::array<std::uint8_t, 16>;       // random

enum class KeyLine { kData, kLasting };
std::string_view name_of(KeyLine line) noexcept;  // "data", "lasting"

// What every entry begins with.
struct EntryHead {
  EntryId id{};
  UnixMillis time = 0;
};
EntryHead new_entry(UnixMillis now);  // with a random id

struct VaultCreated {
  VaultId vault{};
};
struct KeyCreated {
  ScopeId scope = 0;
  KeyId key = 0;
  KeyLine line = KeyLine::kData;
  std::uint64_t generation = 0;
  KeyCommitment commitment{};
};
// Written with the commit after which no key opens the listed ones; their root slot still exists.
struct KeysUnreachable {
  ErasureId erasure{};
  std::uint64_t generation_before = 0;  // of the root
  std::uint64_t generation_after = 0;
  std::vector<KeyId> keys;
};
// The same for an erasure of any number of scopes: in place of the keys, the root of a Merkle tree
// over a statement of each scope (see certificate.hpp).
struct BatchUnreachable {
  ErasureId erasure{};
  std::uint64_t generation_before = 0;  // of the root
  std::uint64_t generation_after = 0;
  std::uint64_t scopes = 0;
  Sha256 statements{};
};
struct SlotDestroyed {
  ErasureId erasure{};
  std::vector<SlotId> slots;
  Code method = "none";
  std::uint64_t acknowledged = 0;  // processes that dropped the keys
  std::uint64_t ended = 0;         // processes that were gone
};
struct ErasureAborted {
  ErasureId erasure{};
  Code reason = "none";
};
struct UnlockChanged {
  std::uint64_t generation_before = 0;
  std::uint64_t generation_after = 0;
};
struct CertificateIssued {
  CertificateId certificate{};
  Sha256 payload{};  // SHA-256 of the signed payload
};
struct AnchorRewritten {
  std::uint64_t generation = 0;
};
struct ExportMade {
  ScopeId scope = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// A change of state that destroys nothing.
struct StateChanged {
  ScopeId scope = 0;
  Code from = "none";
  Code to = "none";
  Code reason = "none";
};
// A restricted scope was opened for one of the uses that the law allows.
struct RestrictedUseMade {
  ScopeId scope = 0;
  Code use = "none";
};
struct HoldPlaced {
  ScopeId scope = 0;
  HoldId hold{};
  Code reason = "none";
};
struct HoldReleased {
  ScopeId scope = 0;
  HoldId hold{};
};
// A new generation of a scope's data line; its rows are re-encrypted from then on.
struct RotationBegun {
  ScopeId scope = 0;
  std::uint64_t generation = 0;
  Code reason = "none";
};
// No row of the scope needs an older generation any more.
struct RotationDone {
  ScopeId scope = 0;
  std::uint64_t generation = 0;
};
// Records that did not open were removed, so that an older generation can be destroyed.
struct RecordsGivenUp {
  ScopeId scope = 0;
  std::uint64_t generation = 0;  // the newest one
  std::uint64_t records = 0;
  Code reason = "none";
};
struct PolicyApplied {
  std::uint64_t version = 0;
  UnixMillis effective = 0;
  Sha256 text{};  // SHA-256 of the policy's file
};
// A decision about when a scope ends, or that it was taken back (keys/schedule.hpp).
struct ScheduleChanged {
  ScopeId scope = 0;
  Code change = "none";
  UnixMillis when = 0;
  Code reason = "none";
};
// Somebody vouched for the clock after it had stopped what destroys.
struct ClockAccepted {
  UnixMillis before = 0;  // the latest time that was accepted until then
};
// A data backup is about to be made. Written before what it copies is read.
struct BackupBegun {
  BackupId backup{};
  UnixMillis expires = 0;
  BackupId base{};  // it holds the changes since that one; zeros: complete
};
struct BackupMade {
  BackupId backup{};
  std::uint64_t records = 0;
  Sha256 manifest{};  // SHA-256 of its signed manifest
};
// It came to nothing, and what was written of it was not kept.
struct BackupDropped {
  BackupId backup{};
};
// Another instance of the vault was made, with the keys that there were when the log had so many
// entries.
struct CopyMade {
  InstanceId instance{};
  std::uint64_t log_size = 0;
};
// That instance came to nothing: its root slot was destroyed before anybody could use it.
struct CopyDropped {
  InstanceId instance{};
};
// What became of the records of a backup, in a new instance.
struct RecordsRestored {
  BackupId backup{};
  std::uint64_t restored = 0;
  std::uint64_t erased = 0;
  std::uint64_t purged = 0;
  std::uint64_t missing = 0;  // no key of theirs was known
  std::uint64_t damaged = 0;
};
// This vault goes on as an instance of its own from here, restored from a backup of another one.
struct InstanceBegun {
  InstanceId instance{};
  std::uint64_t origin_size = 0;  // of the other one's log, with its root
  Sha256 origin_root{};
  BackupId backup{};
};
// A key snapshot is being made: what it holds opens at the recovery site until the epoch expires.
struct SnapshotBegun {
  BackupId snapshot{};
  RingId ring{};
  EpochId epoch{};
  UnixMillis expires = 0;
};
// It came to nothing, before anything of it could be opened.
struct SnapshotDropped {
  BackupId snapshot{};
};
// Snapshots are sealed to the epochs of this ring file from now on.
struct RingImported {
  VaultId site{};
  RingId ring{};
  UnixMillis issued = 0;
  std::uint64_t epochs = 0;
};
// The site attests that the keys of these epochs, to which snapshots were sealed, are gone.
struct ReceiptImported {
  RingId ring{};
  UnixMillis issued = 0;
  std::uint64_t epochs = 0;     // of those that snapshots were sealed to, for the first time
  std::uint64_t snapshots = 0;  // that open no more
};
// Another instance certified that it destroyed what it had of so many scopes.
struct InstanceReceiptImported {
  InstanceId instance{};
  std::array<std::uint8_t, 16> certificate{};
  std::uint64_t scopes = 0;
};
// At a restore: how far erasures were replayed before anything could be read.
struct LogAccepted {
  std::uint64_t snapshot_size = 0;  // of the log that the keys came with
  std::uint64_t size = 0;           // of the log that was replayed; the same when there was none
  Sha256 root{};                    // at that size
  std::uint64_t destroyed = 0;      // keys that the replay destroyed
  UnixMillis as_of = 0;             // accepted in so many words; 0: a newer log was given
};

// At the recovery site: an instance of that vault was made with a key that the epoch opened.
struct VaultRecovered {
  VaultId vault{};
  InstanceId instance{};
  EpochId epoch{};
};
// Another instance goes on in this one's place, as the recovery site says: no more writes here.
struct TakenOver {
  InstanceId instance{};
  std::uint64_t log_size = 0;  // that the other one's log has from this one
};
// A backup was restored on trial, under a root key in memory.
struct DrillDone {
  BackupId backup{};
  std::uint64_t restored = 0;
  std::uint64_t compared = 0;  // with what the vault has
  std::uint64_t erased = 0;    // scopes that were tried, in vain
  bool passed = false;
  Sha256 report{};  // of the signed report's payload
};

// An attempt that a guard stopped.
struct AttemptRefused {
  ScopeId scope = 0;
  Code attempt = "none";
  Code reason = "none";
};

// The kinds as they are written.
namespace entry_kinds {
inline constexpr std::string_view kVaultCreated = "vault-created";
inline constexpr std::string_view kKeyCreated = "key-created";
inline constexpr std::string_view kKeysUnreachable = "keys-unreachable";
inline constexpr std::string_view kBatchUnreachable = "batch-unreachable";
inline constexpr std::string_view kSlotDestroyed = "slot-destroyed";
inline constexpr std::string_view kErasureAborted = "erasure-aborted";
inline constexpr std::string_view kUnlockChanged = "unlock-changed";
inline constexpr std::string_view kCertificateIssued = "certificate-issued";
inline constexpr std::string_view kAnchorRewritten = "anchor-rewritten";
inline constexpr std::string_view kExportMade = "export-made";
inline constexpr std::string_view kStateChanged = "state-changed";
inline constexpr std::string_view kRestrictedUseMade = "restricted-use";
inline constexpr std::string_view kHoldPlaced = "hold-placed";
inline constexpr std::string_view kHoldReleased = "hold-released";
inline constexpr std::string_view kRotationBegun = "rotation-begun";
inline constexpr std::string_view kRotationDone = "rotation-done";
inline constexpr std::string_view kRecordsGivenUp = "records-given-up";
inline constexpr std::string_view kPolicyApplied = "policy-applied";
inline constexpr std::string_view kScheduleChanged = "schedule-changed";
inline constexpr std::string_view kClockAccepted = "clock-accepted";
inline constexpr std::string_view kBackupBegun = "backup-begun";
inline constexpr std::string_view kBackupMade = "backup-made";
inline constexpr std::string_view kBackupDropped = "backup-dropped";
inline constexpr std::string_view kCopyMade = "copy-made";
inline constexpr std::string_view kCopyDropped = "copy-dropped";
inline constexpr std::string_view kRecordsRestored = "records-restored";
inline constexpr std::string_view kInstanceBegun = "instance-begun";
inline constexpr std::string_view kSnapshotBegun = "snapshot-begun";
inline constexpr std::string_view kSnapshotDropped = "snapshot-dropped";
inline constexpr std::string_view kRingImported = "ring-imported";
inline constexpr std::string_view kReceiptImported = "receipt-imported";
inline constexpr std::string_view kInstanceReceiptImported = "instance-receipt-imported";
inline constexpr std::string_view kLogAccepted = "log-accepted";
inline constexpr std::string_view kVaultRecovered = "vault-recovered";
inline constexpr std::string_view kTakenOver = "taken-over";
inline constexpr std::string_view kDrillDone = "drill-done";
inline constexpr std::string_view kAttemptRefused = "attempt-refused";
}  // namespace entry_kinds

// The text of an entry; one content has one text.
std::string entry_text(const EntryHead& head, const VaultCreated& entry);
std::string entry_text(const EntryHead& head, const KeyCreated& entry);
std::string entry_text(const EntryHead& head, const KeysUnreachable& entry);
std::string entry_text(const EntryHead& head, const BatchUnreachable& entry);
std::string entry_text(const EntryHead& head, const SlotDestroyed& entry);
std::string entry_text(const EntryHead& head, const ErasureAborted& entry);
std::string entry_text(const EntryHead& head, const UnlockChanged& entry);
std::string entry_text(const EntryHead& head, const CertificateIssued& entry);
std::string entry_text(const EntryHead& head, const AnchorRewritten& entry);
std::string entry_text(const EntryHead& head, const ExportMade& entry);
std::string entry_text(const EntryHead& head, const StateChanged& entry);
std::string entry_text(const EntryHead& head, const RestrictedUseMade& entry);
std::string entry_text(const EntryHead& head, const HoldPlaced& entry);
std::string entry_text(const EntryHead& head, const HoldReleased& entry);
std::string entry_text(const EntryHead& head, const RotationBegun& entry);
std::string entry_text(const EntryHead& head, const RotationDone& entry);
std::string entry_text(const EntryHead& head, const RecordsGivenUp& entry);
std::string entry_text(const EntryHead& head, const PolicyApplied& entry);
std::string entry_text(const EntryHead& head, const ScheduleChanged& entry);
std::string entry_text(const EntryHead& head, const ClockAccepted& entry);
std::string entry_text(const EntryHead& head, const BackupBegun& entry);
std::string entry_text(const EntryHead& head, const BackupMade& entry);
std::string entry_text(const EntryHead& head, const BackupDropped& entry);
std::string entry_text(const EntryHead& head, const CopyMade& entry);
std::string entry_text(const EntryHead& head, const CopyDropped& entry);
std::string entry_text(const EntryHead& head, const RecordsRestored& entry);
std::string entry_text(const EntryHead& head, const InstanceBegun& entry);
std::string entry_text(const EntryHead& head, const SnapshotBegun& entry);
std::string entry_text(const EntryHead& head, const SnapshotDropped& entry);
std::string entry_text(const EntryHead& head, const RingImported& entry);
std::string entry_text(const EntryHead& head, const ReceiptImported& entry);
std::string entry_text(const EntryHead& head, const InstanceReceiptImported& entry);
std::string entry_text(const EntryHead& head, const LogAccepted& entry);
std::string entry_text(const EntryHead& head, const VaultRecovered& entry);
std::string entry_text(const EntryHead& head, const TakenOver& entry);
std::string entry_text(const EntryHead& head, const DrillDone& entry);
std::string entry_text(const EntryHead& head, const AttemptRefused& entry);

// An entry read back.
class LogEntry {
 public:
  // Refuses duplicate members, another beginning than id, kind and time, values that are neither
  // text, number nor list of texts, and every text that entry_text() would not have written so. A
  // kind that is not known is read too. kUnverified.
  static Result<LogEntry> parse(ByteView text);

  const EntryHead& head() const noexcept { return head_; }
  const std::string& kind() const noexcept { return kind_; }

  // A member of that name and kind; nullptr when there is none.
  const std::string* text(std::string_view name) const;
  const std::uint64_t* number(std::string_view name) const;
  const std::vector<std::string>* list(std::string_view name) const;

 private:
  using Value = std::variant<std::string, std::uint64_t, std::vector<std::string>>;
  LogEntry() = default;
  template <class T>
  const T* find(std::string_view name) const;

  EntryHead head_;
  std::string kind_;
  std::map<std::string, Value, std::less<>> members_;
};

}  // namespace quietus
