// Must hold: after any sequence of operations, crashes among them, the vault is what a small model
// of the documents says. QUIETUS_PROPERTY_SEEDS=N tries so many seeds, QUIETUS_PROPERTY_SEED=S that
// one alone, QUIETUS_PROPERTY_STEPS=N that many operations of each.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "faults/killing.hpp"
#include "faults/property_agreement.hpp"
#include "faults/property_operations.hpp"
#include "governance/calendar.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::uint64_t kDefaultSeeds = 6;
constexpr std::uint64_t kDefaultSteps = 60;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// How often what came about, so that it can be seen that everything did.
using Tally = std::map<std::string, int>;

// A vault, and what it should be.
class Property {
 public:
  Property(std::uint64_t seed, Tally& tally)
      : random_(seed),
        tally_(tally),
        clock_(*parse_day("2027-03-01")),
        model_(new_model(clock_.now())) {
    std::filesystem::create_directories(place_.live());
    core_ = must(VaultCore::create(place_.vault(), place_.unlock(), place_.create_options(),
                                   {posix_file_system(), clock_}));
    Vault vault(core_);
    must(vault.retention().apply_policy(property_policy()));
  }

  // The first thing in which they differ when this was done to the model alone.
  std::string after_in_the_model_alone(const Operation& operation) {
    LifecycleModel other = carry_out(model_, operation, clock_.now()).stages.back();
    Vault vault(core_);
    return difference(vault, other, Reading::kAll, clock_.now());
  }

  Operation draw() { return quietus::test::draw(random_, model_, clock_.now()); }

  void step(const Operation& operation) {
    if (operation.act == Act::kAdvance) clock_.set(clock_.now() + operation.days * kOneDay);
    if (operation.act == Act::kReopen) reopen();
    const auto expected = carry_out(model_, operation, clock_.now());
    ++tally_[operation.kind() + ": " + text_of(expected.answer)];
    const bool thorough = operation.crash_at > 0 || ++steps_ % 8 == 0;
    if (operation.crash_at > 0) {
      crash(operation, expected);
    } else {
      Vault vault(core_);
      check_answer(carry_out(vault, model_, operation, clock_), expected);
      if (operation.act == Act::kSweep && !expected.answer && ends_something(expected.stages))
        ++tally_["sweep: something ended"];
      model_ = expected.stages.back();
      agree(thorough ? Reading::kAll : Reading::kButMail);
    }
    Vault vault(core_);
    if (thorough) check_invariants(*core_, vault);
  }

 private:
  void open() {
    core_ =
        must(VaultCore::open(place_.vault(), place_.unlock(), {}, {posix_file_system(), clock_}));
  }
  void reopen() {
    core_.reset();
    open();
  }

  static void check_answer(const Answer& answer, const LifecycleModel::Sweep& expected) {
    INFO("answered " << text_of(answer) << ", expected " << text_of(expected.answer));
    REQUIRE(answer == expected.answer);
  }

  void agree(Reading reading) {
    Vault vault(core_);
    const std::string differs = difference(vault, model_, reading, clock_.now());
    if (!differs.empty()) FAIL(differs);
  }

  // Does it in a process that is killed on the way; then the vault is as it was, or as it should
  // be, or, of a sweep, as between two of its steps.
  void crash(const Operation& operation, const LifecycleModel::Sweep& expected) {
    core_.reset();
    Worker worker([&](const Telling& parent) { return work(operation, parent); });
    const std::vector<std::string> told = worker.hear_all();
    const int status = worker.await_end();
    if (was_killed(status)) {
      ++tally_["killed at " + told.back()];
    } else {
      REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    }
    std::string points;
    for (const std::string& line : told) points += "\n  " + line;
    INFO("points passed:" << points);
    open();
    find_among(operation, allowed_after(operation, expected, told));
  }

  bool work(const Operation& operation, const Telling& parent) {
    open();
    int passed = 0;
    failpoint::install([&](std::string_view name) -> Result<void> {
      parent.tell(name);
      if (++passed == operation.crash_at) kill(getpid(), SIGKILL);
      return {};
    });
    {
      Vault vault(core_);
      parent.tell("answered " + text_of(carry_out(vault, model_, operation, clock_)));
    }
    core_.reset();
    failpoint::install({});
    return true;
  }

  static bool passed(const std::vector<std::string>& told, const std::string& point) {
    return std::find(told.begin(), told.end(), point) != told.end();
  }

  static std::vector<LifecycleModel> allowed_after(const Operation& operation,
                                                   const LifecycleModel::Sweep& expected,
                                                   const std::vector<std::string>& told) {
    std::vector<LifecycleModel> allowed = expected.stages;
    const auto answered = std::find_if(told.begin(), told.end(), [](const std::string& line) {
      return line.starts_with("answered ");
    });
    if (answered != told.end()) CHECK(*answered == "answered " + text_of(expected.answer));
    // What was decided by hand is done, however the process ended.
    const bool decided = operation.act == Act::kErase && passed(told, "change/after-t1");
    if (answered != told.end() || decided) return {allowed.back()};
    // An erasure of a sweep is given up before T2, and done after it.
    if (operation.act != Act::kSweep || expected.answer || !ends_something(allowed)) return allowed;
    const auto first = allowed.begin() + LifecycleModel::Sweep::kErased;
    if (passed(told, "change/after-t2")) return {first, allowed.end()};
    if (stopped_before_t2(told)) return {allowed.begin(), first};
    return allowed;
  }

