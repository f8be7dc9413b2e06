// Operators of a governed vault, and who acts.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/random.hpp"
#include "evidence/governance_entries.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/log_store.hpp"
#include "evidence/ssh_signature.hpp"
#include "evidence/utc_time.hpp"
#include "governance/requests.hpp"
#include "governance_rules.hpp"
#include "keys/log_change.hpp"
#include "keys/rights.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr UnixMillis kReviewEvery = 92 * kDayMillis;
constexpr UnixMillis kBreakGlassDelay = 7 * kDayMillis;
constexpr UnixMillis kBreakGlassLife = 31 * kDayMillis;  // then it has to be begun anew

OperatorKeyInfo info_of(const OperatorKey& key) {
  return {std::string(name_of(key.key.type)),
          ssh_fingerprint(key.key),
          ssh_key_text(key.key),
          key.key.is_security_key(),
          key.added,
          key.used};
}

std::string challenge_text(const VaultCore& core, std::string_view name, std::string_view action,
                           UnixMillis now) {
  std::array<std::uint8_t, 16> nonce{};
  random_bytes(nonce);
  std::string text = "quietus-act/v1\nvault ";
  return text.append(to_hex(core.header.vault))
      .append("\noperator ")
      .append(name)
      .append("\naction ")
      .append(action)
      .append("\ntime ")
      .append(format_utc(now))
      .append("\nnonce ")
      .append(to_hex(nonce))
      .append("\n");
}

Sha256 identity_of(const Operator& person) {
  ByteWriter identity;
  identity.text(person.name).u8(person.roles);
  for (const OperatorKey& key : person.keys) identity.field(key.key.wire);
  return sha256(identity.view());
}

// One that was damaged or taken away is like one that says nothing: broken glass is how to go on.
Result<GovernanceRow> governance_or_none(ControlReader& reader, const RowSeal& seal) {
  const auto row = rows::governance(reader, seal);
  if (!row && row.error().code() != ErrorCode::kCorrupt) return row.error();
  return row && *row ? **row : GovernanceRow{};
}

// An admin who can act is what it was broken for.
Result<void> mend_glass(ControlWriter& writer, const RowSeal& seal, const Operator& person,
                        UnixMillis now) {
  QUIETUS_TRY_AS(auto row, rows::governance(writer, seal));
  if (!row || row->breaking == 0 || !may(person.roles, Duty::kChange)) return {};
  QUIETUS_TRY(rows::put_governance(writer, seal, {row->since, row->reviewed, 0, {}, 0}));
  return log_decision(writer, seal, now, {"break-glass-stopped", person.id, person.id, {}});
}

// A row that was put back does not undo what the log has.
Result<bool> was_mended(ControlReader& reader, const RowSeal& seal, const GovernanceRow& row) {
  if (row.breaking == 0) return false;
  QUIETUS_TRY_AS(const TreeHead log, log_head(reader));
  for (std::uint64_t i = row.breaking_log; i < log.size; ++i) {
    QUIETUS_TRY_AS(const Bytes text, read_entry(reader, {seal.key, seal.vault, seal.context}, i));
    QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
    const std::string* what = entry.text("what");
    if (what != nullptr && *what == "break-glass-stopped") return true;
  }
  return false;
}

// Nobody's key becomes another's, and nobody's name, but those of admins, who are to go.
Result<void> check_new_admin(ControlReader& reader, const RowSeal& seal, const Operator& person) {
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  for (const Operator& other : people) {
    if (other.removed != 0 || may(other.roles, Duty::kChange)) continue;
    if (other.name == person.name)
      return Error(ErrorCode::kAlreadyExists, "there is an operator " + person.name + " already");
    for (const OperatorKey& key : person.keys)
      if (other.key(key.key) != nullptr)
        return Error(ErrorCode::kRefused, "that key is one of " + other.name + " already");
  }
  return {};
}

