// Which operations a seed stands for.
#include <algorithm>
#include <array>

#include "faults/property_operations.hpp"

namespace quietus::test {
namespace {

struct Named {
  Act act;
  const char* name;
  unsigned weight;  // how often it is drawn
  int fail_points;  // about as many as it passes
};

constexpr std::array<Named, 26> kActs = {{
    {Act::kCreate, "create", 16, 6},
    {Act::kPut, "put", 17, 6},
    {Act::kRemove, "remove", 5, 6},
    {Act::kSuspend, "suspend", 4, 6},
    {Act::kResume, "resume", 4, 6},
    {Act::kDeactivate, "deactivate", 1, 6},
    {Act::kCompromise, "compromise", 2, 6},
    {Act::kHold, "hold", 4, 6},
    {Act::kRelease, "release", 4, 6},
    {Act::kTerminate, "terminate", 4, 6},
    {Act::kCancelTermination, "cancel termination", 2, 6},
    {Act::kWithdraw, "withdraw consent", 2, 6},
    {Act::kRestore, "restore consent", 1, 6},
    {Act::kExpire, "expire", 6, 6},
    {Act::kUnexpire, "unexpire", 1, 6},
    {Act::kChoose, "choose period", 1, 6},
    {Act::kAskErasure, "ask for erasure", 5, 6},
    {Act::kCancelErasure, "cancel erasure", 2, 6},
    {Act::kErase, "erase", 4, 40},
    {Act::kRotate, "rotate", 4, 30},
    {Act::kPurge, "purge", 4, 60},
    {Act::kSweep, "sweep", 6, 60},
    {Act::kSweepWithWrongClock, "sweep with a clock that went back", 1, 0},
    {Act::kAcceptClock, "accept clock", 3, 4},
    {Act::kAdvance, "advance", 15, 0},
    {Act::kReopen, "reopen", 1, 0},
}};

const Named& facts_of(Act act) {
  return *std::find_if(kActs.begin(), kActs.end() - 1,
                       [&](const Named& named) { return named.act == act; });
}

// --- drawing

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}
bool chance(Random& random, unsigned percent) {
  return below(random, 100) < percent;
}

const Named& draw_act(Random& random) {
  std::size_t total = 0;
  for (const Named& named : kActs) total += named.weight;
  std::size_t at = below(random, total);
  for (const Named& named : kActs) {
    if (at < named.weight) return named;
    at -= named.weight;
  }
  return kActs.back();
}

// Mostly one that lives; else one that did, or none.
std::string draw_path(Random& random, const LifecycleModel& model) {
  const auto living = model.living();
  if (!living.empty() && chance(random, 88))
    return model.path_of(living[below(random, living.size())]);
  if (model.size() > 1 && chance(random, 80))
    return model.path_of(1 + static_cast<int>(below(random, model.size() - 1)));
  return chance(random, 50) ? "nobody" : "acme/nothing";
}

// One of those on which the operation has something to do, if there is any.
template <class Wanted>
std::string draw_wanted(Random& random, const LifecycleModel& model, const Wanted& wanted) {
  std::vector<int> found;
  for (const int id : model.living())
    if (wanted(model.scope(id))) found.push_back(id);
  if (found.empty() || chance(random, 20)) return draw_path(random, model);
  return model.path_of(found[below(random, found.size())]);
}

std::string draw_new_path(Random& random, const LifecycleModel& model) {
  static const std::array<const char*, 8> tenants = {"acme",     "globex", "initech", "hooli",
                                                     "umbrella", "stark",  "wayne",   "tyrell"};
  static const std::array<const char*, 5> classes = {"orders", "mail", "logs", "claims", "notes"};
  static const std::array<const char*, 3> subjects = {"u1", "u2", "u3"};
  const auto living = model.living();
  if (living.empty() || chance(random, 15)) return tenants[below(random, tenants.size())];
  // A name that was given before, perhaps to what is erased now.
  if (chance(random, 15))
    return model.path_of(1 + static_cast<int>(below(random, model.size() - 1)));
  const std::string parent = draw_path(random, model);
  const bool is_tenant = parent.find('/') == std::string::npos;
  return parent + "/" +
         (is_tenant ? classes[below(random, classes.size())]
                    : subjects[below(random, subjects.size())]);
}

constexpr std::size_t kMostLiving = 24;

void draw_scope(Random& random, const LifecycleModel& model, Operation& made) {
  if (model.living().size() >= kMostLiving) {
    made.act = Act::kAdvance;
    return;
  }
  made.paths = {draw_new_path(random, model)};
  if (model.size() == 1 || !chance(random, 40)) return;
  // What lies above it counts anyway.
  std::string source = draw_path(random, model);
  for (int tries = 0; tries < 4 && (made.path() + "/").starts_with(source + "/"); ++tries)
    source = draw_path(random, model);
  made.paths.push_back(source);
}

// Something that other things were derived from, if there is any.
std::string draw_source(Random& random, const LifecycleModel& model) {
  std::set<int> sources;
  for (const int id : model.living())
    sources.insert(model.scope(id).sources.begin(), model.scope(id).sources.end());
  if (sources.empty()) return draw_path(random, model);
  return model.path_of(
      *std::next(sources.begin(), static_cast<std::ptrdiff_t>(below(random, sources.size()))));
}

std::string draw_target(Random& random, const LifecycleModel& model, Act act) {
  static const std::set<Act> of_standing = {Act::kSuspend, Act::kDeactivate, Act::kCompromise,
                                            Act::kHold};
  if (of_standing.contains(act) && chance(random, 35)) return draw_source(random, model);
  const auto wanted = [&](const ModelScope& scope) {
    switch (act) {
      case Act::kResume: return scope.state == ModelState::kSuspended;
      case Act::kCancelTermination: return scope.terminates.has_value();
      case Act::kRestore: return scope.consent.has_value();
      case Act::kUnexpire: return scope.expires.has_value();
      case Act::kCancelErasure: return scope.erase_at.has_value();
      case Act::kTerminate: return scope.parent == 0;
      case Act::kChoose: return scope.data_class == "orders";
      case Act::kWithdraw: return scope.data_class == "mail";
      case Act::kRotate:
      case Act::kPurge: return scope.state == ModelState::kCompromised || scope.keys.size() < 3;
      default: return true;
    }
  };
  return draw_wanted(random, model, wanted);
}

Operation draw_any(Random& random, const LifecycleModel& model) {
  Operation drawn;
  const Named& named = draw_act(random);
  drawn.act = named.act;
  static const std::array<const char*, 3> names = {"a", "b", "large"};
  drawn.name = names[below(random, names.size())];
  drawn.content = std::to_string(below(random, 1'000'000)) + ";";
  // Now and then longer than the clock may go ahead in one step.
  drawn.days = static_cast<int>(chance(random, 6) ? 33 : below(random, 8));
  drawn.flag = chance(random, 15);
  drawn.index = model.holds().empty() ? 0 : below(random, model.holds().size());
  if (drawn.act == Act::kCreate) {
    draw_scope(random, model, drawn);
  } else {
    drawn.paths = {draw_target(random, model, drawn.act)};
    const bool several = drawn.act == Act::kErase || drawn.act == Act::kAskErasure;
    const std::string other = draw_path(random, model);
    if (several && chance(random, 30) && other != drawn.path()) drawn.paths.push_back(other);
  }
  if (drawn.act == Act::kAdvance) drawn.days += 1;
  return drawn;
}

// One that does something is more worth interrupting than one that is refused, and a root change
// more than anything else.
int draw_crash(Random& random, const LifecycleModel& model, const Operation& drawn,
               const LifecycleModel::Sweep& expected) {
  const bool quiet_sweep =
      drawn.act == Act::kSweep && expected.stages.back().living().size() == model.living().size();
  const int points = quiet_sweep ? 4 : facts_of(drawn.act).fail_points;
  const unsigned likely = expected.answer ? 2 : points > 10 ? 60 : 10;
  if (points == 0 || !chance(random, likely)) return 0;
  return 1 + static_cast<int>(below(random, static_cast<std::size_t>(points)));
}

}  // namespace

