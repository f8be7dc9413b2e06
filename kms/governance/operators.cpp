#include "governance/operators.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/byte_reader.hpp"
#include "base/text_encoding.hpp"
#include "evidence/ssh_signature.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kOperatorVersion = 1;
constexpr char kOperatorTable = 'g';
constexpr char kGovernanceTable = 'y';
constexpr char kUseTable = 'x';
constexpr Roles kAllRoles = 31;

constexpr Roles bit(Role role) {
  return static_cast<Roles>(role);
}

struct RoleRow {
  Role role;
  std::string_view name;
};
constexpr std::array kRoleNames{
    RoleRow{Role::kAdmin, "admin"},       RoleRow{Role::kOperator, "operator"},
    RoleRow{Role::kApprover, "approver"}, RoleRow{Role::kVerifier, "verifier"},
    RoleRow{Role::kAuditor, "auditor"},
};

struct DutyRow {
  Duty duty;
  std::string_view name;
  Roles roles;  // that may
};
constexpr std::array kDutyRows{
    DutyRow{Duty::kLook, "look", kAllRoles},
    DutyRow{Duty::kRecords, "records", bit(Role::kOperator)},
    DutyRow{Duty::kScopes, "scopes", bit(Role::kOperator)},
    DutyRow{Duty::kKeep, "keep", bit(Role::kOperator)},
    DutyRow{Duty::kHold, "hold", bit(Role::kAdmin) | bit(Role::kOperator) | bit(Role::kVerifier)},
    DutyRow{Duty::kAsk, "ask", bit(Role::kAdmin) | bit(Role::kOperator) | bit(Role::kVerifier)},
    DutyRow{Duty::kVerify, "verify", bit(Role::kVerifier)},
    DutyRow{Duty::kApprove, "approve",
            bit(Role::kAdmin) | bit(Role::kApprover) | bit(Role::kVerifier)},
    DutyRow{Duty::kExecute, "execute", bit(Role::kAdmin) | bit(Role::kOperator)},
    DutyRow{Duty::kChange, "change", bit(Role::kAdmin)},
    DutyRow{Duty::kReview, "review", bit(Role::kAdmin) | bit(Role::kAuditor)},
};

Error refused(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "operator: " + what};
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_name(std::string_view text) {
  constexpr std::string_view kMarks = "._-@+";
  return !text.empty() && text.size() <= kMaxOperatorName && is_alphanumeric(text.front()) &&
         std::ranges::all_of(text, [&](char c) {
           return is_alphanumeric(c) || kMarks.find(c) != std::string_view::npos;
         });
}

bool is_key_type(std::string_view word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
}

// A line of allowed_signers has who it is for in front: all of them one person's.
Result<SshPublicKey> key_on(std::string_view line, std::optional<std::string>& principal) {
  const std::size_t first = line.find(' ');
  if (first != std::string_view::npos && !is_key_type(line.substr(0, first))) {
    const std::string_view whose = line.substr(0, first);
    if (principal.value_or(std::string(whose)) != whose)
      return Error(ErrorCode::kInvalidArgument,
                   "that is the key of another person than the line before: give each a file");
    principal = whose;
    line.remove_prefix(first + 1);
    if (!is_key_type(line.substr(0, line.find(' '))))
      return Error(ErrorCode::kInvalidArgument,
                   "options are not taken; say from and until when a key is good here");
  }
  QUIETUS_TRY_AS(SshKeyLine parsed, parse_ssh_key_line(line));
  return std::move(parsed.key);
}

std::optional<Operator> decode_operator(ByteView content) {
  ByteReader in(content);
  Operator row;
  const auto time = [&] { return static_cast<UnixMillis>(in.u64()); };
  const std::uint8_t version = in.u8();
  row.name = in.text(kMaxOperatorName);
  row.roles = in.u8();
  row.from = time();
  row.until = time();
  row.added = time();
  row.changed = time();
  row.removed = time();
  const std::uint16_t keys = in.u16();
  for (std::uint16_t i = 0; i < keys && !in.failed(); ++i) {
    const auto key = parse_ssh_key(in.field(kMaxSshKey));
    if (!key) return std::nullopt;
    OperatorKey one{*key, 0, 0};
    one.added = time();
    row.keys.push_back(std::move(one));
  }
  return in.done() && version == kOperatorVersion ? std::optional(std::move(row)) : std::nullopt;
}

