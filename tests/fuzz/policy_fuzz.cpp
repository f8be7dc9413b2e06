// Any bytes as a policy: read or refused with a line, never a crash; what is read has an end for
// every rule, and is equal to itself.
#include <cstdint>
#include <cstdlib>

#include "governance/due.hpp"

namespace {

using namespace quietus;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_class(const Policy& policy, std::string_view name) {
  ScopeFacts facts;
  facts.data_class = name;
  facts.created = facts.last_activity = 1'800'000'000'000;
  facts.terminated = facts.consent_withdrawn = facts.created;
  const auto due = due_of(policy, facts);
  require(due.has_value() && !due->rule.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto period = parse_period(text);
  if (period) require(parse_period(to_text(*period)) == period);
  const auto policy = parse_policy(text);
  if (!policy) {
    require(policy.error().code() == ErrorCode::kInvalidArgument);
    return 0;
  }
  require(differences(*policy, *policy).empty());
  for (const auto& [name, rules] : policy->classes) {
    require(!rules.rules.empty());
    check_class(*policy, name);
  }
  return 0;
}
