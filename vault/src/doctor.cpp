// Looks at what surrounds the vault: places, permissions, memory, clock. Says what was seen and
// what to do; changes nothing.
#include <quietus/vault.hpp>

#include <sys/timex.h>

#include <algorithm>

#include "governance/accepted_time.hpp"
#include "governance/policy_rows.hpp"
#include "keys/ring_rows.hpp"
#include "keys/schedule.hpp"
#include "surroundings.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

using Level = Finding::Level;
constexpr UnixMillis kEarliestSaneTime = 1'735'689'600'000;  // 2025-01-01

void look_at_slots(VaultCore& core, Findings& out) {
  const auto lock =
      RootChangeLock::take(core.lock_files(), LockFile::Mode::kShared, core.options.lock_timeout);
  if (!lock) {
    out.push_back({Level::kNote, "root slots", "a root change is under way; look again later"});
    return;
  }
  const auto slots = core.provider->list();
  if (!slots) {
    out.push_back({Level::kProblem, "root slots", slots.error().context()});
    return;
  }
  for (const SlotName& slot : *slots) {
    const std::uint32_t intact = core.provider->intact_mirrors(slot);
    if (intact < kSlotMirrors)
      out.push_back({Level::kWarning, "root slots",
                     std::to_string(intact) + " of " + std::to_string(kSlotMirrors) +
                         " copies are whole; run `quietus unlock change` to make new ones"});
  }
  if (slots->size() == 1)
    out.push_back({Level::kOk, "root slots", "one slot at " + core.provider->location()});
  else
    out.push_back({Level::kWarning, "root slots",
                   std::to_string(slots->size()) + " slots are listed; a root change is pending, "
                                                   "run `quietus erase --resume`"});
}

void look_at_medium(VaultCore& core, Findings& out) {
  const Assurance assurance = core.provider->assurance();
  out.push_back(
      {assurance.known ? Level::kOk : Level::kWarning, "medium of the root slots", assurance.text});
  const auto anchor = core.anchor->read(core.header.vault);
  if (anchor)
    out.push_back({Level::kOk, "anchor", "whole"});
  else
    out.push_back({Level::kProblem, "anchor",
                   anchor.error().context() + "; see `quietus doctor --rewrite-anchor`"});
}

void look_at_records(VaultCore& core, Findings& out) {
  if (const auto usage = core.record_store->usage(kVaultScope); !usage)
    out.push_back({Level::kProblem, "record store",
                   usage.error().context() + "; scopes can be erased all the same"});
}

// The kernel's word; where it does not give it, nothing is said.
bool clock_is_unsynchronised() {
  struct timex state {};
  const int answer = ::adjtimex(&state);
  return answer >= 0 && (answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0);
}

// Whether anything is to end by the calendar here.
Result<bool> goes_by_dates(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(const auto policies, rows::policies(reader, seal));
  QUIETUS_TRY_AS(const auto schedules, rows::all_schedules(reader, seal));
  QUIETUS_TRY_AS(const auto ring, rows::ring(reader, seal));
  return !policies.empty() || !schedules.empty() || ring.has_value();
}

// Why a sweep would not believe the clock; empty: it would. Where none needs to be run, the clock
// is far ahead of the last one after a while.
Result<std::string> distrust_of(VaultCore& core, UnixMillis now) {
  std::string why;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        why.clear();
        QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, scopes.seal()));
        const auto believed = check_clock(time, now);
        if (believed) return {};
        QUIETUS_TRY_AS(const bool needed, goes_by_dates(reader, scopes.seal()));
        if (needed || now < time.accepted) why = believed.error().context();
        return {};
      }));
  return why;
}

void look_at_clock(VaultCore& core, Findings& out) {
  const UnixMillis now = core.environment.clock.now();
  if (now < kEarliestSaneTime) {
    out.push_back({Level::kProblem, "clock", "the system's clock is wrong; set it"});
    return;
  }
  const auto distrust = distrust_of(core, now);
  if (!distrust)
    out.push_back({Level::kProblem, "clock", distrust.error().context()});
  else if (!distrust->empty())
    out.push_back({Level::kWarning, "clock", *distrust});
  else if (clock_is_unsynchronised())
    out.push_back({Level::kNote, "clock",
                   format_utc(now) + ", and not synchronised, as the kernel says; run chrony or "
                                     "systemd-timesyncd"});
  else
    out.push_back({Level::kOk, "clock", format_utc(now)});
}

// A snapshot that is read for long keeps the room of all that was replaced since.
void look_at_readers(const std::string& what, const Result<StoreReaders>& readers, Findings& out) {
  constexpr std::uint64_t kOld = 1000;  // commits
  if (!readers) {
    out.push_back({Level::kProblem, "readers", what + ": " + readers.error().context()});
    return;
  }
  if (readers->places == 0) return;
  const std::string taken = what + ": " + std::to_string(readers->taken) + " of " +
                            std::to_string(readers->places) + " places are taken";
  if (readers->oldest_age > kOld)
    out.push_back({Level::kWarning, "readers",
                   what + ": process " + std::to_string(readers->oldest_process) +
                       " reads a snapshot from " + std::to_string(readers->oldest_age) +
                       " commits ago, and the file grows meanwhile; let it finish, or end it"});
  else if (readers->taken > readers->places / 2)
    out.push_back({Level::kWarning, "readers",
                   taken + "; when all are, reads are refused: open the vault in fewer processes"});
  else if (readers->cleared > 0)
    out.push_back({Level::kNote, "readers",
                   taken + "; " + std::to_string(readers->cleared) +
                       " were left by processes that were killed, and are free now: find out what "
                       "ended them"});
  else
    out.push_back({Level::kOk, "readers", taken});
}

void look_at_holders(VaultCore& core, Findings& out) {
  const auto count = core.holders->count();
  if (count)
    out.push_back({Level::kOk, "processes", std::to_string(*count) + " have the vault open"});
  const auto pending = core.keys->pending();
  if (pending && !pending->empty())
    out.push_back({Level::kWarning, "erasures",
                   std::to_string(pending->size()) +
                       " begun and not finished; run `quietus erase --resume`"});
}

}  // namespace

std::vector<Finding> Vault::doctor() {
  Findings out;
  if (!core_) return {{Level::kProblem, "vault", "it is closed"}};
  VaultCore& core = *core_;
  const KernelFolders kernel;
  const MediumDescription medium = core.environment.files.describe(core.header.root_folder);
  look_at_slots(core, out);
  look_at_medium(core, out);
  look_at_file_system("records", core.files.folder,
                      core.environment.files.describe(core.files.folder), out);
  look_at_file_system("root slots", core.header.root_folder, medium, out);
  look_at_snapshots(device_of(core.header.root_folder), medium, kernel, out);
  look_at_permissions({{core.files.folder, core.header.root_folder}, core.secret_file}, out);
  look_at_key_memory(out);
  look_at_core_files(kernel, out);
  look_at_swap(kernel, out);
  look_at_space(core.files.folder, out);
  look_at_space(core.header.root_folder, out);
  look_at_records(core, out);
  look_at_readers("control store", core.control->readers(), out);
  look_at_readers("record store", core.record_store->readers(), out);
  look_at_clock(core, out);
  look_at_holders(core, out);
  return out;
}

}  // namespace quietus
