// The plan of a request: what would be done, in words that a person can read and sign, and what of
// it must not change until it is done.
#pragma once

#include "governance/requests.hpp"
#include "keys/scope_table.hpp"
#include "vault_core.hpp"

namespace quietus {

inline constexpr UnixMillis kPlanLife = 7 * kDayMillis;

// A hash over everything that carrying out the request would destroy or change, in this instance of
// the vault. Not over keys: one that takes the place of another dies in its stead. kErased: one of
// the scopes is; kHeld; kRefused for scopes with others below them that are not frozen: those could
// grow after they were approved.
Result<Sha256> plan_covers(ControlReader& reader, const RowSeal& seal, const RequestRow& request);

// Each line behind "| ", so that nothing in it passes for a line of the plan.
std::string framed(std::string_view text);
inline constexpr std::size_t kPlanFrame = 2048;  // bytes of a plan beside what it quotes, at most

Result<PlanRow> make_plan(VaultCore& core, ControlReader& reader, ScopeTable& scopes,
                          const RequestRow& request, UnixMillis now);

}  // namespace quietus
