// Requests of a governed vault, from their opening to their approval.
#include "requests.hpp"

#include <algorithm>
#include <set>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/random.hpp"
#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"
#include "governance/policy_rows.hpp"
#include "reasons.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxContact = 4096;
constexpr std::ptrdiff_t kMaxOpenRequests = 10'000;
constexpr std::string_view kStatementBegin = "quietus-verification/v1\n";

Result<const Policy*> policy_now(ControlReader& reader, const RowSeal& seal, UnixMillis now,
                                 std::optional<Policy>& room) {
  QUIETUS_TRY_AS(const auto versions, rows::policies(reader, seal));
  const PolicyVersion* const version = in_force(versions, now);
  if (version == nullptr) return nullptr;
  QUIETUS_TRY_AS(room, parse_policy(version->text));
  return &*room;
}

// Months are those of the calendar.
Result<UnixMillis> deadline_of(ControlReader& reader, const RowSeal& seal, RequestKind kind,
                               UnixMillis opened) {
  std::optional<Policy> room;
  QUIETUS_TRY_AS(const Policy* const policy, policy_now(reader, seal, opened, room));
  if (policy == nullptr) return UnixMillis{0};
  const auto period = policy->deadlines.find(name_of(kind));
  if (period == policy->deadlines.end()) return UnixMillis{0};
  return after(opened, period->second);
}

Result<void> put_and_log(ControlWriter& writer, const RowSeal& seal, const RequestRow& row,
                         UnixMillis now, const GovernanceDecision& decision) {
  QUIETUS_TRY(rows::put_request(writer, seal, row));
  return log_decision(writer, seal, now, decision);
}

std::string statement_text(const VaultCore& core, const RequestId& id, const Code& method,
                           const Sha256& evidence) {
  std::string text(kStatementBegin);
  return text.append("vault ")
      .append(to_hex(core.header.vault))
      .append("\nrequest ")
      .append(to_hex(id))
      .append("\nmethod ")
      .append(method.text())
      .append("\nevidence ")
      .append(to_hex(evidence))
      .append("\n\nWho signs this has made sure, in that way, that who asked is who they say.\n");
}

Result<void> check_key(const ApprovalRule& rule, const SignedBy& by) {
  const bool security_key = by.signature.key.is_security_key();
  if (rule.second_factor && !security_key)
    return Error(ErrorCode::kRefused, "the rule asks for a security key, and this key is none");
  if (rule.pin && !(security_key && by.signature.presence.verified))
    return Error(ErrorCode::kRefused,
                 "the rule asks for a security key with a PIN, and none was asked for");
  return {};
}

Result<void> check_new(const PlanRow& plan, const Approval& approval) {
  for (const Approval& before : plan.approvals)
    if (before.who == approval.who || before.key == approval.key)
      return Error(ErrorCode::kRefused, "that person, or that key, has approved this plan already");
  if (plan.approvals.size() >= kMaxApprovals)
    return Error(ErrorCode::kRefused, "32 people have approved this plan already");
  return {};
}

// On the snapshot that is written to: what is approved is what would be done now.
Result<void> add_approval(ControlReader& reader, const RowSeal& seal, RequestRow& row,
                          const SignedBy& by, UnixMillis now) {
  if (!may_approve(row, by.person))
    return Error(ErrorCode::kRefused, by.person.name + " may not approve such a request");
  if (!after(row.state, RequestEvent::kApprove)) return advance(row, RequestEvent::kApprove);
  if (row.plan->expires <= now)
    return Error(ErrorCode::kRefused, "the plan has expired: make another (`request plan`)");
  QUIETUS_TRY_AS(const Sha256 covers, plan_covers(reader, seal, row));
  if (covers != row.plan->covers)
    return Error(ErrorCode::kRefused,
                 "what would be done has changed since the plan was made: make another (`request "
                 "plan`)");
  QUIETUS_TRY_AS(const ApprovalNeed need, need_of(reader, seal, row, now));
  QUIETUS_TRY(check_key(need.rule, by));
  const Approval approval{by.person.id,
                          by.person.roles,
                          sha256(by.signature.key.wire),
                          now,
                          by.signature.presence.touched,
                          by.signature.presence.verified};
  // One of the same person that does not count any more makes room.
  QUIETUS_TRY_AS(row, with_standing_approvals(reader, seal, std::move(row), now));
  QUIETUS_TRY(check_new(*row.plan, approval));
  row.plan->approvals.push_back(approval);
  return check_approvals(row, need) ? advance(row, RequestEvent::kApprove) : Result<void>();
}

Result<std::string> open_contact(ControlReader& reader, ScopeTable& scopes, const RequestRow& row) {
  if (row.scopes.empty()) return std::string();
  const auto keys = scopes.keys(reader, row.scopes.front());
  if (!keys) return std::string();
  auto text = rows::contact(reader, scopes.seal_under(**keys), row.id);
  for (std::size_t i = 0; i < (*keys)->older.size() && !text; ++i)
    text = rows::contact(reader, scopes.seal_under((*keys)->older[i]), row.id);
  return std::move(text).value_or("");
}

}  // namespace

