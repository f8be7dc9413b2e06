// States of keys, restriction, legal holds: what Lifecycle offers, in terms of paths.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/scope_state.hpp"
#include "reasons.hpp"
#include "scope_impl.hpp"
#include "scope_paths.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// The scope that a path names; not the vault's own.
Result<ScopeId> scope_of(ControlReader& reader, ScopeTable& scopes, std::string_view path) {
  QUIETUS_TRY(parse_scope_path(path));
  return resolve_path(reader, scopes, path);
}

KeyInfo info_of(const KeyRecord& key) {
  return {key.id,
          std::string(name_of(key.line)),
          key.generation,
          std::string(name_of(key.state)),
          key.created,
          key.changed,
          to_hex(key.commitment)};
}

StandingReport report_of(const HolderCount& count) {
  return {count.acknowledged, count.missing};
}

// So that an older copy of the control store, in which the change is not made, is recognised. If it
// cannot be written, the anchor is merely older than the log.
void remember(VaultCore& core) {
  static_cast<void>(core.keys->refresh_anchor());
}

Result<StandingReport> put_into_state(const std::weak_ptr<VaultCore>& vault,
                                      std::span<const std::string> paths, KeyState to,
                                      std::string_view reason) {
  QUIETUS_TRY_AS(const auto core, open_core(vault));
  QUIETUS_TRY_AS(const Code why, parse_state_reason(reason));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY_AS(
      const HolderCount holders,
      core->keys->update_standing(
          [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
            for (const std::string& path : paths) {
              QUIETUS_TRY_AS(const ScopeId scope, scope_of(writer, scopes, path));
              QUIETUS_TRY(change_state(writer, scopes.seal(), {scope, to, why, now}));
              // A sweep that has begun does not see it any more.
              if (to == KeyState::kSuspended)
                QUIETUS_TRY(give_up_begun(writer, scopes, root, {scope, "postponed", now, true}));
            }
            return {};
          }));
  remember(*core);
  return report_of(holders);
}

// What a hold looks like to people; path and authority only as far as they can be read.
HoldInfo info_of(ControlReader& reader, ScopeTable& scopes, const HoldRow& hold) {
  HoldInfo info{to_hex(hold.id), hold.scope, {}, hold.placed, hold.until, hold.reason, {}};
  auto path = path_of(reader, scopes, hold.scope);
  if (path) info.path = std::move(path).value();
  const auto keys = scopes.keys(reader, hold.scope);
  if (!keys) return info;
  auto authority = rows::authority(reader, scopes.seal_under(**keys), hold);
  for (std::size_t i = 0; i < (*keys)->older.size() && !authority; ++i)
    authority = rows::authority(reader, scopes.seal_under((*keys)->older[i]), hold);
  info.authority = std::move(authority).value_or("");
  return info;
}

Result<HoldId> parse_hold_id(std::string_view text) {
  const auto bytes = from_hex(text);
  HoldId id{};
  if (!bytes || bytes->size() != id.size())
    return Error(ErrorCode::kInvalidArgument, "the id of a hold is 32 hex digits");
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

Result<void> check_authority(std::string_view authority) {
  if (is_utf8(authority)) return {};
  return Error(ErrorCode::kInvalidArgument, "authority of a hold: not UTF-8");
}

}  // namespace

Lifecycle Vault::lifecycle() {
  return Lifecycle(core_);
}

Result<Scope> Vault::scope(std::string_view path, RestrictedUse use) {
  if (!core_) return Error(ErrorCode::kUnavailable, "the vault is closed");
  QUIETUS_TRY_AS(const Scope found, scope(path));
  return for_restricted_use(core_, found.id(), use);
}

Result<Scope> for_restricted_use(const std::shared_ptr<VaultCore>& core, ScopeId scope,
                                 RestrictedUse use) {
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY(scopes.keys(writer, scope));  // not erased meanwhile
        const std::string entry =
            entry_text(new_entry(now), RestrictedUseMade{scope, *Code::parse(name_of(use))});
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
        return {};
      }));
  return make_scope(core, {scope, true});
}

Result<KeyReport> Lifecycle::keys(std::string_view path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  KeyReport report;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        report = {};
        QUIETUS_TRY_AS(report.scope_id, scope_of(reader, scopes, path));
        QUIETUS_TRY_AS(const auto keys, scopes.keys(reader, report.scope_id));
        QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), report.scope_id));
        if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
        report.state = name_of(row->state);
        report.changed_unix_ms = row->changed;
        report.reason = row->reason;
        report.effective = name_of(keys->standing.limited_by);
        report.held = keys->standing.held;
        for (const KeyRecord& key : row->keys) report.keys.push_back(info_of(key));
        return {};
      }));
  return report;
}

