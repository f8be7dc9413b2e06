#include "session.hpp"

#include <algorithm>

#include "keys/rights.hpp"
#include "keys/scope_graph.hpp"
#include "vault_core.hpp"

namespace quietus {

Result<bool> is_governed(VaultCore& core) {
  bool governed = false;
  QUIETUS_TRY(core.read([&](ControlReader&, ScopeTable&, const RootRow& root) -> Result<void> {
    governed = is_governed(root);
    return {};
  }));
  return governed;
}

Result<void> require_approved(VaultCore& core, std::string_view what) {
  QUIETUS_TRY_AS(const bool governed, is_governed(core));
  if (!governed) return {};
  const std::lock_guard lock(core.session.mutex);
  if (core.session.approved.contains(std::this_thread::get_id())) return {};
  return Error(ErrorCode::kRefused,
               "the vault is governed: " + std::string(what) +
                   " needs a request that is approved (`quietus request open`)");
}

Result<void> require_export_approved(VaultCore& core, ScopeId scope) {
  QUIETUS_TRY_AS(const bool governed, is_governed(core));
  if (!governed) return {};
  std::vector<ScopeId> allowed;
  {
    const std::lock_guard lock(core.session.mutex);
    allowed = core.session.may_export;
  }
  bool covered = false;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        covered = false;
        ScopeId at = scope;
        for (std::size_t depth = 0; depth <= kMaxScopeDepth && !covered; ++depth) {
          covered = std::ranges::find(allowed, at) != allowed.end();
          if (at == kVaultScope) break;
          QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), at));
          if (!row) break;
          at = row->parent;
        }
        return {};
      }));
  if (covered) return {};
  return Error(ErrorCode::kRefused,
               "the vault is governed: an export needs a request for access or portability that "
               "is approved (`quietus request open`)");
}

Result<void> check_duty(const Operator& person, Duty duty) {
  if (may(person.roles, duty)) return {};
  return Error(ErrorCode::kRefused,
               person.name + " may not do that: it needs a role with the duty `" +
                   std::string(name_of(duty)) + "`; they are " + roles_text(person.roles));
}

Result<Operator> require_actor(VaultCore& core, ControlReader& reader, const RowSeal& seal,
                               Duty duty) {
  std::optional<Actor> actor;
  {
    const std::lock_guard lock(core.session.mutex);
    actor = core.session.actor;
  }
  if (!actor)
    return Error(ErrorCode::kRefused,
                 "the vault is governed: say who acts (--as NAME), with a key of theirs");
  QUIETUS_TRY_AS(const SealedRootRow root, read_root_row(reader));
  QUIETUS_TRY(check_rights(reader, seal, root.row));
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  const auto found = std::ranges::find(people, actor->id, &Operator::id);
  if (found == people.end() || !found->valid_at(core.environment.clock.now()))
    return Error(ErrorCode::kRefused, actor->name + " is not an operator now");
  QUIETUS_TRY(check_duty(*found, duty));
  return *found;
}

ApprovedAction::ApprovedAction(Session& session) : session_(session) {
  const std::lock_guard lock(session_.mutex);
  session_.approved.insert(std::this_thread::get_id());
}

ApprovedAction::~ApprovedAction() {
  const std::lock_guard lock(session_.mutex);
  session_.approved.erase(session_.approved.find(std::this_thread::get_id()));
}

}  // namespace quietus