bool may_approve(const RequestRow& request, const Operator& person) {
  if (request.kind == RequestKind::kChange)
    return (person.roles & static_cast<Roles>(Role::kAdmin)) != 0;
  return (person.roles & static_cast<Roles>(Role::kApprover)) != 0 ||
         (person.roles & static_cast<Roles>(Role::kVerifier)) != 0;
}

Result<RequestId> parse_request_id(std::string_view text) {
  const auto id = ring_text::hex_of<RequestId>(text);
  if (!id) return Error(ErrorCode::kInvalidArgument, "the id of a request is 32 hex digits");
  return *id;
}

Result<RequestRow> request_row(ControlReader& reader, const RowSeal& seal, const RequestId& id) {
  QUIETUS_TRY_AS(auto row, rows::request(reader, seal, id));
  if (!row) return Error(ErrorCode::kNotFound, "no request " + to_hex(id));
  return *std::move(row);
}

Result<void> advance(RequestRow& row, RequestEvent event) {
  const auto next = after(row.state, event);
  if (!next)
    return Error(ErrorCode::kRefused,
                 "the request is " + std::string(name_of(row.state)) + "; that cannot be done now");
  row.state = *next;
  return {};
}

Result<ApprovalNeed> need_of(ControlReader& reader, const RowSeal& seal, const RequestRow& row,
                             UnixMillis now) {
  std::optional<Policy> room;
  QUIETUS_TRY_AS(const Policy* const policy, policy_now(reader, seal, now, room));
  bool of_tenant = false;
  for (const ScopeId scope : row.scopes) {
    const auto key = rows::key_row(reader, seal, scope);
    // One whose row is damaged may be a tenant.
    of_tenant = of_tenant || !key.ok() || !*key || (*key)->parent == kVaultScope;
  }
  // Whoever damages the rows of admins does not become the only one.
  std::size_t damaged = 0;
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal, &damaged));
  const auto admins = std::ranges::count_if(people, [&](const Operator& person) {
    return person.valid_at(now) && (person.roles & static_cast<Roles>(Role::kAdmin)) != 0;
  });
  return approval_need(policy, row, of_tenant, static_cast<std::size_t>(admins) + damaged);
}

// Whoever approved it may have left since, lost that right, or the key with which they signed.
Result<RequestRow> with_standing_approvals(ControlReader& reader, const RowSeal& seal,
                                           RequestRow row, UnixMillis now) {
  if (!row.plan) return row;
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  std::erase_if(row.plan->approvals, [&](Approval& approval) {
    const auto found = std::ranges::find(people, approval.who, &Operator::id);
    if (found == people.end() || !found->valid_at(now) || !may_approve(row, *found)) return true;
    approval.roles = static_cast<Roles>(approval.roles & found->roles);
    return std::ranges::none_of(
        found->keys, [&](const OperatorKey& key) { return sha256(key.key.wire) == approval.key; });
  });
  return row;
}

Result<void> check_plan(ControlReader& reader, const RowSeal& seal, const RequestRow& row,
                        UnixMillis now) {
  QUIETUS_TRY_AS(const ApprovalNeed need, need_of(reader, seal, row, now));
  QUIETUS_TRY_AS(const RequestRow counted, with_standing_approvals(reader, seal, row, now));
  QUIETUS_TRY(check_approvals(counted, need));
  if (row.plan->expires <= now)
    return Error(ErrorCode::kRefused, "the plan has expired: make another (`request plan`)");
  QUIETUS_TRY_AS(const Sha256 covers, plan_covers(reader, seal, row));
  if (covers != row.plan->covers)
    return Error(ErrorCode::kRefused,
                 "what would be done is not what was approved any more: make another plan "
                 "(`request plan`)");
  return {};
}

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
  QUIETUS_TRY_AS(info.contact, open_contact(reader, scopes, row));
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

