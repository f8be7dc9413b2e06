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
  std::optional<UnixMillis> expires;       // a date that was set for the scope itself
  std::optional<Period> chosen_by_tenant;  // in place of the rules' periods; counts within bounds
};

struct Due {
  UnixMillis when = 0;
  std::string rule;  // "customer-data: 9d after termination"
  RetentionAction action = RetentionAction::kErase;
};

// The first end of all that apply; none when no rule does. What lies below the scope may be due
// later: that is the caller's affair.
std::optional<Due> due_of(const Policy& policy, const ScopeFacts& facts);

}  // namespace quietus
