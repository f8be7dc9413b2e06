// What the parts of Governance share about requests.
#pragma once

#include "governance_rules.hpp"
#include "request_plan.hpp"

namespace quietus {

// kInvalidArgument; kNotFound.
Result<RequestId> parse_request_id(std::string_view text);
Result<RequestRow> request_row(ControlReader& reader, const RowSeal& seal, const RequestId& id);
// kRefused: the table of states does not allow it.
Result<void> advance(RequestRow& row, RequestEvent event);

// By the policy in force now.
Result<ApprovalNeed> need_of(ControlReader& reader, const RowSeal& seal, const RequestRow& row,
                             UnixMillis now);
bool may_approve(const RequestRow& request, const Operator& person);
// The request with those approvals only that still count.
Result<RequestRow> with_standing_approvals(ControlReader& reader, const RowSeal& seal,
                                           RequestRow row, UnixMillis now);
// Whether the plan that stands may be carried out now: not expired, approved, and what it covers is
// what would happen. kRefused.
Result<void> check_plan(ControlReader& reader, const RowSeal& seal, const RequestRow& row,
                        UnixMillis now);

Result<RequestInfo> info_of(VaultCore& core, ControlReader& reader, ScopeTable& scopes,
                            const RequestRow& row);
Result<RequestInfo> info_of(VaultCore& core, const RequestId& id);

}  // namespace quietus
