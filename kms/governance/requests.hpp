// Requests: what somebody asks to be done, who checked that they may ask, and who approved exactly
// which plan. Each transition is a row that is written and an entry in the log.
//
//   "m" request id        RequestRow
//   "m" request id || u8 0  the text of its plan, whose SHA-256 its row has
//   "m" request id || u16 SignedStatement: what was signed, and the signature, as proof for others
//   "k" scope id || request id   AskedFor: version u8 (1) || contact text || u16 records of text,
//                         sealed under the row key of the scope
//
// The first two are sealed under the vault's row key.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/log_entry.hpp"
#include "governance/operators.hpp"
#include "governance/policy.hpp"

namespace quietus {

using RequestId = std::array<std::uint8_t, 16>;  // random

// Numbers reach the disk.
enum class RequestKind : std::uint8_t {
  kTermination = 1,
  kDeletion = 2,
  kRestriction = 3,
  kAccess = 4,
  kPortability = 5,
  kCorrection = 6,
  kConsentWithdrawal = 7,
  kChange = 8,  // of operators, of the policy and its rules, of holds
};
std::string_view name_of(RequestKind kind) noexcept;  // "termination", …, "change"
std::optional<RequestKind> parse_request_kind(std::string_view name) noexcept;

enum class RequestState : std::uint8_t {
  kOpen = 1,
  kVerified = 2,   // who asked is who they say; of a change at once
  kApproved = 3,   // the plan that stands has all approvals it needs
  kExecuting = 4,  // the approvals are used up
  kDone = 5,
  kRejected = 6,
  kCancelled = 7,
};
std::string_view name_of(RequestState state) noexcept;

enum class RequestEvent { kVerify, kPlan, kApprove, kExecute, kGiveUp, kFinish, kReject, kCancel };
// The state after it; none: it is not allowed in this one.
std::optional<RequestState> after(RequestState state, RequestEvent event) noexcept;

// How the person who asked was identified. The evidence itself stays with who has it.
struct Verification {
  Code method = "none";
  Sha256 evidence{};
  OperatorId by{};
  UnixMillis time = 0;
};

struct Approval {
  OperatorId who{};
  Roles roles = 0;  // at that time
  Sha256 key{};     // SHA-256 of the SSH key that signed
  UnixMillis time = 0;
  bool touched = false;
  bool verified = false;  // PIN or biometrics
};

// The text that is signed, and what it stands for.
struct PlanRow {
  std::string text;
  Sha256 covers{};  // everything that it would destroy or change: see plan_covers()
  UnixMillis expires = 0;
  std::vector<Approval> approvals;
};

struct RequestRow {
  RequestId id{};
  RequestKind kind = RequestKind::kDeletion;
  RequestState state = RequestState::kOpen;
  std::vector<ScopeId> scopes;
  std::string reason;  // a code
  std::string change;  // kChange: what, in the words of governance/changes.hpp
  OperatorId opened_by{};
  UnixMillis opened = 0;
  UnixMillis deadline = 0;  // statutory; 0: none
  std::string extended;     // why it was extended; empty: it was not
  std::optional<Verification> verification;
  std::optional<PlanRow> plan;
  ErasureId erasure{};  // of its execution
  UnixMillis ended = 0;
};

inline constexpr std::size_t kMaxPlanText = std::size_t{60} * 1024;
inline constexpr std::size_t kMaxRequestScopes = 1024;
inline constexpr std::size_t kMaxApprovals = 32;
inline constexpr std::size_t kMaxContact = 4096;   // bytes of UTF-8
inline constexpr std::size_t kMaxCorrected = 256;  // records that one request names
inline constexpr std::size_t kMaxChangeText = std::size_t{48} * 1024;

namespace rows {

Result<std::optional<RequestRow>> request(ControlReader& reader, const RowSeal& seal,
                                          const RequestId& id);
Result<void> put_request(ControlWriter& writer, const RowSeal& seal, const RequestRow& row);
// In the order in which they were opened. One that is damaged is left out: it is not carried out.
Result<std::vector<RequestRow>> requests(ControlReader& reader, const RowSeal& seal);

// A signature over a statement or plan, which ssh-keygen can check.
struct SignedStatement {
  OperatorId who{};
  std::string text;
  std::string signature;  // armored
};
Result<void> add_statement(ControlWriter& writer, const RowSeal& seal, const RequestId& id,
                           const SignedStatement& statement);
Result<std::vector<SignedStatement>> statements_of(ControlReader& reader, const RowSeal& seal,
                                                   const RequestId& id);

// What a request says of a person, and so goes with the keys of its first scope.
struct AskedFor {
  std::string contact;               // how to answer who asked
  std::vector<std::string> records;  // that are to be corrected
};
Result<void> put_asked_for(ControlWriter& writer, const RowSeal& scope_seal, const RequestRow& of,
                           const AskedFor& row);
// None: there is none, or it is of another key of the scope.
std::optional<AskedFor> asked_for(ControlReader& reader, const RowSeal& scope_seal,
                                  const RequestRow& of);
Result<void> remove_asked_for(ControlWriter& writer, const RequestRow& of);

}  // namespace rows

// What a plan needs: the rule, and whether who opened the request has nobody else to ask.
struct ApprovalNeed {
  ApprovalRule rule;
  bool alone = false;
};
// By the policy in force; without one two people for tenants and changes, and one for others.
// Changes need no more people than there are admins now, so that the first can add others.
ApprovalNeed approval_need(const Policy* policy, const RequestRow& request, bool of_tenant,
                           std::size_t admins);
// kRefused: by that policy the admins among these people could not approve a change any more, and
// nobody could ever mend it.
Result<void> check_changes_possible(const Policy* policy, const std::vector<Operator>& people,
                                    UnixMillis now);
// kRefused says what is missing. Distinct people and distinct keys count, who may approve such a
// request, with keys as the rule wants them, and never the one alone who opened it.
Result<void> check_approvals(const RequestRow& request, const ApprovalNeed& need);

}  // namespace quietus
