// What a request may change of the vault's own rules, and how requests end.
#include <algorithm>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"
#include "governance/policy_rows.hpp"
#include "keys/holds.hpp"
#include "keys/rights.hpp"
#include "keys/scope_state.hpp"
#include "request_change.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

constexpr std::string_view kOperatorWord = "operator ";
constexpr std::string_view kRemoveWord = "remove ";
constexpr std::string_view kReleaseWord = "release-hold ";
constexpr std::string_view kPolicyWord = "policy\n";

// "operator Ada\nroles …\nfrom …\nuntil …\nkey …\n".
std::string operator_text(const Operator& person) {
  std::string text(kOperatorWord);
  text.append(person.name).append("\nroles ").append(roles_text(person.roles));
  text.append("\nfrom ").append(format_utc(person.from));
  text.append("\nuntil ").append(person.until == 0 ? "for-ever" : format_utc(person.until));
  text.append("\n");
  for (const OperatorKey& key : person.keys)
    text.append("key ").append(ssh_key_text(key.key)).append("\n");
  return text;
}

Error unreadable() {
  return {ErrorCode::kCorrupt, "control store: a change that cannot be read"};
}

Result<Operator> operator_in(std::string_view text, UnixMillis now) {
  LineReader lines(text);
  OperatorSpec spec;
  spec.name = ring_text::value_of(lines, kOperatorWord);
  std::string_view roles = ring_text::value_of(lines, "roles ");
  while (!roles.empty()) {
    const std::size_t end = std::min(roles.find(", "), roles.size());
    spec.roles.emplace_back(roles.substr(0, end));
    roles.remove_prefix(std::min(end + 2, roles.size()));
  }
  const auto from = parse_utc(ring_text::value_of(lines, "from "));
  const std::string_view until = ring_text::value_of(lines, "until ");
  const auto end = until == "for-ever" ? std::optional<UnixMillis>(0) : parse_utc(until);
  if (!from || !end) return unreadable();
  spec.from_unix_ms = *from;
  spec.until_unix_ms = *end;
  while (const auto line = lines.next()) {
    if (!line->starts_with("key ")) return unreadable();
    spec.keys.append(line->substr(4)).append("\n");
  }
  return operator_from(spec, now);
}

const Operator* living(const std::vector<Operator>& people, std::string_view name) {
  const auto found = std::ranges::find_if(
      people, [&](const Operator& one) { return one.name == name && one.removed == 0; });
  return found == people.end() ? nullptr : &*found;
}

// No two who are there have a key in common, so a signature is of one person.
Result<void> check_keys_apart(const std::vector<Operator>& people, const Operator& person) {
  for (const Operator& other : people) {
    if (other.removed != 0 || other.name == person.name) continue;
    for (const OperatorKey& key : person.keys)
      if (other.key(key.key) != nullptr)
        return Error(ErrorCode::kRefused,
                     "a key of " + person.name + " is one of " + other.name + " already");
  }
  return {};
}

bool is_admin(const Operator& person) {
  return (person.roles & static_cast<Roles>(Role::kAdmin)) != 0;
}

// By the policy in force, and by those that are to come.
Result<void> check_changes_possible(ControlReader& reader, const RowSeal& seal,
                                    const std::vector<Operator>& people, UnixMillis now) {
  QUIETUS_TRY_AS(const auto versions, rows::policies(reader, seal));
  const PolicyVersion* const current = in_force(versions, now);
  if (current == nullptr) QUIETUS_TRY(check_changes_possible(nullptr, people, now));
  for (const PolicyVersion& version : versions) {
    if (&version != current && version.effective <= now) continue;
    QUIETUS_TRY_AS(const Policy policy, parse_policy(version.text));
    QUIETUS_TRY(check_changes_possible(&policy, people, now));
  }
  return {};
}

Result<void> check_policy(const std::vector<Operator>& people, std::string_view text,
                          UnixMillis now) {
  QUIETUS_TRY_AS(const Policy policy, parse_policy(text));
  return check_changes_possible(&policy, people, now);
}

bool stays_admin(const Operator& person, UnixMillis now) {
  return is_admin(person) && person.until == 0 && person.valid_at(now);
}

Result<void> check_admin_left(const std::vector<Operator>& people, std::string_view changed,
                              bool stays_admin, UnixMillis now) {
  if (stays_admin) return {};
  const bool left = std::ranges::any_of(people, [&](const Operator& one) {
    return one.name != changed && one.until == 0 && is_admin(one) && one.valid_at(now);
  });
  if (left) return {};
  return Error(ErrorCode::kRefused, "no admin without an end would be left; add another first");
}

