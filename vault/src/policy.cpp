// The vault's retention policy.
#include <quietus/vault.hpp>

#include "governance/policy_rows.hpp"
#include "keys/scope_state.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

PolicyInfo info_of(const PolicyVersion& version, bool in_force) {
  return {version.version, version.applied, version.effective, in_force, version.text};
}

}  // namespace

Result<void> check_policy(std::string_view text) {
  QUIETUS_TRY(parse_policy(text));
  return {};
}

Result<std::vector<std::string>> policy_differences(std::string_view before,
                                                    std::string_view after) {
  QUIETUS_TRY_AS(const Policy old, parse_policy(before));
  QUIETUS_TRY_AS(const Policy next, parse_policy(after));
  return differences(old, next);
}

Result<PolicyInfo> Retention::apply_policy(std::string_view text) {
  const auto core = core_.lock();
  if (!core) return closed();
  QUIETUS_TRY(require_approved(*core, "a policy"));
  const UnixMillis now = core->environment.clock.now();
  PolicyVersion applied;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        QUIETUS_TRY_AS(applied, quietus::apply_policy(writer, scopes.seal(), text, now));
        return give_up_begun(writer, scopes, root, {kVaultScope, "postponed", now, true});
      }));
  // So that an older copy of the store, with the policy before, is recognised. If it cannot be
  // written, the anchor is merely older than the log.
  static_cast<void>(core->keys->refresh_anchor());
  return info_of(applied, applied.effective <= now);
}

Result<std::vector<PolicyInfo>> Retention::policies() {
  const auto core = core_.lock();
  if (!core) return closed();
  const UnixMillis now = core->environment.clock.now();
  std::vector<PolicyInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto versions, rows::policies(reader, scopes.seal()));
        const PolicyVersion* now_in_force = in_force(versions, now);
        for (const PolicyVersion& version : versions)
          found.push_back(info_of(version, &version == now_in_force));
        return {};
      }));
  return found;
}

}  // namespace quietus
