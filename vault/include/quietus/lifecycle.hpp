// What happens to the keys of scopes between their creation and their destruction: states,
// restriction, legal holds. States and transitions are those of NIST SP 800-57 Part 1
// (docs/lifecycle.md has the table).
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

struct VaultCore;

// A key of a scope, of which nothing secret is told.
struct KeyInfo {
  std::uint64_t id = 0;
  std::string line;  // "data", "lasting"
  std::uint32_t generation = 0;
  std::string state;  // "active", "deactivated", …
  std::int64_t created_unix_ms = 0;
  std::int64_t changed_unix_ms = 0;  // when it came into its state
  std::string commitment;            // 64 hex digits
};

// The states of a scope and of its keys.
struct KeyReport {
  std::uint64_t scope_id = 0;
  std::string state;  // of the scope's newest keys
  std::int64_t changed_unix_ms = 0;
  std::string reason;     // a code; empty when nobody gave one
  std::string effective;  // what the states of all that it depends on come to
  bool held = false;      // a legal hold on it or on what it depends on
  std::vector<KeyInfo> keys;
};

// How far a change of what keys may be used for has got. Every operation that begins after the call
// obeys it. Processes that have not confirmed within OpenOptions::acknowledgement_timeout may still
// finish an operation that they had begun.
struct StandingReport {
  std::uint32_t acknowledged = 0;
  std::uint32_t unconfirmed = 0;
};

// What becomes of the older keys.
struct RotationOptions {
  // Destroys the older generations as soon as nothing needs them; otherwise the next sweep does
  // when no backup needs them either. Copies of the vault from before are then dead for this
  // scope's own records, which is the point of it.
  bool destroy_old = false;
  // Removes the records of the scope that do not open and would keep the older generations alive
  // for ever, once all others are re-encrypted. Logged before it is done, and listed in the report.
  // Only with destroy_old.
  bool sacrifice_unreadable = false;
  // Records moved so far, and in all.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress;
};

// What a rotation or a purge did.
struct RotationReport {
  std::uint32_t generation = 0;        // of the data line, now
  std::uint64_t records = 0;           // re-encrypted
  std::uint64_t bytes = 0;             // of content
  std::uint64_t scopes_rewrapped = 0;  // children, and what was derived
  std::uint64_t keys_destroyed = 0;    // of older generations
  std::uint64_t root_generation = 0;   // afterwards
  std::uint64_t given_up = 0;          // records that did not open and were removed
  // Of those the first 1,000, as `check` names them: PRFs of their names, in hex.
  std::vector<std::string> given_up_records;
};

// A rotation that was begun, or whose older keys are still there.
struct RotationInfo {
  std::uint64_t scope_id = 0;
  std::string path;  // empty when it cannot be read
  std::uint32_t generation = 0;
  bool moved = false;         // nothing needs the older generations any more
  bool destroys_old = false;  // they are to go at once
  std::int64_t begun_unix_ms = 0;
};

// A legal hold.
struct HoldInfo {
  std::string id;  // 32 hex digits
  std::uint64_t scope_id = 0;
  std::string path;  // empty when it cannot be read
  std::int64_t placed_unix_ms = 0;
  std::int64_t until_unix_ms = 0;  // 0: until it is released
  std::string reason;              // a code
  std::string authority;
};

// Why it is placed, and until when.
struct HoldOptions {
  // Who ordered it and under which reference, at most 4,096 bytes of UTF-8. Sealed under the
  // scope's key; appears in no log.
  std::string authority;
  // When the next sweep takes the hold away, by an accepted time. Without: when it is released.
  std::optional<std::int64_t> until_unix_ms;
};

// Of an open vault; valid as long as that is. Thread-safe. Changes are durable on return and
// logged. Reasons are codes of docs/lifecycle.md; kInvalidArgument lists them. All take scope paths
// as Vault::scope() does, with its errors; kRefused when the table of states does not allow it.
class QUIETUS_EXPORT Lifecycle {
 public:
  // The states and commitments of a scope's keys. Of a restricted scope too.
  Result<KeyReport> keys(std::string_view path);

  // Restricts processing (GDPR Art. 18): reads and writes of the scope, of what lies below it and
  // was derived from it, answer kRestricted, unless a lawful use is stated (Vault::scope). Nothing
  // is lost.
  Result<StandingReport> suspend(std::string_view path, std::string_view reason);
  // All of them or none.
  Result<StandingReport> suspend(std::span<const std::string> paths, std::string_view reason);
  // Lifts it.
  Result<StandingReport> resume(std::string_view path, std::string_view reason);
  Result<StandingReport> resume(std::span<const std::string> paths, std::string_view reason);
  // Ends writing; reads go on.
  Result<StandingReport> deactivate(std::string_view path, std::string_view reason);
  // Others may know the keys: nothing more is written under them, and reading needs a stated use,
  // until the key is replaced.
  Result<StandingReport> compromise(std::string_view path, std::string_view reason);

  // Replaces the key of a scope's data line: everything is sealed under a new generation from the
  // beginning of the call on, and what older ones sealed is re-encrypted in bounded transactions,
  // beside reads and writes of all processes. Record versions stay. Children are re-wrapped, their
  // records are not touched. A compromised scope is active again afterwards. Interrupted by a crash
  // or by `progress` (kRefused), it is taken up by the next call, by resume_rotations(), or by a
  // sweep; those two sacrifice nothing. kCorrupt: records that do not open keep the old key alive;
  // `check` names them. kInvalidArgument: options that contradict each other. kRefused
  // also when 64 older keys are there already and none is to be destroyed. kHeld when it is to
  // destroy and a hold covers the scope. kErasureIncomplete as erase().
  Result<RotationReport> rotate(std::string_view path, std::string_view reason,
                                const RotationOptions& options = {});
  // As rotate() with destroy_old, for making removed records, and old versions of replaced ones,
  // unrecoverable in every copy of the vault.
  Result<RotationReport> purge(std::string_view path, std::string_view reason,
                               RotationOptions options = {});
  // What was begun and is not at its end.
  Result<std::vector<RotationInfo>> rotations();
  // Brings everything that rotate() and purge() began to its end; how many. The first failure, when
  // all were tried.
  Result<std::uint64_t> resume_rotations();

  // Removes rows of erased scopes from the record store in bounded transactions, so that their room
  // is used again, and begins none once so many bytes are removed; the bytes removed. 0: nothing
  // was left.
  Result<std::uint64_t> reclaim(std::uint64_t max_bytes = ~std::uint64_t{0});

  // Covers the scope and what lies below it or was derived from it: no erasure that would destroy
  // any of that is made, and no record in it overwritten or removed. An erasure that was begun and
  // is not decided is given up; kErased: it was decided.
  Result<HoldInfo> place_hold(std::string_view path, std::string_view reason,
                              const HoldOptions& options = {});
  // One on each of them, or none.
  Result<std::vector<HoldInfo>> place_hold(std::span<const std::string> paths,
                                           std::string_view reason,
                                           const HoldOptions& options = {});
  // kNotFound.
  Result<void> release_hold(std::string_view id);
  // All of them, or those on the scope and on what it depends on.
  Result<std::vector<HoldInfo>> holds(std::string_view path = {});

  explicit Lifecycle(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
