// What a plan and a sweep have in common: the forecast over the whole vault, in pages, so that no
// root change waits long for it.
#pragma once

#include <quietus/retention.hpp>

#include "governance/forecast.hpp"
#include "vault_core.hpp"

namespace quietus {

struct Foreseen {
  std::vector<Prospect> prospects;  // in the order of their time
  std::uint64_t living = 0;
  std::uint64_t unreadable = 0;
  std::uint32_t policy_version = 0;
  std::vector<ScopeId> misdated;  // their making or last activity lies in the future
  std::uint64_t changes = 0;      // TimeRow::changes before the forecast began
};

// `trial`: a policy that is not applied, as the newest version. kCorrupt when a hold or the policy
// cannot be read.
// kBusy after more than `most` scopes.
Result<Foreseen> foresee(VaultCore& core, const Forecast::Request& request,
                         const Policy* trial = nullptr, std::uint64_t most = ~std::uint64_t{0});

RetentionPlan plan_of(VaultCore& core, const Foreseen& foreseen, const Forecast::Request& request);

}  // namespace quietus
