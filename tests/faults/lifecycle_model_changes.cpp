// What each operation changes in the model, or why it is refused.
#include "faults/lifecycle_model.hpp"

namespace quietus::test {

using enum ErrorCode;

namespace {

// SP 800-57: from which state a scope may come into which.
bool may_become(ModelState from, ModelState to) {
  using enum ModelState;
  switch (from) {
    case kActive: return to != kActive;
    case kSuspended: return to != kSuspended;
    case kDeactivated: return to == kCompromised;
    case kCompromised: return false;
  }
  return false;
}

}  // namespace

Answer LifecycleModel::create(const std::string& path, const std::vector<std::string>& sources,
                              std::int64_t now) {
  const auto slash = path.rfind('/');
  const Found parent = find(slash == std::string::npos ? "" : path.substr(0, slash));
  if (parent.failed) return parent.failed;
  ModelScope made;
  made.parent = parent.id;
  made.name = slash == std::string::npos ? path : path.substr(slash + 1);
  for (const std::string& source : sources) {
    const Found found = find(source);
    if (found.failed) return found.failed;
    made.sources.insert(found.id);
  }
  if (const auto taken = child(parent.id, made.name))
    return alive(*taken) ? kAlreadyExists : kErased;
  if (const Answer no = may_write(parent.id, false)) return no;
  for (const int source : made.sources)
    if (const Answer no = may_write(source, false)) return no;
  // The second element of a path names the class; below it the class goes on.
  const ModelScope& above = scope(parent.id);
  if (parent.id != 0) made.data_class = above.parent == 0 ? made.name : above.data_class;
  made.created = now;
  made.name_generation = above.keys.size();
  made.keys = {{"active", now}};
  scopes_.push_back(made);
  return {};
}

Answer LifecycleModel::put(const std::string& path, const std::string& name,
                           const std::string& content, bool stated_use, std::int64_t now) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  if (const Answer no = may_write(found.id, stated_use)) return no;
  auto& records = at(found.id).records;
  if (records.contains(name) && covered(found.id)) return kHeld;
  records[name] = content;
  note_use(found.id, now);
  return {};
}

Answer LifecycleModel::remove(const std::string& path, const std::string& name, std::int64_t now) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  if (const Answer no = may_write(found.id, false)) return no;
  auto& records = at(found.id).records;
  if (records.contains(name) && covered(found.id)) return kHeld;
  records.erase(name);
  note_use(found.id, now);
  return {};
}

Answer LifecycleModel::change_state(const std::string& path, ModelState to) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  ModelScope& changed = at(found.id);
  if (!may_become(changed.state, to)) return kRefused;
  changed.state = to;
  changed.keys.back().state = text_of(to);
  if (to != ModelState::kCompromised) return {};
  for (ModelKey& key : changed.keys)
    if (!is_gone(key)) key.state = text_of(to);
  return {};
}

Answer LifecycleModel::place_hold(const std::string& path, std::int64_t until) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  holds_.push_back({found.id, until});
  return {};
}

Answer LifecycleModel::terminate(const std::string& path, std::int64_t when, std::int64_t now) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  if (scope(found.id).ended) return kRefused;
  at(found.id).terminates = when;
  at(found.id).ended = when <= now;
  return {};
}

// Taking back what was not decided is kNotFound.
Answer LifecycleModel::decide(const std::string& path,
                              std::optional<std::int64_t> ModelScope::*date,
                              std::optional<std::int64_t> value) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  if (!value && !(scope(found.id).*date)) return kNotFound;
  at(found.id).*date = value;
  return {};
}

Answer LifecycleModel::cancel_termination(const std::string& path) {
  if (const Answer no = decide(path, &ModelScope::terminates, {})) return no;
  at(find(path).id).ended = false;
  return {};
}
Answer LifecycleModel::withdraw(const std::string& path, std::int64_t when) {
  return decide(path, &ModelScope::consent, when);
}
Answer LifecycleModel::restore(const std::string& path) {
  return decide(path, &ModelScope::consent, {});
}
Answer LifecycleModel::expire(const std::string& path, std::optional<std::int64_t> when) {
  return decide(path, &ModelScope::expires, when);
}
Answer LifecycleModel::cancel_erasure(const std::string& path) {
  return decide(path, &ModelScope::erase_at, {});
}

Answer LifecycleModel::choose(const std::string& path, int days) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  const ModelClass* rules = rules_of(found.id);
  if (rules == nullptr || !rules->most_chosen || days > *rules->most_chosen) return kRefused;
  at(found.id).chosen_days = days;
  return {};
}

Answer LifecycleModel::ask_erasure(const std::vector<std::string>& paths, std::int64_t now) {
  std::set<int> targets;
  for (const std::string& path : paths) {
    const Found found = find(path);
    if (found.failed) return found.failed;
    targets.insert(found.id);
  }
  for (const int id : targets)
    if (scope(id).erase_at) return kAlreadyExists;
  if (held_against(targets)) return kHeld;
  for (const int id : targets) {
    const ModelClass* rules = rules_of(id);
    at(id).erase_at = now + (rules == nullptr ? 0 : rules->grace) * kOneDay;
  }
  return {};
}

Answer LifecycleModel::erase(const std::vector<std::string>& paths) {
  std::set<int> targets;
  for (const std::string& path : paths) {
    const Found found = find(path);
    if (found.failed) return found.failed;
    targets.insert(found.id);
  }
  if (held_against(targets)) return kHeld;
  mark_erased(targets);
  return {};
}

Answer LifecycleModel::rotate(const std::string& path, bool purge, std::int64_t now) {
  const Found found = find(path);
  if (found.failed) return found.failed;
  if (purge && held_against({found.id})) return kHeld;
  const std::vector<int> children = living_children(found.id);
  ModelScope& rotated = at(found.id);
  if (rotated.state == ModelState::kCompromised) rotated.state = ModelState::kActive;
  for (ModelKey& key : rotated.keys)
    if (key.state == "active" || key.state == "suspended") key.state = "deactivated";
  rotated.keys.push_back({text_of(rotated.state), now});
  for (const int child : children) at(child).name_generation = rotated.keys.size();
  if (purge) retire(found.id, kNoDay);
  return {};
}

}  // namespace quietus::test
