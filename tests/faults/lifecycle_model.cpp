#include "faults/lifecycle_model.hpp"

#include <algorithm>
#include <sstream>

namespace quietus::test {

using enum ErrorCode;

namespace {

std::vector<std::string> elements_of(const std::string& path) {
  std::vector<std::string> elements;
  std::istringstream text(path);
  for (std::string element; std::getline(text, element, '/');) elements.push_back(element);
  return elements;
}

}  // namespace

std::string text_of(ModelState state) {
  switch (state) {
    case ModelState::kActive: return "active";
    case ModelState::kDeactivated: return "deactivated";
    case ModelState::kSuspended: return "suspended";
    case ModelState::kCompromised: return "compromised";
  }
  return "";
}

LifecycleModel::LifecycleModel(std::map<std::string, ModelClass> classes, ModelClass tenant,
                               std::int64_t now)
    : classes_(std::move(classes)), tenant_(std::move(tenant)), accepted_(now) {
  ModelScope vault;
  vault.parent = -1;
  vault.keys = {{"active", now}};
  scopes_.push_back(vault);
}

// --- who there is

std::optional<int> LifecycleModel::child(int parent, const std::string& name) const {
  // The name of an erased one goes with the key that it is found under.
  for (int id = static_cast<int>(scopes_.size()) - 1; id > 0; --id) {
    const ModelScope& found = scope(id);
    if (found.parent == parent && found.name == name &&
        !is_gone(scope(parent).keys[found.name_generation - 1]))
      return id;
  }
  return std::nullopt;
}

LifecycleModel::Found LifecycleModel::find(const std::string& path) const {
  int id = 0;
  for (const std::string& element : elements_of(path)) {
    if (!alive(id)) return {0, kErased};
    const auto next = child(id, element);
    if (!next) return {0, kNotFound};
    id = *next;
  }
  if (!alive(id)) return {0, kErased};
  return {id, {}};
}

std::string LifecycleModel::path_of(int id) const {
  const ModelScope& named = scope(id);
  return named.parent <= 0 ? named.name : path_of(named.parent) + "/" + named.name;
}

std::vector<int> LifecycleModel::living() const {
  std::vector<int> found;
  for (int id = 1; id < static_cast<int>(scopes_.size()); ++id)
    if (alive(id)) found.push_back(id);
  return found;
}

std::vector<int> LifecycleModel::living_children(int id) const {
  std::vector<int> found;
  for (const int other : living())
    if (scope(other).parent == id) found.push_back(other);
  return found;
}

// Itself, its parent, its sources, and what they depend on.
std::set<int> LifecycleModel::depends_on(int id) const {
  std::set<int> all{id};
  if (id == 0) return all;
  all.merge(depends_on(scope(id).parent));
  for (const int source : scope(id).sources) all.merge(depends_on(source));
  return all;
}

bool LifecycleModel::alive(int id) const {
  const auto all = depends_on(id);
  return std::none_of(all.begin(), all.end(), [&](int other) { return scope(other).erased; });
}

std::set<int> LifecycleModel::dying_with(const std::set<int>& targets) const {
  std::set<int> dying;
  for (const int id : living())
    for (const int other : depends_on(id))
      if (targets.contains(other)) dying.insert(id);
  return dying;
}

// --- what is allowed

bool LifecycleModel::covered(int id) const {
  const auto all = depends_on(id);
  return std::any_of(holds_.begin(), holds_.end(),
                     [&](const ModelHold& hold) { return all.contains(hold.scope); });
}

bool LifecycleModel::held_against(const std::set<int>& targets) const {
  const auto dying = dying_with(targets);
  return std::any_of(dying.begin(), dying.end(), [&](int id) { return covered(id); });
}

// The day on which the last hold is over that covers it or something that depends on it. 0: none.
std::int64_t LifecycleModel::kept_until(int id) const {
  std::int64_t last = 0;
  for (const int dying : dying_with({id})) {
    const auto all = depends_on(dying);
    for (const ModelHold& hold : holds_)
      if (all.contains(hold.scope)) last = std::max(last, hold.until == 0 ? kNoDay : hold.until);
  }
  return last;
}

bool LifecycleModel::lies_in(int id, int above) const {
  for (; id > 0; id = scope(id).parent)
    if (id == above) return true;
  return false;
}

// It, or something that was derived from it.
bool LifecycleModel::restriction_keeps(int id) const {
  for (const int other : living())
    if (restricted(other) && depends_on(other).contains(id) && (other == id || !lies_in(other, id)))
      return true;
  return false;
}

bool LifecycleModel::restricted(int id) const {
  const auto all = depends_on(id);
  return std::any_of(all.begin(), all.end(),
                     [&](int other) { return scope(other).state == ModelState::kSuspended; });
}

namespace {

// All that a scope amounts to: its state, and what was decided about it.
std::set<ModelState> amounts_to(const ModelScope& scope) {
  std::set<ModelState> all{scope.state};
  if (scope.ended) all.insert(ModelState::kDeactivated);
  if (scope.erase_at) all.insert(ModelState::kSuspended);
  return all;
}

}  // namespace

ModelState LifecycleModel::effective(int id) const {
  ModelState least = ModelState::kActive;
  for (const int other : depends_on(id))
    least = std::max(least, *amounts_to(scope(other)).rbegin());
  return least;
}

Answer LifecycleModel::may_read(int id, bool stated_use) const {
  const ModelState state = effective(id);
  if (stated_use || state == ModelState::kActive || state == ModelState::kDeactivated) return {};
  std::set<ModelState> all;
  for (const int other : depends_on(id)) all.merge(amounts_to(scope(other)));
  return all.contains(ModelState::kSuspended) ? kRestricted : kRefused;
}

Answer LifecycleModel::may_write(int id, bool stated_use) const {
  std::set<ModelState> all;
  for (const int other : depends_on(id)) all.merge(amounts_to(scope(other)));
  const bool never =
      all.contains(ModelState::kDeactivated) || all.contains(ModelState::kCompromised);
  if (!never && (stated_use || !all.contains(ModelState::kSuspended))) return {};
  return all.contains(ModelState::kSuspended) ? kRestricted : kRefused;
}

// --- when what ends

const ModelClass* LifecycleModel::rules_of(int id) const {
  if (scope(id).parent == 0) return &tenant_;
  const auto named = classes_.find(scope(id).data_class);
  return named == classes_.end() ? nullptr : &named->second;
}

std::int64_t LifecycleModel::earliest_above(int id,
                                            std::optional<std::int64_t> ModelScope::*date) const {
  std::int64_t first = kNoDay;
  for (; id > 0; id = scope(id).parent) first = std::min(first, (scope(id).*date).value_or(kNoDay));
  return first;
}

std::int64_t LifecycleModel::begin_of(const ModelRule& rule, int id) const {
  const ModelScope& of = scope(id);
  if (rule.trigger == "termination") return earliest_above(id, &ModelScope::terminates);
  if (rule.trigger == "consent-withdrawn") return earliest_above(id, &ModelScope::consent);
  if (rule.trigger == "last-activity" && of.used != 0)
    return std::max(of.created, of.used + kOneDay);
  return of.created;
}

// kNoDay: never, or when a person decides.
std::int64_t LifecycleModel::due_by_rule(int id) const {
  std::int64_t first = earliest_above(id, &ModelScope::expires);
  const ModelClass* rules = rules_of(id);
  if (rules == nullptr) return first;
  // The nearest choice that was made for this class.
  std::optional<int> chosen;
  for (int above = id; above > 0 && !chosen && rules->most_chosen; above = scope(above).parent)
    if (scope(above).data_class == scope(id).data_class) chosen = scope(above).chosen_days;
  for (const ModelRule& rule : rules->rules) {
    const std::int64_t begin = begin_of(rule, id);
    if (begin == kNoDay || rule.review) continue;
    const bool open = rule.trigger != "consent-withdrawn";
    first = std::min(first, begin + (open ? chosen.value_or(rule.days) : rule.days) * kOneDay);
  }
  return first;
}

// What was asked for on a scope or above it waits for nothing but holds.
std::int64_t LifecycleModel::asked_for(int id) const {
  std::int64_t first = kNoDay;
  for (int above = id; above > 0; above = scope(above).parent)
    first = std::min(first, std::max(scope(above).erase_at.value_or(kNoDay), kept_until(above)));
  return std::max(first, kept_until(id));
}

std::int64_t LifecycleModel::ends(int id) const {
  std::int64_t by_rule = restriction_keeps(id) ? kNoDay : due_by_rule(id);
  by_rule = std::max(by_rule, kept_until(id));
  for (const int below : living_children(id)) by_rule = std::max(by_rule, ends(below));
  return std::min(by_rule, asked_for(id));
}

std::set<int> LifecycleModel::ending(std::int64_t until) const {
  std::set<int> due;
  for (const int id : living())
    if (ends(id) <= until) due.insert(id);
  return due;
}

void LifecycleModel::mark_erased(const std::set<int>& targets) {
  for (const int id : targets) at(id).erased = true;
}

// A key is destroyed when no row has needed it since before then: it ceased to be needed when the
// one after it had taken over, which is known when yet another was made, or is the last rotation's
// end.
void LifecycleModel::retire(int id, std::int64_t unneeded_before) {
  std::vector<ModelKey>& keys = at(id).keys;
  const std::int64_t last = keys.back().created;
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    std::int64_t since = last;
    for (std::size_t next = i + 2; next < keys.size(); ++next)
      if (keys[next - 1].state.find("compromised") == std::string::npos)
        since = std::min(since, keys[next].created);
    if (is_gone(keys[i]) || since >= unneeded_before) continue;
    keys[i].state = keys[i].state == "compromised" ? "destroyed-compromised" : "destroyed";
  }
}

void LifecycleModel::retire_before(std::int64_t unneeded_before) {
  for (const int id : living())
    if (!held_against({id})) retire(id, unneeded_before);
}

LifecycleModel::Sweep LifecycleModel::sweep(bool any_number, std::int64_t now) const {
  Sweep done;
  LifecycleModel next = *this;
  done.stages.push_back(next);
  if (now < accepted_ - kModelClockBack || now - accepted_ > kModelClockAhead) {
    done.answer = kRefused;
    return done;
  }
  next.accepted_ = std::max(accepted_, now);
  std::erase_if(next.holds_,
                [&](const ModelHold& hold) { return hold.until != 0 && hold.until <= now; });
  done.stages.push_back(next);
  for (const int id : living())
    if (scope(id).terminates && *scope(id).terminates <= now) next.at(id).ended = true;
  done.stages.push_back(next);
  const std::set<int> dying = next.dying_with(next.ending(now));
  if (dying.size() > kModelSweepLimit && !any_number) {
    done.answer = kRefused;
    return done;
  }
  next.mark_erased(dying);
  done.stages.push_back(next);
  next.retire_before(now - kModelBackups);
  done.stages.push_back(next);
  return done;
}

}  // namespace quietus::test