Result<RequestInfo> Governance::open(const RequestSpec& request) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const auto kind = parse_request_kind(request.kind);
  if (!kind || *kind == RequestKind::kChange)
    return Error(ErrorCode::kInvalidArgument,
                 request.kind +
                     ": no kind of request; there are termination, deletion, "
                     "restriction, access, portability, correction, consent-withdrawal");
  if (request.scopes.empty() || request.scopes.size() > kMaxRequestScopes)
    return Error(ErrorCode::kInvalidArgument, "a request names 1 to 1024 scopes");
  if (request.contact.size() > kMaxContact || !is_utf8(request.contact))
    return Error(ErrorCode::kInvalidArgument, "a contact has at most 4096 bytes of UTF-8");
  QUIETUS_TRY_AS(const ErasureReason reason, parse_erasure_reason(request.reason));
  if (!reason.text.empty())
    return Error(
        ErrorCode::kInvalidArgument,
        "the reason of a request is a code, because it is on the plan and the certificate");
  const UnixMillis now = core->environment.clock.now();
  RequestRow row;
  random_bytes(row.id);
  row.kind = *kind;
  row.reason = reason.code;
  row.opened = now;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const Operator actor, require_actor(*core, writer, seal, Duty::kAsk));
        QUIETUS_TRY_AS(const auto before, rows::requests(writer, seal));
        if (std::ranges::count(before, 0, &RequestRow::ended) >= kMaxOpenRequests)
          return Error(ErrorCode::kFull, "10,000 requests are open already");
        row.scopes.clear();
        for (const std::string& path : request.scopes) {
          QUIETUS_TRY_AS(const ScopeId scope, resolve_for_erasure(writer, scopes, path));
          if (scope == kVaultScope)
            return Error(ErrorCode::kInvalidArgument, "a request names scopes, not the vault");
          row.scopes.push_back(scope);
        }
        std::ranges::sort(row.scopes);
        row.scopes.erase(std::unique(row.scopes.begin(), row.scopes.end()), row.scopes.end());
        row.opened_by = actor.id;
        QUIETUS_TRY_AS(row.deadline, deadline_of(writer, seal, row.kind, now));
        if (!request.contact.empty()) {
          QUIETUS_TRY_AS(const auto keys, scopes.keys(writer, row.scopes.front()));
          QUIETUS_TRY(rows::put_contact(writer, scopes.seal_under(*keys), row.id, request.contact));
        }
        return put_and_log(writer, seal, row, now, {"request-opened", actor.id, row.id, {}});
      }));
  return info_of(*core, row.id);
}

Result<std::string> Governance::verification(std::string_view id, std::string_view method,
                                             ByteView evidence) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const auto code = Code::parse(method);
  if (!code)
    return Error(ErrorCode::kInvalidArgument, "a method is a code such as `identity-card`");
  QUIETUS_TRY(info_of(*core, wanted));
  return statement_text(*core, wanted, *code, sha256(evidence));
}

Result<RequestInfo> Governance::verify(std::string_view id, std::string_view statement,
                                       std::string_view signature) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const UnixMillis now = core->environment.clock.now();
  LineReader lines(statement);
  const bool begins = lines.next() == kStatementBegin.substr(0, kStatementBegin.size() - 1);
  static_cast<void>(lines.next());
  static_cast<void>(lines.next());
  const auto method = Code::parse(ring_text::value_of(lines, "method "));
  const auto evidence = ring_text::hex_of<Sha256>(ring_text::value_of(lines, "evidence "));
  // Of this vault, this request, and in the one form.
  if (!begins || !method || !evidence ||
      statement_text(*core, wanted, *method, *evidence) != statement)
    return unverified("the statement is not that of this request");
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        const SignedText text{{}, std::string(statement), std::string(signature)};
        QUIETUS_TRY_AS(const SignedBy by, who_signed(writer, seal, text, kVerifyNamespace, now));
        if (!may(by.person.roles, Duty::kVerify))
          return Error(ErrorCode::kRefused, by.person.name + " is no verifier");
        QUIETUS_TRY(advance(row, RequestEvent::kVerify));
        row.verification = Verification{*method, *evidence, by.person.id, now};
        QUIETUS_TRY(note_used(writer, seal, by, now));
        QUIETUS_TRY(
            rows::add_statement(writer, seal, row.id, {by.person.id, text.text, text.signature}));
        return put_and_log(writer, seal, row, now,
                           {"request-verified", by.person.id, row.id, sha256(as_bytes(statement))});
      }));
  return info_of(*core, wanted);
}

Result<std::string> Governance::plan(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const UnixMillis now = core->environment.clock.now();
  std::string text;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const Operator actor, require_actor(*core, writer, seal, Duty::kLook));
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        const PlanRow before = row.plan.value_or(PlanRow{});
        QUIETUS_TRY(advance(row, RequestEvent::kPlan));
        QUIETUS_TRY_AS(const Sha256 covers, plan_covers(writer, seal, row));
        if (row.plan && now < before.expires && before.covers == covers) {
          text = before.text;
          return {};
        }
        QUIETUS_TRY_AS(row.plan, make_plan(*core, writer, scopes, row, now));
        text = row.plan->text;
        return put_and_log(writer, seal, row, now,
                           {"request-planned", actor.id, row.id, sha256(as_bytes(text))});
      }));
  return text;
}

Result<RequestInfo> Governance::approve(std::string_view id, std::string_view signature) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        if (!row.plan)
          return Error(ErrorCode::kRefused, "there is no plan to approve yet (`request plan`)");
        const SignedText text{{}, row.plan->text, std::string(signature)};
        QUIETUS_TRY_AS(const SignedBy by, who_signed(writer, seal, text, kApproveNamespace, now));
        QUIETUS_TRY(add_approval(writer, seal, row, by, now));
        QUIETUS_TRY(note_used(writer, seal, by, now));
        QUIETUS_TRY(
            rows::add_statement(writer, seal, row.id, {by.person.id, text.text, text.signature}));
        return put_and_log(writer, seal, row, now,
                           {"request-approved", by.person.id, row.id, sha256(as_bytes(text.text))});
      }));
  return info_of(*core, wanted);
}

}  // namespace quietus