Result<void> put_operator(ControlWriter& writer, const RowSeal& seal, Operator person,
                          UnixMillis now, const OperatorId& by) {
  QUIETUS_TRY_AS(const auto people, rows::operators(writer, seal));
  QUIETUS_TRY(check_keys_apart(people, person));
  const Operator* const before = living(people, person.name);
  if (before == nullptr && std::ranges::count(people, 0, &Operator::removed) >= kMaxOperators)
    return Error(ErrorCode::kFull, "there are 1,000 operators already");
  if (before != nullptr) {
    QUIETUS_TRY(check_admin_left(people, person.name, stays_admin(person, now), now));
    person.id = before->id;
    person.added = before->added;
    for (OperatorKey& key : person.keys)
      if (const OperatorKey* old = before->key(key.key)) key = *old;
  }
  QUIETUS_TRY(rows::put_operator(writer, seal, person));
  QUIETUS_TRY_AS(const auto people_then, rows::operators(writer, seal));
  QUIETUS_TRY(check_changes_possible(writer, seal, people_then, now));
  return log_decision(writer, seal, now,
                      {before == nullptr ? Code("operator-added") : Code("operator-changed"), by,
                       person.id, sha256(as_bytes(operator_text(person)))});
}

Result<void> remove_operator(ControlWriter& writer, const RowSeal& seal, std::string_view name,
                             UnixMillis now, const OperatorId& by) {
  QUIETUS_TRY_AS(const auto people, rows::operators(writer, seal));
  const Operator* const found = living(people, name);
  if (found == nullptr) return Error(ErrorCode::kNotFound, "no operator " + std::string(name));
  QUIETUS_TRY(check_admin_left(people, name, false, now));
  Operator gone = *found;
  gone.removed = now;
  QUIETUS_TRY(rows::put_operator(writer, seal, gone));
  QUIETUS_TRY_AS(const auto people_then, rows::operators(writer, seal));
  QUIETUS_TRY(check_changes_possible(writer, seal, people_then, now));
  return log_decision(writer, seal, now, {"operator-removed", by, gone.id, {}});
}

Result<void> release(ControlWriter& writer, const RowSeal& seal, std::string_view id,
                     UnixMillis now) {
  const auto wanted = ring_text::hex_of<HoldId>(id);
  QUIETUS_TRY_AS(const auto holds, rows::all_holds(writer, seal));
  const auto found =
      std::ranges::find_if(holds, [&](const HoldRow& hold) { return hold.id == wanted; });
  if (found == holds.end()) return Error(ErrorCode::kNotFound, "no such hold");
  return release_hold_in(writer, seal, *found, now);
}

Result<RequestInfo> propose(VaultCore& core, std::string change) {
  const UnixMillis now = core.environment.clock.now();
  if (change.size() > kMaxChangeText || framed(change).size() > kMaxPlanText - kPlanFrame)
    return Error(ErrorCode::kInvalidArgument,
                 "the change is too long to stand on a plan: at most 48 KiB, and fewer with many "
                 "lines");
  RequestRow row;
  random_bytes(row.id);
  row.kind = RequestKind::kChange;
  row.state = RequestState::kVerified;
  row.reason = "administration";
  row.change = std::move(change);
  row.opened = now;
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const Operator actor, require_actor(core, writer, seal, Duty::kChange));
    row.opened_by = actor.id;
    QUIETUS_TRY(check_change(writer, seal, row.change, now));
    QUIETUS_TRY(rows::put_request(writer, seal, row));
    return log_decision(writer, seal, now, {"request-opened", actor.id, row.id, {}});
  }));
  return info_of(core, row.id);
}

}  // namespace

// Whether it could be made now; it is looked at again when it is.
Result<void> check_change(ControlReader& reader, const RowSeal& seal, std::string_view change,
                          UnixMillis now) {
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  if (change.starts_with(kOperatorWord)) {
    QUIETUS_TRY_AS(const Operator person, operator_in(change, now));
    QUIETUS_TRY(check_keys_apart(people, person));
    return living(people, person.name) == nullptr
               ? Result<void>()
               : check_admin_left(people, person.name, stays_admin(person, now), now);
  }
  if (change.starts_with(kRemoveWord)) {
    const std::string_view name = change.substr(kRemoveWord.size());
    if (living(people, name) == nullptr)
      return Error(ErrorCode::kNotFound, "no operator " + std::string(name));
    return check_admin_left(people, name, false, now);
  }
  if (change.starts_with(kReleaseWord)) {
    QUIETUS_TRY_AS(const auto holds, rows::all_holds(reader, seal));
    const auto id = ring_text::hex_of<HoldId>(change.substr(kReleaseWord.size()));
    if (std::ranges::none_of(holds, [&](const HoldRow& hold) { return hold.id == id; }))
      return Error(ErrorCode::kNotFound, "no such hold");
    return {};
  }
  if (!change.starts_with(kPolicyWord)) return unreadable();
  return check_policy(people, change.substr(kPolicyWord.size()), now);
}

