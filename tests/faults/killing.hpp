// Operations that are killed at each of their fail points, in a vault that was put back as it was.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/failpoint.hpp"
#include "faults/erase.hpp"
#include "support/sanitized.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

namespace quietus::test {

inline const std::vector<std::string>& scopes() {
  static const std::vector<std::string> all = {
      "acme", "acme/customer", "acme/customer/u1", "acme/customer/u2", "globex", "globex/orders"};
  return all;
}

inline std::vector<std::string> names_in(const std::string& scope) {
  if (scope == "acme/customer/u1" || scope == "globex") return {"small", "large"};
  return {"small"};
}

inline bool lies_in(const std::string& scope, const std::string& above) {
  return scope == above || scope.starts_with(above + "/");
}

// Two tenants with data, and a third that was erased.
class Vaults : public VaultPlace {
 public:
  Vaults() {
    auto core = must(create());
    Vault vault(core);
    for (const std::string& scope : scopes()) {
      ids_[scope] = must(vault.create_scope(scope)).id();
      for (const std::string& name : names_in(scope)) must(put_known(vault, scope, name));
    }
    must(vault.create_scope("old"));
    must(put_known(vault, "old", "small"));
    must(erase(vault, "old"));
    vault = Vault(nullptr);
    core.reset();
    keep("base");
  }
  std::uint64_t id_of(const std::string& scope) const { return ids_.at(scope); }

 private:
  std::map<std::string, std::uint64_t> ids_;
};

struct Crash {
  std::vector<std::string> told;
  std::string at;  // the fail point; empty: it went through
  bool said(const std::string& line) const {
    return std::find(told.begin(), told.end(), line) != told.end();
  }
};

using Body = std::function<Result<void>(const Telling&)>;

// Runs `body` in a process of its own that is killed at the n-th fail point.
inline Crash killed_at(int n, const Body& body) {
  Worker worker([&](const Telling& parent) {
    failpoint::install(failpoint::at_nth(n, [&](std::string_view name) -> Result<void> {
      parent.tell("at " + std::string(name));
      kill(getpid(), SIGKILL);
      return {};
    }));
    const auto done = body(parent);
    if (!done) parent.tell(std::string(name_of(done.error().code())) + done.error().context());
    return done.ok();
  });
  Crash crash;
  crash.told = worker.hear_all();
  const int status = worker.await_end();
  INFO("child " << n << " said last: " << (crash.told.empty() ? "nothing" : crash.told.back()));
  if (was_killed(status)) {
    REQUIRE(crash.told.back().starts_with("at "));
    crash.at = crash.told.back().substr(3);
    crash.told.pop_back();
  } else {
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
  }
  return crash;
}

// Kills `body` at each of its fail points, the ones of opening and closing included, each time in
// the vault as it was, and looks at what is left. The names of the points.
inline std::set<std::string> kill_everywhere(const Body& prepare_and_run,
                                             const std::function<void()>& prepare,
                                             const std::function<void(const Crash&)>& check) {
  std::set<std::string> points;
  for (int n = 1;; ++n) {
    prepare();
    const Crash crash = killed_at(n, prepare_and_run);
    // Under a sanitizer, a point that is passed many times is looked at now and then.
    const bool again = !crash.at.empty() && points.contains(crash.at);
    if (again && n % kPointStep != 0) continue;
    INFO("killed at fail point " << n << " " << crash.at);
    check(crash);
    if (crash.at.empty()) return points;
    points.insert(crash.at);
    REQUIRE(n < 500);
  }
}

inline Body in_vault(const VaultPlace& place,
                     std::function<Result<void>(Vault&, const Telling&)> operation) {
  return [&place, operation = std::move(operation)](const Telling& parent) -> Result<void> {
    QUIETUS_TRY_AS(auto core, place.open());
    Vault vault(std::move(core));
    return operation(vault, parent);
  };
}

// What was there before the operation is whole, but for what lies in `target`: that is whole or
// erased, all of it alike, and erased only with a certificate. Whether it is erased.
inline bool check_base(const Vaults& place, VaultCore& core, Vault& vault,
                       const std::string& target = "-") {
  const auto certified = check_invariants(core, vault);
  CHECK(reading(vault, "old", "small") == "erased");
  std::set<std::string> of_target;
  for (const std::string& scope : scopes())
    for (const std::string& name : names_in(scope)) {
      const std::string seen = reading(vault, scope, name);
      INFO(scope << " " << name);
      if (lies_in(scope, target))
        of_target.insert(seen);
      else
        CHECK(seen == "whole");
    }
  if (target == "-") {
    CHECK(certified.size() == 1);
    return false;
  }
  REQUIRE(of_target.size() == 1);
  const bool erased = *of_target.begin() == "erased";
  CHECK((erased || *of_target.begin() == "whole"));
  CHECK(certified.size() == (erased ? 2U : 1U));
  const bool named =
      std::find(certified.begin(), certified.end(), place.id_of(target)) != certified.end();
  CHECK(named == erased);
  return erased;
}

// Says so when the record is durable.
inline Result<void> put_told(Vault& vault, const Telling& parent, const std::string& scope,
                             const std::string& name) {
  QUIETUS_TRY(put_known(vault, scope, name));
  parent.tell("put " + name);
  return {};
}

}  // namespace quietus::test