struct Uses {
  UnixMillis person = 0;
  std::map<Sha256, UnixMillis> keys;
};
std::optional<Uses> decode_uses(ByteView content) {
  ByteReader in(content);
  Uses row;
  const std::uint8_t version = in.u8();
  row.person = static_cast<UnixMillis>(in.u64());
  const std::uint16_t keys = in.u16();
  for (std::uint16_t i = 0; i < keys && !in.failed(); ++i) {
    const auto key = in.array<sizeof(Sha256)>();
    row.keys[key] = static_cast<UnixMillis>(in.u64());
  }
  return in.done() && version == kOperatorVersion ? std::optional(std::move(row)) : std::nullopt;
}

// What is damaged was never used, as far as is known.
Result<void> add_uses(ControlReader& reader, const RowSeal& seal, Operator& person) {
  const auto uses = rows::get_row(reader, seal, rows::row_key(kUseTable, person.id), decode_uses);
  if (!uses && uses.error().code() != ErrorCode::kCorrupt) return uses.error();
  if (!uses || !*uses) return {};
  person.used = (*uses)->person;
  for (OperatorKey& key : person.keys)
    if (const auto found = (*uses)->keys.find(sha256(key.key.wire)); found != (*uses)->keys.end())
      key.used = found->second;
  return {};
}

std::optional<GovernanceRow> decode_governance(ByteView content) {
  ByteReader in(content);
  GovernanceRow row;
  const std::uint8_t version = in.u8();
  row.since = static_cast<UnixMillis>(in.u64());
  row.reviewed = static_cast<UnixMillis>(in.u64());
  row.breaking = static_cast<UnixMillis>(in.u64());
  row.breaking_for = in.array<sizeof(Sha256)>();
  row.breaking_log = in.u64();
  return in.done() && version == kOperatorVersion ? std::optional(row) : std::nullopt;
}

}  // namespace

std::string_view name_of(Role role) noexcept {
  return std::ranges::find(kRoleNames, role, &RoleRow::role)->name;
}

std::optional<Role> parse_role(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kRoleNames, name, &RoleRow::name);
  return found == kRoleNames.end() ? std::nullopt : std::optional(found->role);
}

std::string roles_text(Roles roles) {
  std::string text;
  for (const RoleRow& row : kRoleNames)
    if ((roles & bit(row.role)) != 0) text.append(text.empty() ? "" : ", ").append(row.name);
  return text;
}

std::string_view name_of(Duty duty) noexcept {
  return std::ranges::find(kDutyRows, duty, &DutyRow::duty)->name;
}

bool may(Roles roles, Duty duty) noexcept {
  return (std::ranges::find(kDutyRows, duty, &DutyRow::duty)->roles & roles) != 0;
}

const OperatorKey* Operator::key(const SshPublicKey& wanted) const noexcept {
  const auto found =
      std::ranges::find_if(keys, [&](const OperatorKey& own) { return own.key == wanted; });
  return found == keys.end() ? nullptr : &*found;
}

Result<void> check_operator(const Operator& person) {
  if (!is_name(person.name))
    return refused("a name has 1 to 64 letters, digits and . _ - @ +, a letter or digit first");
  if (person.roles == 0 || (person.roles & ~kAllRoles) != 0)
    return refused("roles are admin, operator, approver, verifier, auditor");
  if (person.keys.empty() || person.keys.size() > kMaxOperatorKeys)
    return refused("1 to 8 SSH public keys are needed");
  std::set<Bytes> wires;
  for (const OperatorKey& key : person.keys)
    if (!wires.insert(key.key.wire).second) return refused("a key is there twice");
  if (person.until != 0 && person.until <= person.from)
    return refused("it would end before it begins");
  return {};
}

