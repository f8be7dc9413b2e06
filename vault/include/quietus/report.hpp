// What the vault says about itself: plain data, no handles.
#pragma once

#include <quietus/certificate.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace quietus {

// What the scope answers: the states of all that it depends on count.
enum class ScopeState { kActive, kErased, kPreActivation, kSuspended, kDeactivated, kCompromised };
QUIETUS_EXPORT std::string_view name_of(ScopeState state) noexcept;  // "active", "erased", …

struct ScopeInfo {
  std::string path;  // "acme/customer-data/user-7"
  std::string name;  // last element; empty when erased (the name went with the key)
  std::string data_class;
  std::uint64_t id = 0;
  ScopeState state = ScopeState::kActive;
  std::int64_t created_unix_ms = 0;
  std::int64_t erased_unix_ms = 0;          // 0 unless erased
  std::vector<std::uint64_t> derived_from;  // ids of source scopes
};

// What an erasure would do. Scopes erased along with a target, because they lie below it or were
// derived from it, are in `also`.
struct ErasePlan {
  std::vector<ScopeInfo> targets;
  std::vector<ScopeInfo> also;  // the first 1,000
  std::uint64_t also_count = 0;
  std::uint64_t keys_destroyed = 0;
  std::uint64_t keys_below = 0;       // of them, of scopes in `also`
  std::uint64_t records = 0;          // that become unreadable
  std::uint64_t bytes = 0;            // of ciphertext
  bool counted = false;               // false: the record store is not readable, and both are zero
  std::uint64_t root_generation = 0;  // before
};

struct ErasureReport {
  std::string erasure_id;      // 32 hex digits
  std::string certificate_id;  // 32 hex digits
  std::string certificate;     // the signed document, as `cert show` prints it
  std::uint64_t root_generation_before = 0;
  std::uint64_t root_generation_after = 0;
  std::uint32_t holders_acknowledged = 0;  // processes that dropped the keys
  std::uint32_t holders_ended = 0;
  // Of destroy() only: why the certificate's file could not be written; `certificate` is then the
  // only copy. Empty when all is well.
  std::string certificate_problem;
  // What opens the certificate's subject commitments; of erase() only. The paths, and a tenant's
  // salt, are kept nowhere else: hand this over with the certificate.
  std::vector<SubjectOpening> subjects;
};

struct PendingErasure {
  std::string erasure_id;
  std::string step;  // "begun", "keys-unreachable", "slot-destroyed"
  std::int64_t begun_unix_ms = 0;
};

struct VaultStatus {
  std::string vault_id;  // 32 hex digits
  std::uint32_t format_version = 0;
  std::string root_provider;  // "file"
  std::string root_location;
  std::string assurance;
  std::uint64_t root_generation = 0;
  std::uint64_t tenants = 0;
  std::uint64_t log_size = 0;
  std::uint64_t certificates = 0;
  std::uint32_t processes = 0;  // with this vault open, this one included
  bool read_only = false;
  bool key_memory_locked = false;
  std::vector<PendingErasure> pending;
};

struct Finding {
  enum class Level { kOk, kNote, kWarning, kProblem };
  Level level = Level::kOk;
  std::string subject;  // "root slots", "swap", "clock", …
  std::string text;     // what was seen, and what to do about it
};

struct Damage {
  std::string where;  // "record store, scope 1f…, row 9c…"
  std::string what;
};

struct CheckReport {
  std::uint64_t scopes = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // plaintext authenticated
  std::uint64_t log_entries = 0;
  std::uint64_t erased_records = 0;  // rows of erased scopes: unreadable, as they should be
  std::uint64_t orphaned_rows =
      0;  // left by interrupted writes; harmless, removed by the next open
  std::vector<Damage> damages;
};

struct CertificateInfo {
  std::string id;
  std::string erasure_id;
  std::int64_t issued_unix_ms = 0;
  std::string status;  // "complete", "partial", "pending-snapshots"
};

struct LogHead {
  std::string origin;
  std::uint64_t size = 0;
  std::string root_hash;  // 64 hex digits
};

}  // namespace quietus