  // Nothing was committed after T1.
  static bool stopped_before_t2(const std::vector<std::string>& told) {
    const auto t1 = std::find(told.begin(), told.end(), "change/after-t1");
    return t1 != told.end() && std::find(t1, told.end(), "store/after-commit") == told.end();
  }

  static bool ends_something(const std::vector<LifecycleModel>& stages) {
    return stages[LifecycleModel::Sweep::kErased].living().size() <
           stages[LifecycleModel::Sweep::kErased - 1].living().size();
  }

  // Newest first: what went on to its end is not taken for what stopped.
  void find_among(const Operation& operation, std::vector<LifecycleModel> allowed) {
    Vault vault(core_);
    must(vault.lifecycle().resume_rotations());
    must(vault.retention().accept_clock());
    for (LifecycleModel& model : allowed) model.accept_clock(clock_.now());
    use_everything(vault, allowed, clock_.now());
    std::string differences;
    for (auto model = allowed.rbegin(); model != allowed.rend(); ++model) {
      const std::string differs = difference(vault, *model, Reading::kAll, clock_.now());
      if (differs.empty()) {
        ++tally_[operation.kind() + " killed: stage " + std::to_string(allowed.rend() - model) +
                 " of " + std::to_string(allowed.size())];
        model_ = *model;
        return;
      }
      differences += "\n  " + differs;
    }
    FAIL("the vault is nothing that it may be after the crash:" << differences);
  }

  Random random_;
  Tally& tally_;
  SetClock clock_;
  VaultPlace place_;
  std::shared_ptr<VaultCore> core_;
  LifecycleModel model_;
  std::size_t steps_ = 0;
};

Operation operation(Act act, std::vector<std::string> paths, int days = 0) {
  Operation made;
  made.act = act;
  made.paths = std::move(paths);
  made.name = "a";
  made.content = "one;";
  made.days = days;
  return made;
}

// So that there is something to work on from the first step on.
std::vector<Operation> first_scopes() {
  return {operation(Act::kCreate, {"acme"}),
          operation(Act::kCreate, {"acme/orders"}),
          operation(Act::kCreate, {"acme/orders/u1"}),
          operation(Act::kCreate, {"acme/mail"}),
          operation(Act::kCreate, {"acme/logs"}),
          operation(Act::kCreate, {"globex"}),
          operation(Act::kCreate, {"globex/orders"}),
          operation(Act::kCreate, {"globex/notes", "acme/orders/u1"})};
}

void try_seed(std::uint64_t seed, std::uint64_t steps, Tally& tally) {
  std::string history = "QUIETUS_PROPERTY_SEED=" + std::to_string(seed);
  Property property(seed, tally);
  for (const Operation& first : first_scopes()) property.step(first);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    const Operation next = property.draw();
    history += "\n" + std::to_string(step) + " " + next.text();
    INFO(history);
    property.step(next);
  }
}

}  // namespace

TEST_CASE("After any sequence of operations and crashes the vault is what the model says",
          "[property]") {
  const std::uint64_t only = number_from("QUIETUS_PROPERTY_SEED", 0);
  const std::uint64_t first = only == 0 ? 1 : only;
  const std::uint64_t seeds = number_from("QUIETUS_PROPERTY_SEEDS", 0);
  const std::uint64_t last = only == 0 ? std::max<std::uint64_t>(seeds, kDefaultSeeds) : only;
  Tally tally;
  for (std::uint64_t seed = first; seed <= last; ++seed)
    try_seed(seed, number_from("QUIETUS_PROPERTY_STEPS", kDefaultSteps), tally);
  if (only != 0 || seeds != 0)
    for (const auto& [what, times] : tally) std::cout << times << " " << what << "\n";
}

TEST_CASE("What was not done in the vault but in the model, or the other way round, is noticed",
          "[property]") {
  Tally tally;
  Property property(1, tally);
  for (const Operation& first : first_scopes()) property.step(first);
  property.step(operation(Act::kPut, {"acme/orders"}));
  property.step(operation(Act::kHold, {"acme/orders/u1"}));
  property.step(operation(Act::kSuspend, {"globex/orders"}));
  property.step(operation(Act::kTerminate, {"globex"}, 3));
  property.step(operation(Act::kAskErasure, {"globex/orders"}));
  CHECK(property.after_in_the_model_alone(operation(Act::kReopen, {})).empty());
  for (const Operation& only : {operation(Act::kCreate, {"acme/claims"}),
                                operation(Act::kPut, {"acme/logs"}),
                                operation(Act::kRemove, {"acme/orders"}),
                                operation(Act::kSuspend, {"acme/mail"}),
                                operation(Act::kResume, {"globex/orders"}),
                                operation(Act::kDeactivate, {"acme/logs"}),
                                operation(Act::kCompromise, {"acme/orders/u1"}),
                                operation(Act::kHold, {"acme/mail"}, 4),
                                operation(Act::kRelease, {}),
                                operation(Act::kTerminate, {"acme"}, 2),
                                operation(Act::kCancelTermination, {"globex"}),
                                operation(Act::kWithdraw, {"acme/mail"}, 1),
                                operation(Act::kExpire, {"acme/logs"}, 1),
                                operation(Act::kChoose, {"acme/orders"}, 2),
                                operation(Act::kAskErasure, {"acme/logs"}),
                                operation(Act::kCancelErasure, {"globex/orders"}),
                                operation(Act::kErase, {"acme/logs"}),
                                operation(Act::kRotate, {"acme"}),
                                operation(Act::kPurge, {"acme/logs"}),
                                operation(Act::kSweep, {})}) {
    INFO(only.kind());
    CHECK_FALSE(property.after_in_the_model_alone(only).empty());
  }
}