Result<std::vector<SshPublicKey>> parse_operator_keys(std::string_view text) {
  std::vector<SshPublicKey> keys;
  std::optional<std::string> principal;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    QUIETUS_TRY_AS(SshPublicKey key,
                   key_on(line, principal).within("line " + std::to_string(number)));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return refused("no SSH public key in that file");
  return keys;
}

namespace rows {

Result<std::optional<GovernanceRow>> governance(ControlReader& reader, const RowSeal& seal) {
  return get_row(reader, seal, Bytes{static_cast<std::uint8_t>(kGovernanceTable)},
                 decode_governance);
}

Result<void> put_governance(ControlWriter& writer, const RowSeal& seal, const GovernanceRow& row) {
  ByteWriter content;
  content.u8(kOperatorVersion)
      .u64(static_cast<std::uint64_t>(row.since))
      .u64(static_cast<std::uint64_t>(row.reviewed))
      .u64(static_cast<std::uint64_t>(row.breaking))
      .raw(row.breaking_for)
      .u64(row.breaking_log);
  return put_sealed(writer, seal, Bytes{static_cast<std::uint8_t>(kGovernanceTable)},
                    content.take());
}

Result<std::vector<Operator>> operators(ControlReader& reader, const RowSeal& seal) {
  std::vector<Operator> people;
  const Bytes table{static_cast<std::uint8_t>(kOperatorTable)};
  QUIETUS_TRY(reader.scan(table, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? decode_operator(*content) : std::nullopt;
    if (!row || key.size() != 1 + sizeof(OperatorId)) return true;
    row->id = ByteReader(key.subspan(1)).array<sizeof(OperatorId)>();
    QUIETUS_TRY(add_uses(reader, seal, *row));
    people.push_back(*std::move(row));
    return true;
  }));
  std::ranges::sort(people, {}, [](const Operator& one) { return std::tie(one.name, one.id); });
  return people;
}

Result<void> put_operator(ControlWriter& writer, const RowSeal& seal, const Operator& person) {
  ByteWriter content;
  content.u8(kOperatorVersion).text(person.name).u8(person.roles);
  for (const UnixMillis time :
       {person.from, person.until, person.added, person.changed, person.removed})
    content.u64(static_cast<std::uint64_t>(time));
  content.u16(static_cast<std::uint16_t>(person.keys.size()));
  for (const OperatorKey& key : person.keys)
    content.field(key.key.wire).u64(static_cast<std::uint64_t>(key.added));
  return put_sealed(writer, seal, row_key(kOperatorTable, person.id), content.take());
}

Result<void> end_operators(ControlWriter& writer, const RowSeal& seal, UnixMillis now) {
  std::vector<Bytes> unreadable;
  const Bytes table{static_cast<std::uint8_t>(kOperatorTable)};
  QUIETUS_TRY(writer.scan(table, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    if (!content || !decode_operator(*content) || key.size() != 1 + sizeof(OperatorId))
      unreadable.emplace_back(key.begin(), key.end());
    return true;
  }));
  for (const Bytes& key : unreadable) QUIETUS_TRY(writer.remove(key));
  QUIETUS_TRY_AS(const auto people, operators(writer, seal));
  for (Operator person : people) {
    if (person.removed != 0) continue;
    person.removed = now;
    QUIETUS_TRY(put_operator(writer, seal, person));
  }
  return {};
}

Result<void> put_use(ControlWriter& writer, const RowSeal& seal, const Operator& person) {
  ByteWriter content;
  content.u8(kOperatorVersion).u64(static_cast<std::uint64_t>(person.used));
  content.u16(static_cast<std::uint16_t>(person.keys.size()));
  for (const OperatorKey& key : person.keys)
    content.raw(sha256(key.key.wire)).u64(static_cast<std::uint64_t>(key.used));
  return put_sealed(writer, seal, row_key(kUseTable, person.id), content.take());
}

}  // namespace rows
}  // namespace quietus
