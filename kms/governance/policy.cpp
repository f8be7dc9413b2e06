#include "governance/policy.hpp"

#include <algorithm>

namespace quietus {
namespace {

std::string rules_text(const ClassPolicy& policy) {
  std::string text;
  for (const RetentionRule& rule : policy.rules)
    text += (text.empty() ? "" : " or ") + to_text(rule) +
            (rule.action == RetentionAction::kReview ? " (review)" : "");
  return text.empty() ? "kept" : text;
}

// Only where both are one rule of the same kind can it be told.
std::string_view direction(const ClassPolicy& before, const ClassPolicy& after) {
  if (before.rules.size() != 1 || after.rules.size() != 1) return "";
  const RetentionRule& a = before.rules.front();
  const RetentionRule& b = after.rules.front();
  if (a.trigger != b.trigger) return "";
  if (a.trigger == Trigger::kDate) return b.on < a.on ? " (shorter)" : " (longer)";
  if (never_longer(b.after, a.after)) return " (shorter)";
  return never_longer(a.after, b.after) ? " (longer)" : "";
}

std::string bounds_text(const std::optional<OverrideBounds>& bounds) {
  return bounds ? to_text(bounds->least) + " to " + to_text(bounds->most) : "none";
}

class Differences {
 public:
  void compare(const std::string& what, const std::string& before, const std::string& after,
               std::string_view note = "") {
    if (before != after)
      lines_.push_back(what + ": " + after + ", was " + before + std::string(note));
  }
  void compare(const std::string& what, const ClassPolicy& before, const ClassPolicy& after) {
    if (before.rules != after.rules)
      compare(what, rules_text(before), rules_text(after), direction(before, after));
    compare(what + ", grace", to_text(before.grace), to_text(after.grace));
    compare(what + ", tenants may choose", bounds_text(before.override_bounds),
            bounds_text(after.override_bounds));
  }
  void add(std::string line) { lines_.push_back(std::move(line)); }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

}  // namespace

std::string_view name_of(Trigger trigger) noexcept {
  switch (trigger) {
    case Trigger::kTermination: return "termination";
    case Trigger::kCreation: return "creation";
    case Trigger::kLastActivity: return "last-activity";
    case Trigger::kConsentWithdrawn: return "consent-withdrawn";
    case Trigger::kDate: return "date";
  }
  return "unknown";
}

std::string_view name_of(RetentionAction action) noexcept {
  return action == RetentionAction::kErase ? "erase" : "review";
}

std::string to_text(const RetentionRule& rule) {
  if (rule.trigger == Trigger::kDate) return "on " + day_text(rule.on);
  return to_text(rule.after) + " after " + std::string(name_of(rule.trigger));
}

Result<void> check_notice(const Policy& next, UnixMillis now, const Policy* current) {
  if (current == nullptr) return {};
  const UnixMillis earliest = std::max(after(now, next.notice), after(now, current->notice));
  if (next.effective >= earliest) return {};
  // The first whole day that is late enough.
  const UnixMillis day = day_of(earliest + kDayMillis - 1);
  return Error(ErrorCode::kRefused,
               "the notice period is not kept: applied now, it may take effect on " +
                   day_text(day) + " or later, not on " + day_text(next.effective));
}

std::string to_text(const ApprovalRule& rule) {
  std::string text = std::to_string(rule.people) + (rule.people == 1 ? " person" : " people");
  if (rule.verifier) text += ", one a verifier";
  if (rule.second_factor) text += ", with security keys";
  if (rule.pin) text += ", with a PIN";
  return text;
}

std::vector<std::string> differences(const Policy& before, const Policy& after) {
  Differences found;
  found.compare("effective", day_text(before.effective), day_text(after.effective));
  found.compare("notice", to_text(before.notice), to_text(after.notice));
  found.compare("backup-retention", to_text(before.backup_retention),
                to_text(after.backup_retention));
  found.compare("tenant", before.tenant, after.tenant);
  for (const auto& [name, policy] : before.classes) {
    const auto there = after.classes.find(name);
    if (there == after.classes.end())
      found.add("class " + name + ": kept, was " + rules_text(policy) + " (no rule any more)");
    else
      found.compare("class " + name, policy, there->second);
  }
  for (const auto& [name, policy] : after.classes)
    if (!before.classes.contains(name))
      found.add("class " + name + ": " + rules_text(policy) + ", new");
  for (const std::string_view kind : kRequestKinds) {
    const auto text = [&](const Policy& policy) {
      const auto deadline = policy.deadlines.find(kind);
      return deadline == policy.deadlines.end() ? std::string("none") : to_text(deadline->second);
    };
    found.compare("deadline of " + std::string(kind), text(before), text(after));
  }
  for (const std::string_view subject : kApprovalSubjects) {
    const auto text = [&](const Policy& policy) {
      const auto rule = policy.approvals.find(subject);
      return rule == policy.approvals.end() ? std::string("as without a policy")
                                            : to_text(rule->second);
    };
    found.compare("approval of " + std::string(subject), text(before), text(after));
  }
  return found.take();
}

}  // namespace quietus
