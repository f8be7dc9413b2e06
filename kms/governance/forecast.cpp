#include "governance/forecast.hpp"

#include <algorithm>
#include <utility>

#include "keys/holds.hpp"

namespace quietus {
namespace {

constexpr UnixMillis kHourMillis = 3'600'000;  // more than a clock may be set back by
constexpr std::size_t kToldByThemselves = 2;   // tenants and data classes

template <class T>
void take_earlier(std::optional<T>& first, const std::optional<T>& other) {
  if (other && (!first || *other < *first)) first = other;
}

// A scope that is named by its parent and has no row was damaged too.
bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kNotFound;
}

void keep_longer(std::map<ScopeId, UnixMillis>& kept, ScopeId scope, UnixMillis until) {
  UnixMillis& known = kept[scope];
  known = std::max(known, until);
}

UnixMillis until_of(const std::map<ScopeId, UnixMillis>& kept, ScopeId scope) {
  const auto found = kept.find(scope);
  return found == kept.end() ? 0 : found->second;
}

}  // namespace

namespace {

// The scope and its parents. kCorrupt.
Result<std::vector<ScopeId>> lies_in(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  std::vector<ScopeId> found;
  while (scope != kVaultScope) {
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, scope));
    if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
    found.push_back(scope);
    scope = row->parent;
  }
  return found;
}

}  // namespace

std::string_view name_of(Outlook outlook) noexcept {
  switch (outlook) {
    case Outlook::kDue: return "due";
    case Outlook::kReview: return "review";
    case Outlook::kHeld: return "held";
    case Outlook::kRestricted: return "restricted";
    case Outlook::kWaits: return "waits";
    case Outlook::kUnreadable: return "unreadable";
  }
  return "unknown";
}

namespace {

Result<std::vector<Policy>> parse_all(const std::vector<PolicyVersion>& versions,
                                      const Policy* trial) {
  std::vector<Policy> all;
  all.reserve(versions.size() + 1);
  for (const PolicyVersion& version : versions) {
    auto parsed = parse_policy(version.text);
    if (!parsed) return Error(ErrorCode::kCorrupt, "policy: a version does not parse any more");
    all.push_back(std::move(parsed).value());
  }
  if (trial != nullptr) all.push_back(*trial);
  return all;
}

// The newest that is effective by then.
const Policy* newest_by(const std::vector<Policy>& all, UnixMillis when) {
  const auto newest = std::find_if(all.rbegin(), all.rend(),
                                   [&](const Policy& policy) { return policy.effective <= when; });
  return newest == all.rend() ? nullptr : &*newest;
}

}  // namespace

Result<PolicyTimeline> PolicyTimeline::from(const std::vector<PolicyVersion>& versions,
                                            UnixMillis now, const Policy* trial) {
  QUIETUS_TRY_AS(const std::vector<Policy> all, parse_all(versions, trial));
  const Policy* before = newest_by(all, now);
  PolicyTimeline timeline;
  timeline.first_in_force_ = before != nullptr;
  timeline.policies_.emplace_back(INT64_MIN, before == nullptr ? Policy{} : *before);
  std::set<UnixMillis> turns;
  for (const Policy& policy : all)
    if (policy.effective > now) turns.insert(policy.effective);
  for (const UnixMillis turn : turns) {
    const Policy* in_force = newest_by(all, turn);
    if (in_force == before) continue;
    timeline.policies_.emplace_back(turn, *in_force);
    before = in_force;
  }
  return timeline;
}

const Policy* PolicyTimeline::in_force() const noexcept {
  return first_in_force_ ? &policies_.front().second : nullptr;
}

std::optional<Due> PolicyTimeline::due_of(const ScopeFacts& facts, RetentionAction action) const {
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    auto due = quietus::due_of(policies_[i].second, facts, action);
    if (!due) continue;
    due->when = std::max(due->when, policies_[i].first);
    if (i + 1 == policies_.size() || due->when < policies_[i + 1].first) return due;
  }
  return std::nullopt;
}

Result<void> Forecast::note_holds(ControlReader& reader, ScopeTable& scopes) {
  QUIETUS_TRY_AS(const auto holds, rows::all_holds(reader, scopes.seal()));
  std::map<ScopeId, UnixMillis> longest;
  for (const HoldRow& hold : holds) {
    keep_longer(longest, hold.scope, hold.until == 0 ? kNever : hold.until);
  }
  for (const auto& [scope, until] : longest)
    QUIETUS_TRY(note_hold(reader, scopes.seal(), scope, until));
  return {};
}

Result<void> Forecast::note_hold(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                                 UnixMillis until) {
  keep_longer(covered_, scope, until);
  QUIETUS_TRY(keep_above(reader, seal, scope, until));
  const auto covered = scopes_dying_with(reader, seal, {scope});
  if (!covered && is_damage(covered.error())) return {};
  QUIETUS_TRY(covered);
  // What is covered and was derived keeps its sources as well.
  for (const ScopeId id : *covered) {
    const auto row = rows::key_row(reader, seal, id);
    if (!row || !*row || (*row)->sources.empty()) continue;
    keep_longer(covered_, id, until);
    QUIETUS_TRY(keep_above(reader, seal, id, until));
  }
  return {};
}

