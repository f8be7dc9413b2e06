// A retention policy: for each class of data, what begins a period, how long it is, and what is
// done at its end. A TOML file (docs/policy.md explains every field, docs/policy.toml is one to
// start from). Pure data; the vault keeps the texts of all versions.
#pragma once

#include <quietus/result.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "governance/calendar.hpp"

namespace quietus {

inline constexpr std::size_t kMaxPolicyText = std::size_t{48} * 1024;  // bytes

enum class Trigger { kTermination, kCreation, kLastActivity, kConsentWithdrawn, kDate };
std::string_view name_of(Trigger trigger) noexcept;  // "termination", "last-activity", …

enum class RetentionAction {
  kErase,
  kReview,  // a person decides; shown as due and never erased by itself
};
std::string_view name_of(RetentionAction action) noexcept;  // "erase", "review"

struct RetentionRule {
  Trigger trigger = Trigger::kTermination;
  Period after;       // not of kDate
  UnixMillis on = 0;  // of kDate
  RetentionAction action = RetentionAction::kErase;
  friend bool operator==(const RetentionRule&, const RetentionRule&) = default;
};
// "9d after termination", "on 2030-01-01".
std::string to_text(const RetentionRule& rule);

// What a tenant may put in place of `after`.
struct OverrideBounds {
  Period least;
  Period most;
  friend bool operator==(const OverrideBounds&, const OverrideBounds&) = default;
};

struct ClassPolicy {
  std::vector<RetentionRule> rules;  // the one that is due first counts
  Period grace;                      // from an erasure by hand to the destruction
  std::optional<OverrideBounds> override_bounds;
  friend bool operator==(const ClassPolicy&, const ClassPolicy&) = default;
};

// Kinds of requests that may have a statutory deadline.
inline constexpr std::string_view kRequestKinds[] = {
    "termination", "deletion",   "restriction",        "access",
    "portability", "correction", "consent-withdrawal",
};

// What a plan needs before it may be carried out, by what it is of.
struct ApprovalRule {
  std::uint32_t people = 1;
  bool verifier = false;       // one of them
  bool second_factor = false;  // keys on security keys, touched
  bool pin = false;            // and with a PIN or biometrics
  friend bool operator==(const ApprovalRule&, const ApprovalRule&) = default;
};
std::string to_text(const ApprovalRule& rule);  // "2 people, one a verifier"
// "tenant": a request about tenants, or that destroys one; "scope": an erasure or termination of
// anything else; "change": of operators, policy, holds; "person": every other request.
inline constexpr std::string_view kApprovalSubjects[] = {"tenant", "scope", "change", "person"};

struct Policy {
  UnixMillis effective = 0;
  Period notice;            // from applying a change to its effect
  Period backup_retention;  // of a data backup that says nothing else
  ClassPolicy tenant;       // of a tenant's own scope, when everything below it is gone
  std::map<std::string, ClassPolicy, std::less<>> classes;
  std::map<std::string, Period, std::less<>> deadlines;        // by kind of request
  std::map<std::string, ApprovalRule, std::less<>> approvals;  // by subject
};

// Strict: what is not known is refused. kInvalidArgument: "line 7: …".
Result<Policy> parse_policy(std::string_view text);

// Whether `next` may be applied now. A change takes effect no sooner than the longer of both notice
// periods after it was applied, so that no change does away with its own; the first policy of a
// vault may take effect at once. kRefused says when it may.
Result<void> check_notice(const Policy& next, UnixMillis now, const Policy* current);

// What differs, one line each: "class billing: 7y after termination, was 10y after termination
// (shorter)".
std::vector<std::string> differences(const Policy& before, const Policy& after);

}  // namespace quietus
