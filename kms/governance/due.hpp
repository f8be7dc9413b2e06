// When a scope is due, and by which rule: the policy's rules applied to what is known of the scope.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "governance/policy.hpp"

namespace quietus {

// What rules ask about a scope. Times that have not come about are empty.
struct ScopeFacts {
  std::string_view data_class;
  bool is_tenant = false;
  UnixMillis created = 0;
  UnixMillis last_activity = 0;
  std::optional<UnixMillis> terminated;  // of the scope or of one above it, the earliest
  std::optional<UnixMillis> consent_withdrawn;
  std::optional<UnixMillis> expires;  // a date that was set for the scope itself
  // For its class, in place of the periods of rules that count from termination, creation or last
  // activity; counts within bounds.
  std::optional<Period> chosen_by_tenant;
};

struct Due {
  UnixMillis when = 0;
  std::string rule;  // "customer-data: 9d after termination"
  RetentionAction action = RetentionAction::kErase;
  std::string_view reason = "retention-expired";  // of the erasure, a code
  bool by_activity = false;                       // counts from the last activity
};

// The first end of all that apply, or of those with that action; none when no rule does. What lies
// below the scope may be due later: that is the caller's affair.
std::optional<Due> due_of(const Policy& policy, const ScopeFacts& facts,
                          std::optional<RetentionAction> action = {});

}  // namespace quietus
