#include "faults/property_agreement.hpp"

#include <algorithm>

#include "faults/property_operations.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

// Collects the first difference.
class Comparison {
 public:
  Comparison(Vault& vault, LifecycleModel& model, std::int64_t now)
      : vault_(vault), model_(model), now_(now) {}

  std::string run(Reading reading) {
    plans();
    holds();
    rotations();
    pending();
    bytes();
    for (const std::string& path : paths()) scope(path, reading);
    same("tenants", must(vault_.status()).tenants, model_.living_children(0).size());
    return first_;
  }

 private:
  template <class T>
  void same(const std::string& what, const T& seen, const T& expected) {
    if (seen != expected)
      differ(what, Catch::Detail::stringify(seen), Catch::Detail::stringify(expected));
  }
  void same(const std::string& what, const Answer& seen, const Answer& expected) {
    if (seen != expected) differ(what, text_of(seen), text_of(expected));
  }
  void differ(const std::string& what, const std::string& seen, const std::string& expected) {
    if (first_.empty()) first_ = what + ": the vault says " + seen + ", the model " + expected;
  }

  std::set<std::string> paths() const {
    std::set<std::string> all{"nobody", "acme/nothing"};
    for (int id = 1; id < static_cast<int>(model_.size()); ++id) all.insert(model_.path_of(id));
    return all;
  }

  // What is due now, and what will be in a month, is what the sweep would take.
  void plans() {
    for (const std::int64_t until : {now_, now_ + 30 * kOneDay}) {
      const auto plan = vault_.retention().plan(until);
      same("a plan", answer_of(plan), Answer());
      if (!plan) return;
      std::set<std::string> paths;
      std::set<std::string> seen;
      for (const Prospective& scope : plan->scopes)
        if (scope.outlook == "due" && !scope.rule.starts_with("derived from ")) {
          paths.insert(scope.path);
          seen.insert(scope.path + " on " + format_utc(scope.when_unix_ms));
        }
      const std::set<int> ending = model_.ending(until);
      std::set<std::string> expected;
      // What ends below one that ends at the same time has no line of its own.
      for (const int id : ending)
        if (paths.contains(model_.path_of(id)) || !ending.contains(model_.scope(id).parent))
          expected.insert(model_.path_of(id) + " on " + format_utc(model_.ends(id)));
      same("due until day " + std::to_string((until - now_) / kOneDay), seen, expected);
      same("living", static_cast<std::size_t>(plan->living), model_.living().size());
    }
  }

  void holds() {
    std::multiset<std::string> seen;
    std::multiset<std::string> expected;
    for (const HoldInfo& hold : must(vault_.lifecycle().holds())) {
      seen.insert(hold.path + " until " + format_utc(hold.until_unix_ms));
      same("authority of a hold on " + hold.path, hold.authority, std::string("file 12"));
    }
    for (const ModelHold& hold : model_.holds())
      expected.insert(model_.path_of(hold.scope) + " until " + format_utc(hold.until));
    same("holds", seen, expected);
  }

  static bool has_older_keys(const ModelScope& scope) {
    return std::any_of(scope.keys.begin(), scope.keys.end() - 1,
                       [](const ModelKey& key) { return !key.state.starts_with("destroyed"); });
  }

  // Those of scopes that were erased since have no path any more.
  void rotations() {
    std::set<std::string> seen;
    std::set<std::string> expected;
    for (const RotationInfo& rotation : must(vault_.lifecycle().rotations())) {
      if (rotation.path.empty()) continue;
      same("finished: the rotation of " + rotation.path, rotation.moved, true);
      seen.insert(rotation.path + " " + std::to_string(rotation.generation));
    }
    for (const int id : model_.living())
      if (has_older_keys(model_.scope(id)))
        expected.insert(model_.path_of(id) + " " + std::to_string(model_.scope(id).keys.size()));
    same("rotations", seen, expected);
  }

  void pending() {
    std::vector<std::string> steps;
    for (const PendingErasure& erasure : must(vault_.status()).pending)
      steps.push_back(erasure.step);
    same("pending erasures", steps, {});
  }

  void bytes() {
    const CheckReport report = must(vault_.check());
    std::vector<std::string> damages;
    for (const Damage& damage : report.damages)
      damages.push_back(damage.where + ": " + damage.what);
    same("damages", damages, {});
    same("orphaned rows", static_cast<std::size_t>(report.orphaned_rows), std::size_t{0});
    std::size_t records = 0;
    for (const int id : model_.living()) records += model_.scope(id).records.size();
    same("records", static_cast<std::size_t>(report.records), records);
  }

