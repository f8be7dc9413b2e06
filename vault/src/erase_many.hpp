// Erasing any number of scopes at once, each for its own reason: what a retention sweep does.
// docs/erasure.md, section 1.1.
#pragma once

#include <span>
#include <string>

#include "erase_scopes.hpp"

namespace quietus {

struct ManyErased {
  std::string erasure_id;     // 32 hex digits
  std::uint64_t erased = 0;   // scopes; not counting what lies below them
  std::uint64_t skipped = 0;  // unknown, erased before, or with damaged rows
  std::uint64_t root_generation_before = 0;
  std::uint64_t root_generation_after = 0;
  std::uint32_t holders_acknowledged = 0;
  std::uint32_t holders_ended = 0;
};

// One root change for all of them, whatever their number, in memory that does not grow with it. On
// success the keys of all are gone for good, and the certificate of each can be drawn
// (Vault::certificate_of). kHeld when a hold is in the way of any of them: then none was erased,
// and which one it was is logged. kNotFound when all were skipped; kBusy when another such erasure
// is under way; kErasureIncomplete: begun and recorded, it will be finished; any other error:
// nothing was erased. Rows are cleaned up later (clean_up_erased).
Result<ManyErased> erase_many(VaultCore& core, std::span<const DueErasure> due,
                              const RootChangeGuard& guard = {});

// Cleans up after erase_many, in at most so many transactions; true when nothing is left. Opening
// the vault and the next erase_many do some of it, `reclaim` all.
Result<bool> clean_up_erased(VaultCore& core, std::size_t transactions);

}  // namespace quietus