Result<void> Forecast::keep_above(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                                  UnixMillis until) {
  const auto above = scopes_above(reader, seal, scope);
  if (!above && is_damage(above.error())) return {};
  QUIETUS_TRY(above);
  for (const ScopeId id : *above) keep_longer(kept_, id, until);
  return {};
}

Result<void> Forecast::note_restricted(ControlReader& reader, ScopeTable& scopes,
                                       const std::vector<ScopeId>& derived) {
  for (const ScopeId scope : derived) {
    auto above = scopes_above(reader, scopes.seal(), scope);
    if (!above && is_damage(above.error())) continue;
    QUIETUS_TRY(above);
    // What it lies in waits for it as it is.
    QUIETUS_TRY_AS(const auto own, lies_in(reader, scopes.seal(), scope));
    for (const ScopeId id : own) above->erase(id);
    sources_of_restricted_.insert(above->begin(), above->end());
  }
  return {};
}

Result<bool> Forecast::go_on(ControlReader& reader, ScopeTable& scopes, std::size_t budget) {
  if (!begun_) {
    Frame vault;
    QUIETUS_TRY_AS(auto tenants, rows::readable_children(reader, scopes.seal(), kVaultScope));
    vault.children = std::move(tenants.ids);
    unreadable_ += tenants.damaged;
    stack_.push_back(std::move(vault));
    begun_ = true;
  }
  while (!stack_.empty() && budget > 0) {
    const Frame& top = stack_.back();
    if (top.next == top.children.size()) {
      leave();
      continue;
    }
    QUIETUS_TRY(enter(reader, scopes, top.children[top.next]));
    --budget;
  }
  return stack_.empty();
}

Result<void> Forecast::enter(ControlReader& reader, ScopeTable& scopes, ScopeId scope) {
  Frame frame;
  frame.own.scope = scope;
  frame.own.level = stack_.size();
  frame.for_below = stack_.back().for_below;
  frame.first = prospects_.size();
  auto alive = look_at(reader, scopes, frame);
  if (!alive && !is_damage(alive.error())) return std::move(alive).error();
  Frame& parent = stack_.back();
  ++parent.next;
  if (!alive) {
    // What is in there nobody knows: nothing above it ends by a rule.
    ++unreadable_;
    parent.whole = kNever;
    parent.last_below = scope;
    return {};
  }
  if (!*alive) return {};
  ++living_;
  stack_.push_back(std::move(frame));
  return {};
}

// False: it is erased.
Result<bool> Forecast::look_at(ControlReader& reader, ScopeTable& scopes, Frame& frame) {
  const ScopeId scope = frame.own.scope;
  const auto keys = scopes.keys(reader, scope);
  if (!keys && keys.error().code() == ErrorCode::kErased) return false;
  QUIETUS_TRY(keys);
  QUIETUS_TRY_AS(const InfoRow info, scopes.info(reader, scope));
  frame.own.path = stack_.size() == 1 ? info.name : stack_.back().own.path + "/" + info.name;
  frame.own.data_class = info.data_class;
  QUIETUS_TRY_AS(auto children, rows::readable_children(reader, scopes.seal(), scope));
  frame.children = std::move(children.ids);
  unreadable_ += children.damaged;
  if (children.damaged > 0) frame.whole = kNever;
  ScopeFacts facts;
  facts.data_class = frame.own.data_class;
  facts.is_tenant = frame.own.level == 1;
  facts.created = std::min(info.created, request_.now);
  if (info.created > request_.now + kHourMillis) misdated_.push_back(scope);
  QUIETUS_TRY(look_at_schedule(reader, scopes, frame, facts));
  apply_rules(facts, frame);
  const bool restricted = (*keys)->standing.restricted;
  if (restricted) QUIETUS_TRY(note_if_derived(reader, scopes, scope));
  if (frame.own_when != kNever && (restricted || sources_of_restricted_.contains(scope)))
    frame.own.outlook = Outlook::kRestricted;
  apply_holds(frame);
  return true;
}

void Forecast::apply_rules(const ScopeFacts& facts, Frame& frame) const {
  auto due = policies_.due_of(facts, RetentionAction::kErase);
  auto review = policies_.due_of(facts, RetentionAction::kReview);
  if (review && (!due || review->when < due->when)) frame.review = review;
  const bool ends = due && clamped(due->when) <= request_.until;
  if (!ends && frame.review) {
    due = std::exchange(frame.review, std::nullopt);
    frame.own.outlook = Outlook::kReview;
  }
  if (!due) return;
  frame.own_when = due->when;
  frame.own.rule = std::move(due->rule);
  frame.own.reason = due->reason;
  if (!due->by_activity)
    frame.own.activity.reset();
  else if (request_.activity_unknown && frame.own.outlook == Outlook::kDue)
    frame.own.outlook = Outlook::kWaits;
}

