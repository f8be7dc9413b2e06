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
#include "keys/scope_graph.hpp"
#include "names.hpp"
#include "reasons.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

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

std::string statement_text(const VaultCore& core, const RequestRow& row, const Code& method,
                           const Sha256& evidence) {
  std::string text(kStatementBegin);
  text.append("vault ").append(to_hex(core.header.vault));
  text.append("\nrequest ").append(to_hex(row.id)).append(" ").append(name_of(row.kind));
  text.append("\nopened ").append(format_utc(row.opened));
  for (const ScopeId scope : row.scopes) text.append("\nscope ").append(hex_id(scope));
  text.append("\nmethod ").append(method.text());
  return text.append("\nevidence ")
      .append(to_hex(evidence))
      .append("\n\nWho signs this has made sure, in that way, that who asked is who they say.\n");
}

// What stands behind that word at the beginning of a line.
std::string_view value_in(std::string_view text, std::string_view word) {
  LineReader lines(text);
  while (const auto line = lines.next())
    if (line->starts_with(word)) return line->substr(word.size());
  return {};
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
  std::set<ScopeId> touched(row.scopes.begin(), row.scopes.end());
  if (row.kind == RequestKind::kDeletion) {
    const auto dying = scopes_dying_with(reader, seal, row.scopes);
    of_tenant = !dying.ok();
    if (dying) touched = *dying;
  }
  for (const ScopeId scope : touched) {
    const auto key = rows::key_row(reader, seal, scope);
    // One whose row is damaged may be a tenant.
    of_tenant = of_tenant || !key.ok() || !*key || (*key)->parent == kVaultScope;
  }
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  const auto admins = std::ranges::count_if(people, [&](const Operator& person) {
    return person.valid_at(now) && (person.roles & static_cast<Roles>(Role::kAdmin)) != 0;
  });
  return approval_need(policy, row, of_tenant, static_cast<std::size_t>(admins));
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
  if (!request.records.empty() && *kind != RequestKind::kCorrection)
    return Error(ErrorCode::kInvalidArgument, "only a correction names records");
  if (request.records.size() > kMaxCorrected)
    return Error(ErrorCode::kInvalidArgument, "a correction names at most 256 records");
  for (const std::string& name : request.records) QUIETUS_TRY(validate_record_name(name));
  const bool of_erasure = *kind == RequestKind::kDeletion || *kind == RequestKind::kTermination ||
                          *kind == RequestKind::kConsentWithdrawal;
  QUIETUS_TRY_AS(const Code reason, parse_request_reason(request.reason, of_erasure));
  const UnixMillis now = core->environment.clock.now();
  RequestRow row;
  random_bytes(row.id);
  row.kind = *kind;
  row.reason = reason.text();
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
        if (!request.contact.empty() || !request.records.empty()) {
          QUIETUS_TRY_AS(const auto keys, scopes.keys(writer, row.scopes.front()));
          QUIETUS_TRY(rows::put_asked_for(writer, scopes.seal_under(*keys), row,
                                          {request.contact, request.records}));
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
  std::string text;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const RequestRow row, request_row(reader, scopes.seal(), wanted));
        text = statement_text(*core, row, *code, sha256(evidence));
        return {};
      }));
  return text;
}

Result<RequestInfo> Governance::verify(std::string_view id, std::string_view statement,
                                       std::string_view signature) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const UnixMillis now = core->environment.clock.now();
  const auto method = Code::parse(value_in(statement, "method "));
  const auto evidence = ring_text::hex_of<Sha256>(value_in(statement, "evidence "));
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        // Of this vault, this request, and in the one form.
        if (!method || !evidence || statement_text(*core, row, *method, *evidence) != statement)
          return unverified("the statement is not that of this request");
        const SignedText text{{}, std::string(statement), std::string(signature)};
        QUIETUS_TRY_AS(const SignedBy by, who_signed(writer, seal, text, kVerifyNamespace, now));
        if (!may(by.person.roles, Duty::kVerify))
          return Error(ErrorCode::kRefused, by.person.name + " is no verifier");
        QUIETUS_TRY(advance(row, RequestEvent::kVerify));
        row.verification = Verification{*method, *evidence, by.person.id, now};
        QUIETUS_TRY(note_used(writer, scopes, root, by, now));
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
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        if (!row.plan)
          return Error(ErrorCode::kRefused, "there is no plan to approve yet (`request plan`)");
        const SignedText text{{}, row.plan->text, std::string(signature)};
        QUIETUS_TRY_AS(const SignedBy by, who_signed(writer, seal, text, kApproveNamespace, now));
        QUIETUS_TRY(add_approval(writer, seal, row, by, now));
        QUIETUS_TRY(note_used(writer, scopes, root, by, now));
        QUIETUS_TRY(
            rows::add_statement(writer, seal, row.id, {by.person.id, text.text, text.signature}));
        return put_and_log(writer, seal, row, now,
                           {"request-approved", by.person.id, row.id, sha256(as_bytes(text.text))});
      }));
  return info_of(*core, wanted);
}

}  // namespace quietus