// No admin has acted since it was begun: they are gone, so that the new one is not outvoted by
// people who cannot sign.
Result<void> pass_through_glass(ControlWriter& writer, const RowSeal& seal,
                                const GovernanceRow& row, const Operator& person, UnixMillis now) {
  QUIETUS_TRY(rows::put_governance(writer, seal, {row.since, row.reviewed, 0, {}, 0}));
  QUIETUS_TRY_AS(const auto people, rows::operators(writer, seal));
  for (Operator other : people) {
    if (other.removed != 0 || !may(other.roles, Duty::kChange)) continue;
    other.removed = now;
    QUIETUS_TRY(rows::put_operator(writer, seal, other));
    QUIETUS_TRY(log_decision(writer, seal, now, {"operator-removed", person.id, other.id, {}}));
  }
  QUIETUS_TRY(rows::put_operator(writer, seal, person));
  return log_decision(writer, seal, now, {"break-glass-done", {}, person.id, {}});
}

}  // namespace

OperatorInfo info_of(const Operator& person) {
  OperatorInfo info{to_hex(person.id), person.name,    {}, person.from, person.until, person.added,
                    person.used,       person.removed, {}};
  for (const Role role : kRoles)
    if ((person.roles & static_cast<Roles>(role)) != 0) info.roles.emplace_back(name_of(role));
  for (const OperatorKey& key : person.keys) info.keys.push_back(info_of(key));
  return info;
}

Result<Operator> operator_from(const OperatorSpec& spec, UnixMillis now) {
  Operator person;
  random_bytes(person.id);
  person.name = spec.name;
  person.from = spec.from_unix_ms == 0 ? now : spec.from_unix_ms;
  person.until = spec.until_unix_ms;
  person.added = now;
  person.changed = now;
  for (const std::string& name : spec.roles) {
    const auto role = parse_role(name);
    if (!role)
      return Error(ErrorCode::kInvalidArgument,
                   name + ": no role; there are admin, operator, approver, verifier, auditor");
    person.roles = static_cast<Roles>(person.roles | static_cast<Roles>(*role));
  }
  QUIETUS_TRY_AS(auto keys, parse_operator_keys(spec.keys));
  for (SshPublicKey& key : keys) person.keys.push_back({std::move(key), now, 0});
  QUIETUS_TRY(check_operator(person));
  if (person.until != 0 && person.until <= now)
    return Error(ErrorCode::kInvalidArgument, "operator: it would be over already");
  return person;
}

std::string name_in(const std::vector<Operator>& people, const OperatorId& id) {
  const auto found = std::ranges::find(people, id, &Operator::id);
  return found == people.end() ? to_hex(id) : found->name;
}

Result<void> log_decision(ControlWriter& writer, const RowSeal& seal, UnixMillis now,
                          const GovernanceDecision& decision) {
  return log_change(writer, seal, entry_text(new_entry(now), decision));
}

Result<SignedBy> who_signed(ControlReader& reader, const RowSeal& seal,
                            const SignedText& signed_text, std::string_view name_space,
                            UnixMillis now) {
  QUIETUS_TRY_AS(
      const VerifiedSshSignature verified,
      verify_ssh_signature(signed_text.signature, as_bytes(signed_text.text), name_space));
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  for (const Operator& person : people) {
    if (person.key(verified.key) == nullptr || person.removed != 0) continue;
    if (!person.valid_at(now))
      return Error(ErrorCode::kRefused, person.name + " is not an operator now");
    if (verified.key.is_security_key() && !verified.presence.touched)
      return unverified("SSH signature: the security key says that nobody touched it");
    return SignedBy{person, verified};
  }
  return unverified("SSH signature: by the key " + ssh_fingerprint(verified.key) +
                    ", which is no operator's");
}

Result<void> note_used(ControlWriter& writer, const ScopeTable& scopes, RootRow& root,
                       const SignedBy& by, UnixMillis now) {
  QUIETUS_TRY(check_rights(writer, scopes.seal(), root));
  QUIETUS_TRY(mend_glass(writer, scopes.seal(), by.person, now));
  Operator person = by.person;
  person.used = std::max(person.used, now);
  for (OperatorKey& key : person.keys)
    if (key.key == by.signature.key) key.used = std::max(key.used, now);
  return rows::put_use(writer, scopes.seal(), person);
}

