// Looks at what surrounds the vault: places, permissions, memory, clock. Says what was seen and
// what to do; changes nothing.
#include <quietus/vault.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "vault_core.hpp"

namespace quietus {
namespace {

using Level = Finding::Level;
using Findings = std::vector<Finding>;

constexpr std::uint64_t kLowSpace = std::uint64_t{64} << 20;  // bytes
constexpr UnixMillis kEarliestSaneTime = 1'735'689'600'000;   // 2025-01-01

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

void look_at_permissions(const std::filesystem::path& path, Findings& out) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  if ((status.st_mode & 077) != 0)
    out.push_back({Level::kWarning, "permissions",
                   path.string() + " is open to group or others; run chmod go= on it"});
}

void look_at_memory(Findings& out) {
  if (guarded_memory_status().all_locked()) {
    out.push_back({Level::kOk, "key memory", "locked against swapping"});
  } else {
    out.push_back({Level::kWarning, "key memory",
                   "not all of it could be locked against swapping; raise RLIMIT_MEMLOCK"});
  }
  struct rlimit core_limit {};
  if (::getrlimit(RLIMIT_CORE, &core_limit) == 0 && core_limit.rlim_cur != 0)
    out.push_back({Level::kNote, "core files",
                   "allowed; key memory is left out of them, plaintext in other memory is not"});
  std::ifstream swaps("/proc/swaps");
  std::string line;
  std::getline(swaps, line);
  if (std::getline(swaps, line))
    out.push_back({Level::kNote, "swap",
                   "in use; plaintext that passes through memory may reach it, "
                   "so encrypt it, and do not hibernate"});
}

void look_at_space(const std::filesystem::path& path, Findings& out) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return;
  const std::uint64_t available = status.f_bavail * status.f_frsize;
  if (available < kLowSpace)
    out.push_back({Level::kWarning, "disk space",
                   "under 64 MiB are left at " + path.string() +
                       "; writes will be refused soon, erasing goes on to work"});
}

void look_at_records(VaultCore& core, Findings& out) {
  if (const auto usage = core.record_store->usage(kVaultScope); !usage)
    out.push_back({Level::kProblem, "record store",
                   usage.error().context() + "; scopes can be erased all the same"});
}

void look_at_clock(VaultCore& core, Findings& out) {
  if (core.environment.clock.now() < kEarliestSaneTime)
    out.push_back({Level::kProblem, "clock", "the system's clock is wrong; set it"});
  else
    out.push_back({Level::kOk, "clock", format_utc(core.environment.clock.now())});
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
  look_at_slots(*core_, out);
  look_at_medium(*core_, out);
  for (const auto& path : {core_->files.folder, core_->files.control(), core_->files.records(),
                           core_->header.root_folder})
    look_at_permissions(path, out);
  look_at_memory(out);
  look_at_space(core_->files.folder, out);
  look_at_space(core_->header.root_folder, out);
  look_at_records(*core_, out);
  look_at_clock(*core_, out);
  look_at_holders(*core_, out);
  return out;
}

}  // namespace quietus
