// What the log says of operators, requests and approvals: random ids, codes and hashes; who is who
// stands in rows that the log does not need.
#pragma once

#include <string>

#include "evidence/log_entry.hpp"

namespace quietus {

// {"kind":"decision","what":…,"operator":…,"about":…,"sha256":…}
struct GovernanceDecision {
  Code what = "none";                    // "vault-governed", "acted", "request-approved", …
  std::array<std::uint8_t, 16> who{};    // the operator; zeros: nobody
  std::array<std::uint8_t, 16> about{};  // the request, or the operator, that it is about
  Sha256 hash{};                         // of what was signed, or of what it rests on
};
inline constexpr std::string_view kDecisionKind = "decision";

std::string entry_text(const EntryHead& head, const GovernanceDecision& entry);

}  // namespace quietus
