// What a vault is after any sequence of operations, as docs/lifecycle.md, retention.md and
// erasure.md say it: scopes, what they depend on, states, holds, schedules, keys by generation,
// records. No files, no keys, no processes; every question is answered by looking at everything.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quietus::test {

// What an operation answers: nothing when it is done.
using Answer = std::optional<ErrorCode>;

constexpr std::int64_t kOneDay = 86'400'000;
constexpr std::int64_t kNoDay = INT64_MAX;

// In the order of what they allow: all, reading, and, each by exception, both or reading alone.
enum class ModelState { kActive, kDeactivated, kSuspended, kCompromised };
std::string text_of(ModelState state);

struct ModelKey {
  std::string state;
  std::int64_t created = 0;
};
inline bool is_gone(const ModelKey& key) {
  return key.state.starts_with("destroyed");
}

struct ModelScope {
  int parent = 0;
  std::string name;
  std::string data_class;
  std::set<int> sources;
  std::int64_t created = 0;
  std::int64_t used = 0;  // the day on which it was read or written last
  ModelState state = ModelState::kActive;
  bool erased = false;              // by name, or as what was due
  std::size_t name_generation = 0;  // of its parent's key: where its name is found
  std::vector<ModelKey> keys{};     // of the data line, by generation from 1
  std::optional<std::int64_t> terminates{};
  bool ended = false;
  std::optional<std::int64_t> consent{};
  std::optional<std::int64_t> expires{};
  std::optional<std::int64_t> erase_at{};
  std::optional<int> chosen_days{};
  std::map<std::string, std::string> records{};
};

struct ModelHold {
  int scope = 0;
  std::int64_t until = 0;  // 0: until it is released
};

// The rules of a class, as the property test's policy has them; all periods are days.
struct ModelRule {
  std::string trigger;  // "termination", "creation", "last-activity", "consent-withdrawn"
  int days = 0;
  bool review = false;
};
struct ModelClass {
  std::vector<ModelRule> rules;
  int grace = 0;
  std::optional<int> most_chosen;  // days that a tenant may choose
};

// Numbers of the documents.
constexpr std::int64_t kModelBackups = 30 * kOneDay;    // without "backup-retention"
constexpr std::int64_t kModelClockBack = kOneDay / 24;  // retention.md, section 6
constexpr std::int64_t kModelClockAhead = 31 * kOneDay;
constexpr std::size_t kModelSweepLimit = 10;  // of fewer than a hundred scopes

class LifecycleModel {
 public:
  // A path, and who it names now; or why nobody.
  struct Found {
    int id = 0;
    Answer failed;
  };

  LifecycleModel(std::map<std::string, ModelClass> classes, ModelClass tenant, std::int64_t now);

  // Operations. Those that are refused change nothing.
  Answer create(const std::string& path, const std::vector<std::string>& sources, std::int64_t now);
  Answer put(const std::string& path, const std::string& name, const std::string& content,
             bool stated_use, std::int64_t now);
  Answer remove(const std::string& path, const std::string& name, std::int64_t now);
  Answer change_state(const std::string& path, ModelState to);
  Answer place_hold(const std::string& path, std::int64_t until);
  void release_hold(std::size_t index) { holds_.erase(holds_.begin() + static_cast<long>(index)); }
  Answer terminate(const std::string& path, std::int64_t when, std::int64_t now);
  Answer cancel_termination(const std::string& path);
  Answer withdraw(const std::string& path, std::int64_t when);
  Answer restore(const std::string& path);
  Answer expire(const std::string& path, std::optional<std::int64_t> when);
  Answer choose(const std::string& path, int days);
  Answer ask_erasure(const std::vector<std::string>& paths, std::int64_t now);
  Answer cancel_erasure(const std::string& path);
  Answer erase(const std::vector<std::string>& paths);
  Answer rotate(const std::string& path, bool purge, std::int64_t now);
  void accept_clock(std::int64_t now) { accepted_ = now; }

  // A sweep goes through several transactions, and a crash may leave it behind any of them: what
  // the vault is after each. The last is where it ends.
  struct Sweep {
    static constexpr std::size_t kErased = 3;  // what is due is erased in that stage
    Answer answer;
    std::vector<LifecycleModel> stages;
  };
  Sweep sweep(bool any_number, std::int64_t now) const;

  // Questions.
  Found find(const std::string& path) const;
  Answer may_write(int id, bool stated_use) const;
  Answer may_read(int id, bool stated_use) const;
  ModelState effective(int id) const;
  bool alive(int id) const;
  bool covered(int id) const;  // by a hold
  std::string path_of(int id) const;
  std::vector<int> living() const;
  std::vector<int> living_children(int id) const;
  // The day on which a sweep takes it, or kNoDay.
  std::int64_t ends(int id) const;
  // What ends until then by its own rules, or because it was asked for; not what it takes along.
  std::set<int> ending(std::int64_t until) const;
  std::set<int> dying_with(const std::set<int>& targets) const;
  const ModelScope& scope(int id) const { return scopes_[static_cast<std::size_t>(id)]; }
  const std::vector<ModelHold>& holds() const { return holds_; }
  std::int64_t accepted() const { return accepted_; }
  std::size_t size() const { return scopes_.size(); }

  void note_use(int id, std::int64_t now) { at(id).used = now / kOneDay * kOneDay; }

 private:
  ModelScope& at(int id) { return scopes_[static_cast<std::size_t>(id)]; }
  std::optional<int> child(int parent, const std::string& name) const;
  std::set<int> depends_on(int id) const;
  bool held_against(const std::set<int>& targets) const;
  std::int64_t kept_until(int id) const;
  bool lies_in(int id, int above) const;
  bool restriction_keeps(int id) const;
  bool restricted(int id) const;
  const ModelClass* rules_of(int id) const;
  std::int64_t begin_of(const ModelRule& rule, int id) const;
  std::int64_t due_by_rule(int id) const;
  std::int64_t asked_for(int id) const;
  std::int64_t earliest_above(int id, std::optional<std::int64_t> ModelScope::*date) const;
  void mark_erased(const std::set<int>& targets);
  void retire_before(std::int64_t unneeded_before);
  void retire(int id, std::int64_t unneeded_before);
  Answer decide(const std::string& path, std::optional<std::int64_t> ModelScope::*date,
                std::optional<std::int64_t> value);

  std::map<std::string, ModelClass> classes_;
  ModelClass tenant_;
  std::vector<ModelScope> scopes_;  // 0 is the vault
  std::vector<ModelHold> holds_;
  std::int64_t accepted_;
};

}  // namespace quietus::test