  void scope(const std::string& path, Reading reading) {
    const LifecycleModel::Found expected = model_.find(path);
    auto there = vault_.scope(path);
    same("scope " + path, answer_of(there), expected.failed);
    if (!there || expected.failed) {
      same("plan_erase " + path, answer_of(vault_.plan_erase(std::vector<std::string>{path})),
           expected.failed);
      return;
    }
    keys(path, expected.id);
    schedule(path, expected.id);
    children(path, expected.id);
    if (reading == Reading::kAll || model_.scope(expected.id).data_class != "mail")
      records(path, expected.id);
  }

  void keys(const std::string& path, int id) {
    const ModelScope& scope = model_.scope(id);
    const KeyReport seen = must(vault_.lifecycle().keys(path));
    same("state of " + path, seen.state, text_of(scope.state));
    same("effective state of " + path, seen.effective, text_of(model_.effective(id)));
    same("held: " + path, seen.held, model_.covered(id));
    std::map<std::size_t, std::string> seen_keys;
    std::map<std::size_t, std::string> expected_keys;
    for (const KeyInfo& key : seen.keys)
      if (key.line == "data") seen_keys[key.generation] = key.state;
    for (std::size_t i = 0; i < scope.keys.size(); ++i) expected_keys[i + 1] = scope.keys[i].state;
    same("keys of " + path, seen_keys, expected_keys);
    same("class of " + path, must(vault_.describe(path)).data_class, scope.data_class);
  }

  void schedule(const std::string& path, int id) {
    const ModelScope& scope = model_.scope(id);
    const ScheduleInfo seen = must(vault_.retention().schedule(path));
    same("termination of " + path, seen.terminates.value_or(0), scope.terminates.value_or(0));
    same("ended: " + path, seen.ended, scope.ended);
    same("consent of " + path, seen.consent_withdrawn.value_or(0), scope.consent.value_or(0));
    same("expiry of " + path, seen.expires.value_or(0), scope.expires.value_or(0));
    same("erasure of " + path, seen.erase_at.value_or(0), scope.erase_at.value_or(0));
    const std::string chosen = scope.chosen_days ? std::to_string(*scope.chosen_days) + "d" : "";
    same("period of " + path, seen.chosen_period, chosen);
  }

  void children(const std::string& path, int id) {
    std::set<std::string> seen;
    for (const ScopeInfo& child : must(vault_.children(path)))
      if (child.state != ScopeState::kErased) seen.insert(child.name);
    std::set<std::string> expected;
    for (const int child : model_.living_children(id)) expected.insert(model_.scope(child).name);
    same("children of " + path, seen, expected);
  }

  void records(const std::string& path, int id) {
    const Answer refused = model_.may_read(id, false);
    auto plain = vault_.scope(path);
    for (const std::string name : {"a", "b", "large"}) {
      const auto got = plain->get(name);
      same("reading " + path + " " + name, answer_of(got), refused);
      if (got) content(path, name, *got, id);
    }
    if (refused) {
      auto stated = must(vault_.scope(path, RestrictedUse::kLegalClaims));
      for (const std::string name : {"a", "b", "large"}) {
        const auto got = stated.get(name);
        same("reading for a stated use " + path + " " + name, answer_of(got),
             model_.may_read(id, true));
        if (got) content(path, name, *got, id);
      }
    }
    model_.note_use(id, now_);
  }

  void content(const std::string& path, const std::string& name, const std::optional<Bytes>& got,
               int id) {
    const auto& records = model_.scope(id).records;
    const auto record = records.find(name);
    const std::string which = path + " " + name;
    same("there: " + which, got.has_value(), record != records.end());
    if (!got || record == records.end()) return;
    same("whole: " + which, *got == content_from(name, record->second), true);
  }

  Vault& vault_;
  LifecycleModel& model_;
  std::int64_t now_;
  std::string first_;
};

}  // namespace

std::string difference(Vault& vault, LifecycleModel& model, Reading reading, std::int64_t now) {
  return Comparison(vault, model, now).run(reading);
}

void use_everything(Vault& vault, std::vector<LifecycleModel>& models, std::int64_t now) {
  for (LifecycleModel& model : models)
    for (const int id : model.living()) {
      auto scope = vault.scope(model.path_of(id), RestrictedUse::kLegalClaims);
      if (scope) must(scope->get("a"));
      model.note_use(id, now);
    }
}

}  // namespace quietus::test