Result<Vault> Vault::create_governed(const std::filesystem::path& folder, const Unlock& unlock,
                                     const OperatorSpec& first, const CreateOptions& options) {
  QUIETUS_TRY(first_admin(first, system_clock().now()));
  QUIETUS_TRY_AS(Vault vault, create(folder, unlock, options));
  QUIETUS_TRY(vault.governance().govern(first).within("the vault is made, and not governed yet"));
  return vault;
}

Governance Vault::governance() {
  return Governance(core_);
}

Result<bool> Governance::governed() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return is_governed(*core);
}

Result<GovernanceStatus> Governance::status() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const UnixMillis now = core->environment.clock.now();
  GovernanceStatus status;
  QUIETUS_TRY(core->read([&](ControlReader& reader, ScopeTable& scopes,
                             const RootRow& root) -> Result<void> {
    status = {};
    const RowSeal seal = scopes.seal();
    if (!is_governed(root)) return {};
    status.governed = true;
    QUIETUS_TRY_AS(const GovernanceRow row, governance_or_none(reader, seal));
    status.since_unix_ms = row.since;
    status.reviewed_unix_ms = row.reviewed;
    if (row.breaking != 0) status.break_glass_unix_ms = row.breaking + kBreakGlassDelay;
    status.review_overdue = std::max(row.since, row.reviewed) + kReviewEvery < now;
    QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
    status.operators = static_cast<std::uint64_t>(std::ranges::count_if(
        people, [&](const Operator& person) { return person.valid_at(now); }));
    status.admins = static_cast<std::uint64_t>(std::ranges::count_if(people, [&](const auto& one) {
      return one.valid_at(now) && may(one.roles, Duty::kChange);
    }));
    QUIETUS_TRY_AS(const auto requests, rows::requests(reader, seal));
    for (const RequestRow& request : requests) {
      if (request.ended != 0) continue;
      ++status.open_requests;
      if (request.deadline != 0 && request.deadline < now) ++status.overdue_requests;
    }
    return {};
  }));
  return status;
}

Result<Operator> first_admin(const OperatorSpec& first, UnixMillis now) {
  QUIETUS_TRY_AS(Operator person, operator_from(first, now));
  if (may(person.roles, Duty::kChange) && person.valid_at(now) && person.until == 0) return person;
  return Error(ErrorCode::kInvalidArgument,
               "the first operator has to be an admin who may act now, and without an end: only an "
               "admin can add others");
}

Result<OperatorInfo> Governance::govern(const OperatorSpec& first) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY_AS(const Operator person, first_admin(first, now));
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        const RowSeal seal = scopes.seal();
        if (is_governed(root)) return Error(ErrorCode::kRefused, "the vault is governed already");
        QUIETUS_TRY(rows::put_governance(writer, seal, {now, 0}));
        QUIETUS_TRY(rows::put_operator(writer, seal, person));
        QUIETUS_TRY(seal_rights(writer, scopes, root));
        return log_decision(writer, seal, now, {"vault-governed", person.id, person.id, {}});
      }));
  // An older copy of the store, which is not governed, opens under no root that is left.
  RootChangeRequest renewal;
  renewal.kind = ChangeKind::kUnlock;
  renewal.reason = "governed";
  QUIETUS_TRY(core->keys->change_root(renewal).within(
      "the vault is governed, but older copies of it still open; `quietus "
      "unlock change` ends that"));
  return info_of(person);
}

