#include "governance/requests.hpp"

#include <algorithm>
#include <set>

namespace quietus {
namespace {

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
    Transition{RequestState::kVerified, RequestEvent::kApprove, RequestState::kApproved},
    Transition{RequestState::kVerified, RequestEvent::kReject, RequestState::kRejected},
    Transition{RequestState::kVerified, RequestEvent::kCancel, RequestState::kCancelled},
    Transition{RequestState::kApproved, RequestEvent::kPlan, RequestState::kVerified},
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

}  // namespace quietus
