// Requests as they are shown.
#include <algorithm>

#include "base/text_encoding.hpp"
#include "requests.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

// Who asked is known to those who take requests down, and to those who make sure of it.
bool may_see_who_asked(VaultCore& core, const std::vector<Operator>& people) {
  const std::lock_guard lock(core.session.mutex);
  if (!core.session.actor) return false;
  const auto actor = std::ranges::find(people, core.session.actor->id, &Operator::id);
  return actor != people.end() &&
         (may(actor->roles, Duty::kAsk) || may(actor->roles, Duty::kVerify));
}

rows::AskedFor open_asked_for(ControlReader& reader, ScopeTable& scopes, const RequestRow& row) {
  if (row.scopes.empty()) return {};
  const auto keys = scopes.keys(reader, row.scopes.front());
  if (!keys) return {};
  auto found = rows::asked_for(reader, scopes.seal_under(**keys), row);
  for (std::size_t i = 0; i < (*keys)->older.size() && !found; ++i)
    found = rows::asked_for(reader, scopes.seal_under((*keys)->older[i]), row);
  return std::move(found).value_or(rows::AskedFor{});
}

}  // namespace

Result<RequestInfo> info_of(VaultCore& core, ControlReader& reader, ScopeTable& scopes,
                            const RequestRow& row) {
  const RowSeal seal = scopes.seal();
  const UnixMillis now = core.environment.clock.now();
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  RequestInfo info;
  info.id = to_hex(row.id);
  info.kind = name_of(row.kind);
  info.state = name_of(row.state);
  for (const ScopeId scope : row.scopes) {
    auto path = path_of(reader, scopes, scope);
    info.scopes.push_back(path ? *std::move(path) : hex_id(scope));
  }
  info.reason = row.reason;
  info.change = row.change;
  info.opened_by = name_in(people, row.opened_by);
  info.opened_unix_ms = row.opened;
  info.deadline_unix_ms = row.deadline;
  info.extended = row.extended;
  info.overdue = row.ended == 0 && row.deadline != 0 && row.deadline < now;
  if (row.verification) {
    info.method = row.verification->method.text();
    info.evidence_hash = to_hex(row.verification->evidence);
    info.verified_by = name_in(people, row.verification->by);
  }
  if (row.plan) {
    info.plan_expires_unix_ms = row.plan->expires;
    for (const Approval& approval : row.plan->approvals)
      info.approvals.push_back({to_hex(approval.who), name_in(people, approval.who), approval.time,
                                approval.touched, approval.verified});
  }
  if (row.plan && row.ended == 0) {
    const auto fit = check_plan(reader, seal, row, now);
    if (!fit) info.missing = fit.error().context();
  }
  if (row.erasure != ErasureId{}) info.erasure_id = to_hex(row.erasure);
  info.ended_unix_ms = row.ended;
  if (may_see_who_asked(core, people)) {
    rows::AskedFor asked = open_asked_for(reader, scopes, row);
    info.contact = std::move(asked.contact);
    info.records = std::move(asked.records);
  }
  return info;
}

Result<RequestInfo> info_of(VaultCore& core, const RequestId& id) {
  RequestInfo info;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const RequestRow row, request_row(reader, scopes.seal(), id));
        QUIETUS_TRY_AS(info, info_of(core, reader, scopes, row));
        return {};
      }));
  return info;
}

Result<RequestInfo> Governance::request(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  return info_of(*core, wanted);
}

Result<std::vector<RequestInfo>> Governance::requests() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<RequestInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::requests(reader, scopes.seal()));
        for (const RequestRow& row : all) {
          QUIETUS_TRY_AS(RequestInfo info, info_of(*core, reader, scopes, row));
          found.push_back(std::move(info));
        }
        return {};
      }));
  return found;
}

Result<std::vector<SignedText>> Governance::signatures(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  std::vector<SignedText> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY(request_row(reader, seal, wanted));
        QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
        QUIETUS_TRY_AS(const auto statements, rows::statements_of(reader, seal, wanted));
        for (const rows::SignedStatement& one : statements) {
          found.push_back({name_in(people, one.who), one.text, one.signature});
        }
        return {};
      }));
  return found;
}

}  // namespace quietus
