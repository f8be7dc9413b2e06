#include "governance/due.hpp"

namespace quietus {
namespace {

std::optional<UnixMillis> begin_of(const RetentionRule& rule, const ScopeFacts& facts) {
  switch (rule.trigger) {
    case Trigger::kTermination: return facts.terminated;
    case Trigger::kCreation: return facts.created;
    case Trigger::kLastActivity: return facts.last_activity;
    case Trigger::kConsentWithdrawn: return facts.consent_withdrawn;
    case Trigger::kDate: return std::nullopt;
  }
  return std::nullopt;
}

std::string_view reason_of(Trigger trigger) {
  switch (trigger) {
    case Trigger::kTermination: return "contract-ended";
    case Trigger::kConsentWithdrawn: return "consent-withdrawn";
    case Trigger::kCreation:
    case Trigger::kLastActivity:
    case Trigger::kDate: break;
  }
  return "retention-expired";
}

RetentionRule chosen(const RetentionRule& rule, const ClassPolicy& policy,
                     const ScopeFacts& facts) {
  // What somebody decided about a person is not for a tenant to put off.
  const bool open = rule.trigger == Trigger::kTermination || rule.trigger == Trigger::kCreation ||
                    rule.trigger == Trigger::kLastActivity;
  if (!facts.chosen_by_tenant || !policy.override_bounds || !open) return rule;
  // A choice from before the bounds were changed counts no more when it lies outside of them.
  const OverrideBounds& bounds = *policy.override_bounds;
  if (!never_longer(bounds.least, *facts.chosen_by_tenant) ||
      !never_longer(*facts.chosen_by_tenant, bounds.most))
    return rule;
  RetentionRule own = rule;
  own.after = *facts.chosen_by_tenant;
  return own;
}

std::optional<Due> due_by(const RetentionRule& rule, std::string_view of, const ScopeFacts& facts) {
  const std::string text = std::string(of) + ": " + to_text(rule);
  if (rule.trigger == Trigger::kDate)
    return Due{rule.on, text, rule.action, reason_of(rule.trigger)};
  const auto begin = begin_of(rule, facts);
  if (!begin) return std::nullopt;
  return Due{after(*begin, rule.after), text, rule.action, reason_of(rule.trigger),
             rule.trigger == Trigger::kLastActivity};
}

void take_earlier(std::optional<Due>& first, std::optional<Due> other) {
  if (other && (!first || other->when < first->when)) first = std::move(other);
}

}  // namespace

std::optional<Due> due_of(const Policy& policy, const ScopeFacts& facts,
                          std::optional<RetentionAction> action) {
  std::optional<Due> first;
  if (facts.expires && action.value_or(RetentionAction::kErase) == RetentionAction::kErase)
    take_earlier(first, Due{*facts.expires, "date set for the scope", RetentionAction::kErase});
  const auto named = policy.classes.find(facts.data_class);
  const ClassPolicy* rules = facts.is_tenant                 ? &policy.tenant
                             : named != policy.classes.end() ? &named->second
                                                             : nullptr;
  if (rules == nullptr) return first;
  const std::string_view of = facts.is_tenant ? "tenant" : facts.data_class;
  for (const RetentionRule& rule : rules->rules)
    if (action.value_or(rule.action) == rule.action)
      take_earlier(first, due_by(chosen(rule, *rules, facts), of, facts));
  return first;
}

}  // namespace quietus
