// What happens to the keys of scopes between their creation and their destruction: states,
// restriction, legal holds. States and transitions are those of NIST SP 800-57 Part 1
// (docs/lifecycle.md has the table).
#pragma once

#include <quietus/export.h>
#include <quietus/result.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

struct VaultCore;

struct KeyInfo {
  std::uint64_t id = 0;
  std::string line;  // "data", "lasting"
  std::uint32_t generation = 0;
  std::string state;  // "active", "deactivated", …
  std::int64_t created_unix_ms = 0;
  std::int64_t changed_unix_ms = 0;  // when it came into its state
  std::string commitment;            // 64 hex digits
};

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

struct HoldInfo {
  std::string id;  // 32 hex digits
  std::uint64_t scope_id = 0;
  std::string path;  // empty when it cannot be read
  std::int64_t placed_unix_ms = 0;
  std::int64_t until_unix_ms = 0;  // 0: until it is released
  std::string reason;              // a code
  std::string authority;
};

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
  // Lifts it.
  Result<StandingReport> resume(std::string_view path, std::string_view reason);
  // Ends writing; reads go on.
  Result<StandingReport> deactivate(std::string_view path, std::string_view reason);
  // Others may know the keys: nothing more is written under them, and reading needs a stated use,
  // until the key is replaced.
  Result<StandingReport> compromise(std::string_view path, std::string_view reason);

  // Covers the scope and what lies below it or was derived from it: no erasure that would destroy
  // any of that is made, and no record in it overwritten or removed. An erasure that was begun and
  // is not decided is given up; kErased: it was decided.
  Result<HoldInfo> place_hold(std::string_view path, std::string_view reason,
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
