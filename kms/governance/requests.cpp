#include "governance/requests.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/byte_reader.hpp"
#include "evidence/ssh_signature.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kRequestVersion = 1;
constexpr char kRequestTable = 'm';
constexpr char kContactTable = 'k';
constexpr std::size_t kMaxCode = 64;

struct KindRow {
  RequestKind kind;
  std::string_view name;
};
constexpr std::array kKindNames{
    KindRow{RequestKind::kTermination, "termination"},
    KindRow{RequestKind::kDeletion, "deletion"},
    KindRow{RequestKind::kRestriction, "restriction"},
    KindRow{RequestKind::kAccess, "access"},
    KindRow{RequestKind::kPortability, "portability"},
    KindRow{RequestKind::kCorrection, "correction"},
    KindRow{RequestKind::kConsentWithdrawal, "consent-withdrawal"},
    KindRow{RequestKind::kChange, "change"},
};

struct StateRow {
  RequestState state;
  std::string_view name;
};
constexpr std::array kStateNames{
    StateRow{RequestState::kOpen, "open"},
    StateRow{RequestState::kVerified, "verified"},
    StateRow{RequestState::kApproved, "approved"},
    StateRow{RequestState::kExecuting, "executing"},
    StateRow{RequestState::kDone, "done"},
    StateRow{RequestState::kRejected, "rejected"},
    StateRow{RequestState::kCancelled, "cancelled"},
};

struct Transition {
  RequestState from;
  RequestEvent event;
  RequestState to;
};
// A new plan has no approvals, so whatever was approved is not any more.
constexpr std::array kTransitions{
    Transition{RequestState::kOpen, RequestEvent::kVerify, RequestState::kVerified},
    Transition{RequestState::kOpen, RequestEvent::kReject, RequestState::kRejected},
    Transition{RequestState::kOpen, RequestEvent::kCancel, RequestState::kCancelled},
    Transition{RequestState::kVerified, RequestEvent::kPlan, RequestState::kVerified},
    Transition{RequestState::kVerified, RequestEvent::kVoid, RequestState::kVerified},
    Transition{RequestState::kVerified, RequestEvent::kApprove, RequestState::kApproved},
    Transition{RequestState::kVerified, RequestEvent::kReject, RequestState::kRejected},
    Transition{RequestState::kVerified, RequestEvent::kCancel, RequestState::kCancelled},
    Transition{RequestState::kApproved, RequestEvent::kPlan, RequestState::kVerified},
    Transition{RequestState::kApproved, RequestEvent::kVoid, RequestState::kVerified},
    Transition{RequestState::kApproved, RequestEvent::kApprove, RequestState::kApproved},
    Transition{RequestState::kApproved, RequestEvent::kExecute, RequestState::kExecuting},
    Transition{RequestState::kApproved, RequestEvent::kReject, RequestState::kRejected},
    Transition{RequestState::kApproved, RequestEvent::kCancel, RequestState::kCancelled},
    Transition{RequestState::kExecuting, RequestEvent::kExecute, RequestState::kExecuting},
    Transition{RequestState::kExecuting, RequestEvent::kGiveUp, RequestState::kVerified},
    Transition{RequestState::kExecuting, RequestEvent::kFinish, RequestState::kDone},
    Transition{RequestState::kExecuting, RequestEvent::kReject, RequestState::kRejected},
    Transition{RequestState::kExecuting, RequestEvent::kCancel, RequestState::kCancelled},
};

UnixMillis read_time(ByteReader& in) {
  return static_cast<UnixMillis>(in.u64());
}

void write_time(ByteWriter& out, UnixMillis time) {
  out.u64(static_cast<std::uint64_t>(time));
}

Code read_code(ByteReader& in) {
  const auto code = Code::parse(in.text(kMaxCode));
  if (!code) in.fail();
  return code.value_or(Code("none"));
}

void write(ByteWriter& out, const Verification& row) {
  out.text(row.method.text()).raw(row.evidence).raw(row.by);
  write_time(out, row.time);
}
Verification read_verification(ByteReader& in) {
  Verification row;
  row.method = read_code(in);
  row.evidence = in.array<sizeof(Sha256)>();
  row.by = in.array<sizeof(OperatorId)>();
  row.time = read_time(in);
  return row;
}