Operation draw(Random& random, const LifecycleModel& model, std::int64_t now) {
  for (int tries = 1;; ++tries) {
    Operation drawn = draw_any(random, model);
    if (!model.ending(now).empty() && chance(random, 30)) drawn.act = Act::kSweep;
    const auto expected = carry_out(model, drawn, now);
    // Most are refused somehow: not too many of those.
    if (expected.answer && tries < 3 && chance(random, 70)) continue;
    drawn.crash_at = draw_crash(random, model, drawn, expected);
    return drawn;
  }
}

std::string Operation::kind() const {
  return facts_of(act).name;
}

std::string Operation::text() const {
  std::string text = kind();
  const bool whole = act == Act::kSweep || act >= Act::kSweepWithWrongClock;
  if (act == Act::kRelease) text += " " + std::to_string(index);
  if (!whole && act != Act::kRelease)
    for (const std::string& each : paths) text += " " + each;
  if (act == Act::kPut || act == Act::kRemove) text += " " + name;
  if (act == Act::kPut) text += " = " + content;
  static const std::set<Act> dated = {Act::kHold,   Act::kTerminate, Act::kWithdraw,
                                      Act::kExpire, Act::kChoose,    Act::kAdvance};
  if (dated.contains(act)) text += ", " + std::to_string(days) + " days";
  if (flag && act == Act::kPut) text += ", for a stated use";
  if (flag && act == Act::kSweep) text += ", any number";
  if (crash_at > 0) text += ", killed at fail point " + std::to_string(crash_at);
  return text;
}

}  // namespace quietus::test
