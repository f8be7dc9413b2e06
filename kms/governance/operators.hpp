// Who may do what to a governed vault. An operator is a person with a name, SSH keys and roles;
// least privilege is a table of roles and duties (docs/roles.md). A vault without operators is one
// person's: everybody who can unlock it may do everything.
//
//   "y"                GovernanceRow: version u8 (1) || since u64 || reviewed u64 || breaking u64
//                      || SHA-256 32 || log index u64
//   "g" operator id    Operator: version u8 (1) || name text || roles u8 || from u64 || until u64
//                      || added u64 || changed u64 || removed u64 || u16 keys of { wire field ||
//                      added u64 }
//   "x" operator id    when they were used: version u8 (1) || person u64 || u16 keys of { SHA-256
//                      of the wire 32 || u64 }
//
// All are sealed under the vault's row key; times are Unix milliseconds, 0: never. The root row has
// a hash over "g" (keys/rights.hpp), which is written with them.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "crypto/hash.hpp"
#include "crypto/ssh_key.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

using OperatorId = std::array<std::uint8_t, 16>;  // random

// Numbers reach the disk.
enum class Role : std::uint8_t {
  kAdmin = 1,     // operators, rules, policy
  kOperator = 2,  // the daily work, and what was approved
  kApprover = 4,
  kVerifier = 8,  // who asked is who they say
  kAuditor = 16,  // sees everything but records
};
inline constexpr std::array kRoles{Role::kAdmin, Role::kOperator, Role::kApprover, Role::kVerifier,
                                   Role::kAuditor};
using Roles = std::uint8_t;  // any of them
std::string_view name_of(Role role) noexcept;
std::optional<Role> parse_role(std::string_view name) noexcept;
std::string roles_text(Roles roles);  // "admin, auditor"

enum class Duty {
  kLook,     // status, lists, log, certificates, plans
  kRecords,  // read and write records; open and close tokens
  kScopes,   // make tenants and scopes, states of keys, plain rotation
  kKeep,     // backups, snapshots, restores, the recovery site, maintenance
  kHold,     // place legal holds
  kAsk,      // open requests, and cancel them
  kVerify,
  kApprove,
  kExecute,  // what was approved, and what the policy says
  kChange,   // propose changes of operators, rules and policy; the unlock secret
  kReview,   // sign access reviews
};
inline constexpr std::array kDuties{Duty::kLook,    Duty::kRecords, Duty::kScopes, Duty::kKeep,
                                    Duty::kHold,    Duty::kAsk,     Duty::kVerify, Duty::kApprove,
                                    Duty::kExecute, Duty::kChange,  Duty::kReview};
std::string_view name_of(Duty duty) noexcept;  // "look", "records", …

// The table.
bool may(Roles roles, Duty duty) noexcept;

// ASCII letters, digits and . _ - @ +, the first of them a letter or digit: a name stands on texts
// that people sign, and in files that ssh-keygen reads, so nothing in it can pass for something
// else.
inline constexpr std::size_t kMaxOperatorName = 64;  // bytes
inline constexpr std::size_t kMaxOperatorKeys = 8;
inline constexpr std::ptrdiff_t kMaxOperators = 1000;

struct OperatorKey {
  SshPublicKey key;
  UnixMillis added = 0;
  UnixMillis used = 0;
};

struct Operator {
  OperatorId id{};
  std::string name;
  Roles roles = 0;
  UnixMillis from = 0;   // may act from then on
  UnixMillis until = 0;  // and before that; 0: for ever
  UnixMillis added = 0;
  UnixMillis changed = 0;  // roles, dates or keys
  UnixMillis used = 0;     // acted, verified or approved last
  UnixMillis removed = 0;  // not 0: may do nothing; kept for the log's sake
  std::vector<OperatorKey> keys;

  bool valid_at(UnixMillis now) const noexcept {
    return removed == 0 && from <= now && (until == 0 || now < until);
  }
  const OperatorKey* key(const SshPublicKey& wanted) const noexcept;
};

struct GovernanceRow {
  UnixMillis since = 0;
  UnixMillis reviewed = 0;  // the last access review that was signed
  UnixMillis breaking = 0;  // when the glass was broken: another admin is to come; 0: it is whole
  Sha256 breaking_for{};    // and who
  std::uint64_t breaking_log = 0;  // how many entries the log had then
};

// kInvalidArgument: no name, no role, no key, a key twice, until before from.
Result<void> check_operator(const Operator& person);

// The keys of a .pub file, of lines of authorized_keys without options, or of an allowed_signers
// file without options. kInvalidArgument names the line; then none of the file is taken.
Result<std::vector<SshPublicKey>> parse_operator_keys(std::string_view text);

namespace rows {

// None: the vault is not governed.
Result<std::optional<GovernanceRow>> governance(ControlReader& reader, const RowSeal& seal);
Result<void> put_governance(ControlWriter& writer, const RowSeal& seal, const GovernanceRow& row);

// By name and id; removed ones too. One whose row is damaged is left out; then nobody may do
// anything (check_rights()).
Result<std::vector<Operator>> operators(ControlReader& reader, const RowSeal& seal);
// seal_rights() has to follow in the same transaction.
Result<void> put_operator(ControlWriter& writer, const RowSeal& seal, const Operator& person);
// Everybody may do nothing from now on; rows that cannot be read go.
Result<void> end_operators(ControlWriter& writer, const RowSeal& seal, UnixMillis now);
// When they were used, and nothing else of them.
Result<void> put_use(ControlWriter& writer, const RowSeal& seal, const Operator& person);

}  // namespace rows
}  // namespace quietus