void write(ByteWriter& out, const Approval& row) {
  out.raw(row.who).u8(row.roles).raw(row.key);
  write_time(out, row.time);
  out.u8(row.touched ? 1 : 0).u8(row.verified ? 1 : 0);
}
Approval read_approval(ByteReader& in) {
  Approval row;
  row.who = in.array<sizeof(OperatorId)>();
  row.roles = in.u8();
  row.key = in.array<sizeof(Sha256)>();
  row.time = read_time(in);
  row.touched = in.flag();
  row.verified = in.flag();
  return row;
}

void write(ByteWriter& out, const PlanRow& row) {
  out.text(row.text).raw(row.covers);
  write_time(out, row.expires);
  out.u16(static_cast<std::uint16_t>(row.approvals.size()));
  for (const Approval& approval : row.approvals) write(out, approval);
}
PlanRow read_plan(ByteReader& in) {
  PlanRow row;
  row.text = in.text(kMaxPlanText);
  row.covers = in.array<sizeof(Sha256)>();
  row.expires = read_time(in);
  const std::uint16_t approvals = in.u16();
  if (approvals > kMaxApprovals) in.fail();
  for (std::uint16_t i = 0; i < approvals && !in.failed(); ++i)
    row.approvals.push_back(read_approval(in));
  return row;
}

Bytes encode(const RequestRow& row) {
  ByteWriter out;
  out.u8(kRequestVersion)
      .u8(static_cast<std::uint8_t>(row.kind))
      .u8(static_cast<std::uint8_t>(row.state))
      .u16(static_cast<std::uint16_t>(row.scopes.size()));
  for (const ScopeId scope : row.scopes) out.u64(scope);
  out.text(row.reason).text(row.change).raw(row.opened_by);
  for (const UnixMillis time : {row.opened, row.deadline, row.ended}) write_time(out, time);
  out.text(row.extended).raw(row.erasure).u8(row.verification ? 1 : 0).u8(row.plan ? 1 : 0);
  if (row.verification) write(out, *row.verification);
  if (row.plan) write(out, *row.plan);
  return out.take();
}

std::optional<RequestRow> decode_request(ByteView content) {
  ByteReader in(content);
  RequestRow row;
  const std::uint8_t version = in.u8();
  row.kind = static_cast<RequestKind>(in.u8());
  row.state = static_cast<RequestState>(in.u8());
  const std::uint16_t scopes = in.u16();
  if (scopes > kMaxRequestScopes) in.fail();
  for (std::uint16_t i = 0; i < scopes && !in.failed(); ++i) row.scopes.push_back(in.u64());
  row.reason = in.text(kMaxCode);
  row.change = in.text(kMaxChangeText);
  row.opened_by = in.array<sizeof(OperatorId)>();
  row.opened = read_time(in);
  row.deadline = read_time(in);
  row.ended = read_time(in);
  row.extended = in.text(kMaxCode);
  row.erasure = in.array<sizeof(ErasureId)>();
  const bool verification = in.flag();
  const bool plan = in.flag();
  if (verification) row.verification = read_verification(in);
  if (plan) row.plan = read_plan(in);
  const bool known =
      std::ranges::find(kKindNames, row.kind, &KindRow::kind) != kKindNames.end() &&
      std::ranges::find(kStateNames, row.state, &StateRow::state) != kStateNames.end();
  return in.done() && version == kRequestVersion && known ? std::optional(std::move(row))
                                                          : std::nullopt;
}

Error lacking(const std::string& what) {
  return {ErrorCode::kRefused, "the plan is not approved: " + what};
}

std::string_view approval_subject(const RequestRow& request, bool of_tenant) {
  if (request.kind == RequestKind::kChange) return "change";
  if (of_tenant) return "tenant";
  const bool ends =
      request.kind == RequestKind::kDeletion || request.kind == RequestKind::kTermination;
  return ends ? "scope" : "person";
}

