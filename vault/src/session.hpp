// Who acts through an open handle of a governed vault, and what they may do with it.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "governance/operators.hpp"

namespace quietus {

struct VaultCore;

struct Actor {
  OperatorId id{};
  std::string name;
};

struct Session {
  std::mutex mutex;
  std::string challenge;   // not answered yet; empty: none
  std::string challenged;  // the operator's name
  std::optional<Actor> actor;
  std::multiset<std::thread::id> approved;  // do what was approved
  std::vector<ScopeId> may_export;          // by a request that was approved, with all below them
};

Result<bool> is_governed(VaultCore& core);

// What destroys, releases, or changes rules is kRefused in a governed vault, unless it is what was
// approved. `what` is told: "an erasure".
Result<void> require_approved(VaultCore& core, std::string_view what);
// The same for what leaves the vault.
Result<void> require_export_approved(VaultCore& core, ScopeId scope);
// kRefused, with what their roles are, when none of them has that duty.
Result<void> check_duty(const Operator& person, Duty duty);
// kRefused when nobody has shown that they act, or they may not do that.
Result<Operator> require_actor(VaultCore& core, ControlReader& reader, const RowSeal& seal,
                               Duty duty);

// While it lives, what its thread does through the handle is what was approved.
class ApprovedAction {
 public:
  explicit ApprovedAction(Session& session);
  ApprovedAction(const ApprovedAction&) = delete;
  ApprovedAction& operator=(const ApprovedAction&) = delete;
  ~ApprovedAction();

 private:
  Session& session_;
};

}  // namespace quietus