void Forecast::apply_holds(Frame& frame) const {
  const ScopeId scope = frame.own.scope;
  Inherited& counts = frame.for_below;
  counts.held_until = std::max(counts.held_until, until_of(covered_, scope));
  frame.kept_until = std::max(counts.held_until, until_of(kept_, scope));
  if (frame.kept_until > std::max(request_.now, request_.until))
    frame.own.outlook = Outlook::kHeld;
  else if (frame.asked_for != kNever && std::max(frame.asked_for, frame.kept_until) < counts.cap) {
    counts.cap = std::max(frame.asked_for, frame.kept_until);
    counts.asked_reason = frame.asked_reason;
  }
}

Result<void> Forecast::note_if_derived(ControlReader& reader, ScopeTable& scopes, ScopeId scope) {
  const auto above = scopes_above(reader, scopes.seal(), scope);
  if (!above && is_damage(above.error())) return {};
  QUIETUS_TRY(above);
  // It has more above it than what it lies in.
  if (above->size() > stack_.size()) restricted_.push_back(scope);
  return {};
}

Result<void> Forecast::look_at_schedule(ControlReader& reader, ScopeTable& scopes, Frame& frame,
                                        ScopeFacts& facts) {
  QUIETUS_TRY_AS(const auto day, rows::last_activity(reader, scopes.seal(), frame.own.scope));
  if (day && *day > request_.now) misdated_.push_back(frame.own.scope);
  // A day counts to its end.
  frame.own.activity = day ? *day : 0;
  facts.last_activity = day ? std::max(facts.created, *day + kDayMillis) : facts.created;
  QUIETUS_TRY_AS(const auto schedule, rows::schedule(reader, scopes.seal(), frame.own.scope));
  Inherited& counts = frame.for_below;
  if (schedule) {
    take_earlier(counts.terminated, schedule->terminates);
    take_earlier(counts.consent_withdrawn, schedule->consent_withdrawn);
    take_earlier(counts.expires, schedule->expires);
    if (const auto chosen = parse_period(schedule->chosen_period))
      counts.chosen.insert_or_assign(frame.own.data_class, *chosen);
    frame.asked_for = schedule->erase_at.value_or(kNever);
    frame.asked_reason = schedule->erase_reason;
  }
  facts.terminated = counts.terminated;
  facts.consent_withdrawn = counts.consent_withdrawn;
  facts.expires = counts.expires;
  const auto chosen = counts.chosen.find(frame.own.data_class);
  if (chosen != counts.chosen.end()) facts.chosen_by_tenant = chosen->second;
  return {};
}

void Forecast::leave() {
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  if (stack_.empty()) return;  // the vault itself
  Frame& parent = stack_.back();
  const bool may_end = frame.own.outlook == Outlook::kDue;
  const UnixMillis by_rule =
      may_end ? std::max({frame.own_when, frame.whole, frame.kept_until}) : kNever;
  const bool held = frame.own.outlook == Outlook::kHeld;
  const UnixMillis asked = held || frame.for_below.cap == kNever
                               ? kNever
                               : std::max(frame.for_below.cap, frame.kept_until);
  const UnixMillis ends = std::min(by_rule, asked);
  if (ends > parent.whole) {
    parent.whole = ends;
    parent.last_below = frame.own.scope;
  }
  if (asked < by_rule) {
    frame.own.rule = "erasure asked for";
    frame.own.reason = frame.for_below.asked_reason;
    frame.own.outlook = Outlook::kDue;
    frame.own.asked = true;
    frame.own.activity.reset();
  } else if (held && frame.asked_for < frame.own_when) {
    frame.own_when = frame.asked_for;
    frame.own.rule = "erasure asked for";
  }
  tell_review(frame);
  if (ends != kNever && clamped(ends) <= request_.until) return tell(std::move(frame), ends);
  if (frame.own_when == kNever || clamped(frame.own_when) > request_.until) return;
  if (frame.own.outlook == Outlook::kDue) {
    frame.own.outlook = Outlook::kWaits;
    frame.own.waits_for = frame.last_below;
  }
  frame.own.when = frame.own_when;
  prospects_.push_back(std::move(frame.own));
}

// That a person is to look at it before it ends.
void Forecast::tell_review(const Frame& frame) {
  if (!frame.review || clamped(frame.review->when) > request_.until) return;
  Prospect shown = frame.own;
  shown.when = frame.review->when;
  shown.rule = frame.review->rule;
  shown.outlook = Outlook::kReview;
  shown.activity.reset();
  prospects_.push_back(std::move(shown));
}

// What ends below it at the same time ends with it.
void Forecast::tell(Frame frame, UnixMillis when) {
  frame.own.when = when;
  const auto joins = [&](const Prospect& other) {
    return other.outlook == Outlook::kDue && other.level > kToldByThemselves && !other.activity &&
           clamped(other.when) == clamped(when);
  };
  const auto begin = prospects_.begin() + static_cast<std::ptrdiff_t>(frame.first);
  for (auto other = begin; other != prospects_.end(); ++other)
    if (joins(*other)) frame.own.below += 1 + other->below;
  prospects_.erase(std::remove_if(begin, prospects_.end(), joins), prospects_.end());
  prospects_.push_back(std::move(frame.own));
}

}  // namespace quietus