bool counts(const RequestRow& request, const ApprovalRule& rule, const Approval& approval) {
  if ((rule.second_factor && !approval.touched) || (rule.pin && !approval.verified)) return false;
  const Roles wanted = request.kind == RequestKind::kChange
                           ? static_cast<Roles>(Role::kAdmin)
                           : static_cast<Roles>(static_cast<Roles>(Role::kApprover) |
                                                static_cast<Roles>(Role::kVerifier));
  return (approval.roles & wanted) != 0;
}

}  // namespace

std::string_view name_of(RequestKind kind) noexcept {
  return std::ranges::find(kKindNames, kind, &KindRow::kind)->name;
}

std::optional<RequestKind> parse_request_kind(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kKindNames, name, &KindRow::name);
  return found == kKindNames.end() ? std::nullopt : std::optional(found->kind);
}

std::string_view name_of(RequestState state) noexcept {
  return std::ranges::find(kStateNames, state, &StateRow::state)->name;
}

std::optional<RequestState> after(RequestState state, RequestEvent event) noexcept {
  for (const Transition& one : kTransitions)
    if (one.from == state && one.event == event) return one.to;
  return std::nullopt;
}

ApprovalNeed approval_need(const Policy* policy, const RequestRow& request, bool of_tenant,
                           std::size_t admins) {
  const std::string_view subject = approval_subject(request, of_tenant);
  ApprovalNeed need;
  need.rule.people = subject == "change" || subject == "tenant" ? 2 : 1;
  if (policy != nullptr) {
    const auto found = policy->approvals.find(subject);
    if (found != policy->approvals.end()) need.rule = found->second;
  }
  if (request.kind != RequestKind::kChange) return need;
  const auto most = static_cast<std::uint32_t>(std::max<std::size_t>(admins, 1));
  need.rule.people = std::min(need.rule.people, most);
  need.alone = most == 1;
  return need;
}

Result<void> check_changes_possible(const Policy* policy, const std::vector<Operator>& people,
                                    UnixMillis now) {
  std::size_t admins = 0;
  std::size_t with_security_key = 0;
  for (const Operator& person : people) {
    if (!person.valid_at(now) || (person.roles & static_cast<Roles>(Role::kAdmin)) == 0) continue;
    ++admins;
    if (std::ranges::any_of(person.keys,
                            [](const OperatorKey& own) { return own.key.is_security_key(); }))
      ++with_security_key;
  }
  RequestRow change;
  change.kind = RequestKind::kChange;
  const ApprovalRule rule = approval_need(policy, change, false, admins).rule;
  if ((!rule.second_factor && !rule.pin) || with_security_key >= rule.people) return {};
  return Error(ErrorCode::kRefused, "nobody could change anything any more: by [approval.change] " +
                                        std::to_string(rule.people) +
                                        " admins sign with security keys, and only " +
                                        std::to_string(with_security_key) + " have one");
}

// M of N: as many people as keys, so neither one person with two keys nor one key that two people
// name counts twice.
Result<void> check_approvals(const RequestRow& request, const ApprovalNeed& need) {
  const ApprovalRule& rule = need.rule;
  if (!request.plan) return lacking("there is none");
  std::set<OperatorId> people;
  std::set<Sha256> keys;
  bool verifier = false;
  bool other = false;
  for (const Approval& approval : request.plan->approvals) {
    if (!counts(request, rule, approval) || people.contains(approval.who) ||
        keys.contains(approval.key))
      continue;
    people.insert(approval.who);
    keys.insert(approval.key);
    verifier = verifier || (approval.roles & static_cast<Roles>(Role::kVerifier)) != 0;
    other = other || approval.who != request.opened_by;
  }
  if (people.size() < rule.people)
    return lacking(std::to_string(people.size()) + " of " + std::to_string(rule.people) +
                   " approvals are there");
  if (rule.verifier && !verifier) return lacking("none of those who approved is a verifier");
  if (!other && !need.alone) return lacking("nobody but who opened the request has approved it");
  return {};
}

