// Of what is due, what can end: a damaged row or a hold that is in the way of one keeps it, and not
// the others.
#pragma once

#include <map>
#include <span>

#include "crypto/hash.hpp"
#include "governance/forecast.hpp"
#include "vault_core.hpp"

namespace quietus {

// Everything that ends with some scopes: those, what lies below them, what was derived.
struct Dying {
  std::uint64_t scopes = 0;
  Sha256 which{};  // a digest of their ids
  bool operator==(const Dying&) const = default;
};

struct SweepTargets {
  std::vector<Prospect> due;
  Dying dying;
  std::map<ScopeId, Outlook> kept;  // and why
};

// Asks what T1 will ask: where a damaged row hides what a hold covers, any hold counts there.
// Holds whose day has come by `now` are gone by then. What something that is kept lies in waits for
// it, unless its erasure was asked for.
Result<SweepTargets> sort_out(VaultCore& core, std::span<const Prospect> prospects, UnixMillis now);

// kCorrupt.
Result<Dying> dying_with(ControlReader& reader, const RowSeal& seal, std::span<const Prospect> due);

// Those of them that are still there.
Result<std::vector<ScopeId>> still_alive(VaultCore& core, std::span<const Prospect> due);

}  // namespace quietus