namespace {

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

// Whom it is about, of changes of operators.
std::string_view name_changed(std::string_view change) {
  for (const std::string_view word : {kOperatorWord, kRemoveWord})
    if (change.starts_with(word)) return first_line(change.substr(word.size()));
  return {};
}

Result<std::optional<HoldRow>> hold_changed(ControlReader& reader, const RowSeal& seal,
                                            std::string_view change) {
  if (!change.starts_with(kReleaseWord)) return std::optional<HoldRow>();
  const auto id = ring_text::hex_of<HoldId>(change.substr(kReleaseWord.size()));
  QUIETUS_TRY_AS(const auto holds, rows::all_holds(reader, seal));
  const auto found =
      std::ranges::find_if(holds, [&](const HoldRow& hold) { return hold.id == id; });
  return found == holds.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

bool is_of_operators(std::string_view change) noexcept {
  return !name_changed(change).empty();
}

Result<void> cover_changed(ControlReader& reader, const RowSeal& seal, std::string_view change,
                           ByteWriter& covered) {
  if (const std::string_view name = name_changed(change); !name.empty()) {
    QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
    // Those of that name that are gone count: one who comes back is not who was approved then.
    for (const Operator& person : people)
      if (person.name == name)
        covered.raw(person.id)
            .u64(static_cast<std::uint64_t>(person.removed))
            .text(operator_text(person));
  }
  if (change.starts_with(kPolicyWord)) {
    QUIETUS_TRY_AS(const auto versions, rows::policies(reader, seal));
    covered.u64(versions.empty() ? 0 : versions.back().version);
  }
  QUIETUS_TRY_AS(const auto hold, hold_changed(reader, seal, change));
  if (hold)
    covered.u64(hold->scope)
        .u64(static_cast<std::uint64_t>(hold->placed))
        .u64(static_cast<std::uint64_t>(hold->until))
        .text(hold->reason);
  return {};
}

Result<std::string> changed_now(ControlReader& reader, ScopeTable& scopes,
                                std::string_view change) {
  if (const std::string_view name = name_changed(change); !name.empty()) {
    QUIETUS_TRY_AS(const auto people, rows::operators(reader, scopes.seal()));
    const Operator* const before = living(people, name);
    return before == nullptr ? std::string() : operator_text(*before);
  }
  QUIETUS_TRY_AS(const auto hold, hold_changed(reader, scopes.seal(), change));
  if (!hold) return std::string();
  const auto path = path_of(reader, scopes, hold->scope);
  return "hold on " +
         (path && hold->scope == kVaultScope ? std::string("the whole vault")
          : path                             ? *path
                                             : "scope " + hex_id(hold->scope)) +
         "\nreason " + hold->reason + "\nplaced " + format_utc(hold->placed) + "\nuntil " +
         (hold->until == 0 ? std::string("it is released") : format_utc(hold->until)) + "\n";
}

Result<void> make_change(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                         const RequestRow& row, const OperatorId& by, UnixMillis now) {
  const RowSeal seal = scopes.seal();
  const std::string_view change = row.change;
  if (change.starts_with(kOperatorWord)) {
    QUIETUS_TRY_AS(Operator person, operator_in(change, now));
    QUIETUS_TRY(put_operator(writer, seal, std::move(person), now, by));
    return seal_rights(writer, scopes, root);
  }
  if (change.starts_with(kRemoveWord)) {
    QUIETUS_TRY(remove_operator(writer, seal, change.substr(kRemoveWord.size()), now, by));
    return seal_rights(writer, scopes, root);
  }
  if (change.starts_with(kReleaseWord))
    return release(writer, seal, change.substr(kReleaseWord.size()), now);
  if (!change.starts_with(kPolicyWord)) return unreadable();
  const std::string_view policy = change.substr(kPolicyWord.size());
  QUIETUS_TRY_AS(const auto people, rows::operators(writer, seal));
  QUIETUS_TRY(check_policy(people, policy, now));
  QUIETUS_TRY(apply_policy(writer, seal, policy, now));
  return give_up_begun(writer, scopes, root, {kVaultScope, "postponed", now, true});
}

Result<RequestInfo> Governance::propose_operator(const OperatorSpec& operator_or_new) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const Operator person,
                 operator_from(operator_or_new, core->environment.clock.now()));
  return propose(*core, operator_text(person));
}

Result<RequestInfo> Governance::propose_removal(std::string_view name) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return propose(*core, std::string(kRemoveWord).append(name));
}

Result<RequestInfo> Governance::propose_policy(std::string_view text) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return propose(*core, std::string(kPolicyWord).append(text));
}

Result<RequestInfo> Governance::propose_release(std::string_view hold_id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return propose(*core, std::string(kReleaseWord).append(hold_id));
}

}  // namespace quietus