namespace rows {

namespace {
constexpr std::size_t kMaxCorrectedName = 1024;

Bytes asked_for_key(const RequestRow& of) {
  return ByteWriter().raw(row_key(kContactTable, of.scopes.front())).raw(of.id).take();
}
}  // namespace

Result<std::optional<RequestRow>> request(ControlReader& reader, const RowSeal& seal,
                                          const RequestId& id) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key(kRequestTable, id), decode_request));
  if (row) row->id = id;
  return row;
}

Result<void> put_request(ControlWriter& writer, const RowSeal& seal, const RequestRow& row) {
  return put_sealed(writer, seal, row_key(kRequestTable, row.id), encode(row));
}

Result<std::vector<RequestRow>> requests(ControlReader& reader, const RowSeal& seal) {
  std::vector<RequestRow> all;
  const Bytes table{static_cast<std::uint8_t>(kRequestTable)};
  QUIETUS_TRY(reader.scan(table, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != 1 + sizeof(RequestId)) return true;  // a statement
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? decode_request(*content) : std::nullopt;
    if (!row) return true;
    row->id = ByteReader(key.subspan(1)).array<sizeof(RequestId)>();
    all.push_back(*std::move(row));
    return true;
  }));
  std::ranges::sort(all, {}, [](const RequestRow& row) { return std::tuple(row.opened, row.id); });
  return all;
}

Result<void> add_statement(ControlWriter& writer, const RowSeal& seal, const RequestId& id,
                           const SignedStatement& statement) {
  QUIETUS_TRY_AS(const auto before, statements_of(writer, seal, id));
  ByteWriter content;
  content.u8(kRequestVersion).raw(statement.who).text(statement.text).text(statement.signature);
  return put_sealed(writer, seal,
                    ByteWriter()
                        .raw(row_key(kRequestTable, id))
                        .u16(static_cast<std::uint16_t>(before.size()))
                        .take(),
                    content.take());
}

Result<std::vector<SignedStatement>> statements_of(ControlReader& reader, const RowSeal& seal,
                                                   const RequestId& id) {
  std::vector<SignedStatement> found;
  const Bytes prefix = row_key(kRequestTable, id);
  QUIETUS_TRY(reader.scan(prefix, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() == prefix.size()) return true;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    if (!content) return damaged(kRequestTable);
    ByteReader in(*content);
    SignedStatement one;
    const std::uint8_t version = in.u8();
    one.who = in.array<sizeof(OperatorId)>();
    one.text = in.text(kMaxPlanText);
    one.signature = in.text(kMaxSshSignatureFile);
    if (!in.done() || version != kRequestVersion) return damaged(kRequestTable);
    found.push_back(std::move(one));
    return true;
  }));
  return found;
}

Result<void> put_asked_for(ControlWriter& writer, const RowSeal& scope_seal, const RequestRow& of,
                           const AskedFor& row) {
  ByteWriter content;
  content.u8(kRequestVersion).text(row.contact).u16(static_cast<std::uint16_t>(row.records.size()));
  for (const std::string& name : row.records) content.text(name);
  return put_sealed(writer, scope_seal, asked_for_key(of), content.take());
}

std::optional<AskedFor> asked_for(ControlReader& reader, const RowSeal& scope_seal,
                                  const RequestRow& of) {
  const auto content = get_sealed(reader, scope_seal, asked_for_key(of));
  if (!content || !*content) return std::nullopt;
  ByteReader in(**content);
  AskedFor row;
  const std::uint8_t version = in.u8();
  row.contact = in.text(kMaxContact);
  const std::uint16_t records = in.u16();
  if (records > kMaxCorrected) in.fail();
  for (std::uint16_t i = 0; i < records && !in.failed(); ++i)
    row.records.emplace_back(in.text(kMaxCorrectedName));
  return in.done() && version == kRequestVersion ? std::optional(std::move(row)) : std::nullopt;
}

Result<void> remove_asked_for(ControlWriter& writer, const RequestRow& of) {
  return of.scopes.empty() ? Result<void>() : writer.remove(asked_for_key(of));
}

}  // namespace rows
}  // namespace quietus