Result<std::int64_t> Governance::break_glass(const OperatorSpec& admin) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY_AS(const Operator person, first_admin(admin, now));
  std::int64_t when = 0;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        const RowSeal seal = scopes.seal();
        if (!is_governed(root))
          return Error(ErrorCode::kRefused, "the vault is not governed: it has no operators");
        QUIETUS_TRY_AS(GovernanceRow row, governance_or_none(writer, seal));
        QUIETUS_TRY(check_new_admin(writer, seal, person));
        QUIETUS_TRY_AS(const bool stopped, was_mended(writer, seal, row));
        const bool begun = row.breaking != 0 && row.breaking_for == identity_of(person) && !stopped;
        when = row.breaking + kBreakGlassDelay;
        if (begun && now < when)
          return Error(ErrorCode::kRefused, "that can be done from " + format_utc(when) +
                                                " on, unless an admin acts before");
        if (begun && now < row.breaking + kBreakGlassLife) {
          when = 0;
          // Nobody knows who is who when others wrote those rows: then nobody is anything.
          if (!check_rights(writer, seal, root))
            QUIETUS_TRY(rows::end_operators(writer, seal, now));
          QUIETUS_TRY(pass_through_glass(writer, seal, row, person, now));
          return seal_rights(writer, scopes, root);
        }
        QUIETUS_TRY_AS(const TreeHead log, log_head(writer));
        when = now + kBreakGlassDelay;
        QUIETUS_TRY(rows::put_governance(
            writer, seal, {row.since, row.reviewed, now, identity_of(person), log.size}));
        return log_decision(writer, seal, now, {"break-glass-begun", {}, {}, identity_of(person)});
      }));
  static_cast<void>(core->keys->refresh_anchor());
  return when;
}

Result<std::vector<OperatorInfo>> Governance::operators() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<OperatorInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto people, rows::operators(reader, scopes.seal()));
        for (const Operator& person : people) found.push_back(info_of(person));
        return {};
      }));
  return found;
}

Result<std::string> Governance::challenge(std::string_view name, std::string_view action) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (action.empty() || std::ranges::any_of(action, is_control) ||
      std::ranges::any_of(name, is_control))
    return Error(ErrorCode::kInvalidArgument, "an action and a name are each one line of text");
  std::string text = challenge_text(*core, name, action, core->environment.clock.now());
  const std::lock_guard lock(core->session.mutex);
  core->session.challenge = text;
  core->session.challenged = name;
  core->session.actor.reset();
  core->session.may_export.clear();
  return text;
}

Result<void> Governance::act(std::string_view signature, std::string_view duty) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const auto wanted = std::ranges::find_if(kDuties, [&](Duty one) { return name_of(one) == duty; });
  if (wanted == kDuties.end())
    return Error(ErrorCode::kInvalidArgument, std::string(duty) + ": no duty");
  SignedText text;
  {
    const std::lock_guard lock(core->session.mutex);
    text = {std::exchange(core->session.challenged, {}), std::exchange(core->session.challenge, {}),
            std::string(signature)};
  }
  if (text.text.empty())
    return Error(ErrorCode::kRefused, "nothing was to be signed: a challenge is good for once");
  const UnixMillis now = core->environment.clock.now();
  Operator acting;
  const auto find = [&](ControlReader& reader, const RowSeal& seal) -> Result<SignedBy> {
    QUIETUS_TRY_AS(SignedBy by, who_signed(reader, seal, text, kActNamespace, now));
    if (by.person.name != text.name)
      return unverified("SSH signature: by a key of another operator than the one named");
    QUIETUS_TRY(check_duty(by.person, *wanted));
    acting = by.person;
    return by;
  };
  const GovernanceDecision acted{"acted", {}, {}, sha256(as_bytes(text.text))};
  if (core->options.read_only) {
    QUIETUS_TRY(core->read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
          QUIETUS_TRY(find(reader, scopes.seal()));
          if (*wanted == Duty::kLook) return {};
          return check_rights(reader, scopes.seal(), root);
        }));
  } else {
    QUIETUS_TRY(
        core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const SignedBy by, find(writer, seal));
          // What is wrong with their rows can be looked at, and an admin stops who would use it.
          auto whole = check_rights(writer, seal, root);
          if (!whole && *wanted != Duty::kLook) return whole;
          QUIETUS_TRY(whole ? note_used(writer, scopes, root, by, now)
                            : mend_glass(writer, seal, by.person, now));
          GovernanceDecision entry = acted;
          entry.who = by.person.id;
          return log_decision(writer, seal, now, entry);
        }));
  }
  const std::lock_guard lock(core->session.mutex);
  core->session.actor = Actor{acting.id, acting.name};
  return {};
}

}  // namespace quietus
