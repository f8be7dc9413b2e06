// The operations of the property test: drawn at random, carried out on a vault and on the model.
#pragma once

#include <quietus/vault.hpp>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "faults/lifecycle_model.hpp"
#include "support/set_clock.hpp"

namespace quietus::test {

// The policy that the model's classes are, and those classes.
std::string_view property_policy();
LifecycleModel new_model(std::int64_t now);

enum class Act {
  kCreate,
  kPut,
  kRemove,
  kSuspend,
  kResume,
  kDeactivate,
  kCompromise,
  kHold,
  kRelease,
  kTerminate,
  kCancelTermination,
  kWithdraw,
  kRestore,
  kExpire,
  kUnexpire,
  kChoose,
  kAskErasure,
  kCancelErasure,
  kErase,
  kRotate,
  kPurge,
  kSweep,
  kSweepWithWrongClock,
  kAcceptClock,
  kAdvance,
  kReopen
};

struct Operation {
  Act act = Act::kReopen;
  std::vector<std::string> paths;  // of kCreate: the scope, then its sources
  std::string name;                // of a record
  std::string content;             // what the record's content is made from
  int days = 0;                    // from now
  std::size_t index = 0;           // of a hold
  bool flag = false;               // a stated use; any number of scopes
  int crash_at = 0;                // killed at that fail point; 0: not at all

  std::string kind() const;
  std::string text() const;
  const std::string& path() const { return paths.front(); }
};

using Random = std::mt19937_64;

// The same seed and the same model draw the same operation on every machine.
Operation draw(Random& random, const LifecycleModel& model, std::int64_t now);

// Where the operation may leave the model when it is interrupted, from as it was to done, and what
// it answers when it is not.
LifecycleModel::Sweep carry_out(const LifecycleModel& model, const Operation& operation,
                                std::int64_t now);
// What the vault answers. `model` is what it was before.
Answer carry_out(Vault& vault, const LifecycleModel& model, const Operation& operation,
                 SetClock& clock);

// Short contents lie in their row, those of "large" records are objects.
Bytes content_from(const std::string& name, const std::string& content);

template <class T>
Answer answer_of(const Result<T>& result) {
  return result ? Answer() : Answer(result.error().code());
}
std::string text_of(const Answer& answer);

}  // namespace quietus::test