Result<StandingReport> Lifecycle::suspend(std::string_view path, std::string_view reason) {
  const std::string one[] = {std::string(path)};
  return put_into_state(core_, one, KeyState::kSuspended, reason);
}
Result<StandingReport> Lifecycle::suspend(std::span<const std::string> paths,
                                          std::string_view reason) {
  return put_into_state(core_, paths, KeyState::kSuspended, reason);
}
Result<StandingReport> Lifecycle::resume(std::span<const std::string> paths,
                                         std::string_view reason) {
  return put_into_state(core_, paths, KeyState::kActive, reason);
}
Result<StandingReport> Lifecycle::resume(std::string_view path, std::string_view reason) {
  const std::string one[] = {std::string(path)};
  return put_into_state(core_, one, KeyState::kActive, reason);
}
Result<StandingReport> Lifecycle::deactivate(std::string_view path, std::string_view reason) {
  const std::string one[] = {std::string(path)};
  return put_into_state(core_, one, KeyState::kDeactivated, reason);
}
Result<StandingReport> Lifecycle::compromise(std::string_view path, std::string_view reason) {
  const std::string one[] = {std::string(path)};
  return put_into_state(core_, one, KeyState::kCompromised, reason);
}

Result<HoldInfo> Lifecycle::place_hold(std::string_view path, std::string_view reason,
                                       const HoldOptions& options) {
  const std::string one[] = {std::string(path)};
  QUIETUS_TRY_AS(std::vector<HoldInfo> placed, place_hold(one, reason, options));
  return std::move(placed.front());
}

Result<std::vector<HoldInfo>> Lifecycle::place_hold(std::span<const std::string> paths,
                                                    std::string_view reason,
                                                    const HoldOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const Code why, parse_hold_reason(reason));
  QUIETUS_TRY(check_authority(options.authority));
  if (paths.empty()) return Error(ErrorCode::kInvalidArgument, "no scope to hold");
  const UnixMillis now = core->environment.clock.now();
  const UnixMillis until = options.until_unix_ms.value_or(0);
  if (options.until_unix_ms && until <= now)
    return Error(ErrorCode::kInvalidArgument, "the end of the hold is not in the future");
  std::vector<HoldInfo> placed;
  QUIETUS_TRY(core->keys->update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        placed.clear();
        for (const std::string& path : paths) {
          HoldRow hold{0, {}, now, until, std::string(why.text())};
          random_bytes(hold.id);
          QUIETUS_TRY_AS(hold.scope, scope_of(writer, scopes, path));
          QUIETUS_TRY(place_hold_in(writer, scopes, root, {hold, options.authority}));
          placed.push_back(
              {to_hex(hold.id), hold.scope, path, now, until, hold.reason, options.authority});
        }
        return {};
      }));
  remember(*core);
  return placed;
}

Result<void> Lifecycle::release_hold(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY(require_approved(*core, "the release of a hold"));
  QUIETUS_TRY_AS(const HoldId wanted, parse_hold_id(id));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(core->keys->update_standing(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const auto holds, rows::all_holds(writer, scopes.seal()));
        const auto found = std::find_if(holds.begin(), holds.end(),
                                        [&](const HoldRow& hold) { return hold.id == wanted; });
        if (found == holds.end()) return Error(ErrorCode::kNotFound, "no such hold");
        return release_hold_in(writer, scopes.seal(), *found, now);
      }));
  remember(*core);
  return {};
}

Result<std::vector<HoldInfo>> Lifecycle::holds(std::string_view path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<HoldInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        std::vector<HoldRow> holds;
        if (path.empty()) {
          QUIETUS_TRY_AS(holds, rows::all_holds(reader, scopes.seal()));
        } else {
          QUIETUS_TRY_AS(const ScopeId scope, scope_of(reader, scopes, path));
          QUIETUS_TRY_AS(holds, holds_above(reader, scopes.seal(), scope));
        }
        for (const HoldRow& hold : holds) found.push_back(info_of(reader, scopes, hold));
        return {};
      }));
  return found;
}

std::string_view name_of(RestrictedUse use) noexcept {
  switch (use) {
    case RestrictedUse::kConsent: return "consent";
    case RestrictedUse::kLegalClaims: return "legal-claims";
    case RestrictedUse::kRightsOfOthers: return "rights-of-others";
    case RestrictedUse::kPublicInterest: return "public-interest";
  }
  return "unknown";
}

std::string_view name_of(ScopeState state) noexcept {
  switch (state) {
    case ScopeState::kActive: return "active";
    case ScopeState::kErased: return "erased";
    case ScopeState::kPreActivation: return "pre-activation";
    case ScopeState::kSuspended: return "suspended";
    case ScopeState::kDeactivated: return "deactivated";
    case ScopeState::kCompromised: return "compromised";
  }
  return "unknown";
}

}  // namespace quietus
