#include "surroundings.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/secret.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

using Level = Finding::Level;
using Answer = MediumDescription::Answer;

constexpr std::uint64_t kLowSpace = std::uint64_t{64} << 20;  // bytes
constexpr rlim_t kKibibyte = 1024;

std::string first_line(const std::filesystem::path& file) {
  std::ifstream input(file);
  std::string line;
  std::getline(input, line);
  return line;
}

std::string memlock_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "not known";
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / kKibibyte) + " KiB";
}

// "dm-0" is encrypted where the device mapper says that it is dm-crypt's. Swap in compressed memory
// reaches no disk by itself.
bool keeps_secrets(const std::string& swap, const KernelFolders& kernel) {
  std::error_code ignored;
  std::filesystem::path device = std::filesystem::canonical(swap, ignored);
  if (ignored) device = swap;
  const std::string name = device.filename().string();
  if (name.starts_with("zram")) return true;
  return first_line(kernel.sys / "block" / name / "dm" / "uuid").starts_with("CRYPT-");
}

bool keeps_snapshots(std::string_view file_system) {
  constexpr std::array<std::string_view, 4> kThat{"btrfs", "zfs", "bcachefs", "nilfs"};
  return std::ranges::find(kThat, file_system) != kThat.end();
}

// ---- below the file system ----------------------------------------------------------------------

struct Layers {
  std::string snapshot;  // the volume that has one, or is one
  std::string thin;      // the volume, of a pool
};

void look_at_layer(const std::filesystem::path& block, int depth, Layers& layers) {
  constexpr int kMaxDepth = 8;
  if (depth > kMaxDepth) return;
  std::error_code ignored;
  const std::string volume = first_line(block / "dm" / "name");
  for (const auto& below : std::filesystem::directory_iterator(block / "slaves", ignored)) {
    const std::string name = first_line(below.path() / "dm" / "name");
    // LVM's own names for what lies below a volume with a snapshot, and below a snapshot.
    if (name.ends_with("-real") || name.ends_with("-cow")) layers.snapshot = volume;
    if (first_line(below.path() / "dm" / "uuid").ends_with("-tpool")) layers.thin = volume;
    look_at_layer(below.path(), depth + 1, layers);
  }
}

// ---- permissions --------------------------------------------------------------------------------

class Permissions {
 public:
  explicit Permissions(Findings& out) : out_(out), before_(out.size()) {}

  void folder(const std::filesystem::path& path) {
    itself(path);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             path, std::filesystem::directory_options::skip_permission_denied, ignored))
      mode(entry.path());
  }

  void itself(const std::filesystem::path& path) {
    mode(path);
    owner(path);
    replaceable(path);
  }

  void finish() {
    if (unnamed_ > 0)
      warn(std::to_string(unnamed_) + " more are open to group or others; run chmod -R go= there");
    if (out_.size() == before_)
      out_.push_back({Level::kOk, "permissions", "vault, root slots and secret: the owner alone"});
  }

  void warn(std::string text) { out_.push_back({Level::kWarning, "permissions", std::move(text)}); }

 private:
  static constexpr int kNamed = 5;

  // Links are not followed, they have no permissions of their own.
  void mode(const std::filesystem::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || S_ISLNK(status.st_mode)) return;
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
    if (named_ >= kNamed) {
      ++unnamed_;
      return;
    }
    ++named_;
    warn(path.string() + " is open to group or others; run chmod go= on it");
  }

  void owner(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || status.st_uid == ::geteuid()) return;
    const std::string whose = path.string() + " belongs to the user " +
                              std::to_string(status.st_uid) + ", this process to " +
                              std::to_string(::geteuid());
    if (::geteuid() == 0)
      out_.push_back({Level::kNote, "permissions",
                      whose + "; files that root makes there, that user cannot open: run as them"});
    else
      warn(whose + "; run chown on it, or run as them");
  }

  void replaceable(const std::filesystem::path& path) {
    const std::filesystem::path folder = path.parent_path();
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) return;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0) return;
    warn("others may put another " + path.filename().string() +
         " in its place: " + folder.string() + " is open to their writing; run chmod go-w on it");
  }

  Findings& out_;
  std::size_t before_;
  int named_ = 0;
  int unnamed_ = 0;
};

}  // namespace

void look_at_key_memory(Findings& out) {
  const GuardedMemoryStatus memory = guarded_memory_status();
  if (memory.all_locked()) {
    out.push_back({Level::kOk, "key memory",
                   "locked against swapping; RLIMIT_MEMLOCK is " + memlock_limit()});
    return;
  }
  out.push_back({Level::kWarning, "key memory",
                 std::to_string(memory.locked_bytes / kKibibyte) + " of " +
                     std::to_string(memory.bytes / kKibibyte) +
                     " KiB are locked against swapping: RLIMIT_MEMLOCK is " + memlock_limit() +
                     "; raise it to 64 MiB (LimitMEMLOCK=64M of a unit, memlock in limits.conf)"});
}

void look_at_core_files(const KernelFolders& kernel, Findings& out) {
  if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) {
    out.push_back({Level::kOk, "core files",
                   "this process leaves none; another program that opens the vault has to see to "
                   "that itself"});
    return;
  }
  struct rlimit limit {};
  const bool unlimited = ::getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0;
  // What they are piped to gets them whatever the limit is.
  const bool piped = first_line(kernel.proc / "sys/kernel/core_pattern").starts_with("|");
  if (!unlimited && !piped) {
    out.push_back({Level::kOk, "core files", "not allowed"});
    return;
  }
  out.push_back({Level::kNote, "core files",
                 std::string(unlimited ? "allowed" : "piped to a program whatever the limit is") +
                     "; key memory is left out of them, plaintext in other memory is not: set " +
                     (unlimited ? "LimitCORE=0 of the unit, or ulimit -c 0"
                                : "PR_SET_DUMPABLE to 0, or kernel.core_pattern to a file")});
}

void look_at_swap(const KernelFolders& kernel, Findings& out) {
  std::ifstream swaps(kernel.proc / "swaps");
  std::string line;
  std::getline(swaps, line);  // the heading
  std::string open;
  bool any = false;
  while (std::getline(swaps, line)) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name)) continue;
    any = true;
    if (!keeps_secrets(name, kernel)) open += (open.empty() ? "" : ", ") + name;
  }
  if (!open.empty())
    out.push_back({Level::kNote, "swap",
                   open + " is in use and not known to be encrypted; plaintext that passes through "
                          "memory may reach it: encrypt it or turn it off, and do not hibernate"});
  else
    out.push_back({Level::kOk, "swap", any ? "encrypted, or in memory" : "none"});
}

void look_at_file_system(const std::string& what, const std::filesystem::path& path,
                         const MediumDescription& medium, Findings& out) {
  const std::string seen = what + " on " + medium.file_system;
  struct statvfs status {};
  const bool read_only = ::statvfs(path.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
  const bool volatile_memory = medium.file_system == "tmpfs" || medium.file_system == "ramfs";
  if (medium.local == Answer::kNo)
    out.push_back({Level::kProblem, "file system",
                   seen + ": locks and shared memory do not work across machines; move " +
                       path.string() + " to a local disk"});
  else if (volatile_memory)
    out.push_back(
        {Level::kWarning, "file system",
         seen + ", which is gone when the machine stops; move " + path.string() + " to a disk"});
  else if (read_only)
    out.push_back({Level::kNote, "file system",
                   seen + ", mounted read-only: nothing can be erased; mount it for writing"});
  else if (medium.local == Answer::kUnknown)
    out.push_back({Level::kNote, "file system",
                   seen + ": it is not known where its files are; make sure that " + path.string() +
                       " is on a local disk that stays"});
  else
    out.push_back({Level::kOk, "file system", seen});
}

void look_at_space(const std::filesystem::path& path, Findings& out) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return;
  const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (available < kLowSpace)
    out.push_back({Level::kWarning, "disk space",
                   "under 64 MiB are left at " + path.string() +
                       "; writes will be refused soon, erasing goes on to work: make room"});
}

std::string device_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
}

void look_at_snapshots(const std::string& device, const MediumDescription& medium,
                       const KernelFolders& kernel, Findings& out) {
  if (keeps_snapshots(medium.file_system)) {
    out.push_back({Level::kWarning, "snapshots",
                   medium.file_system +
                       " may keep old root slots in snapshots; list and remove those that hold the "
                       "root folder, or move it to a file system that has none"});
    return;
  }
  Layers layers;
  look_at_layer(kernel.sys / "dev/block" / device, 0, layers);
  if (!layers.snapshot.empty())
    out.push_back({Level::kWarning, "snapshots",
                   "the volume " + layers.snapshot +
                       " under the root slots has a snapshot, or is one; root slots that were "
                       "destroyed live on in it: remove it (lvs, lvremove)"});
  else if (!layers.thin.empty())
    out.push_back(
        {Level::kNote, "snapshots",
         "the root slots are on the thin volume " + layers.thin +
             ", whose snapshots are not seen from here: make sure that it has none (lvs)"});
  else
    out.push_back(
        {Level::kOk, "snapshots",
         "none seen under the root slots; what a hypervisor, a storage system or a backup "
         "of the whole disk keeps is not seen from here"});
}

void look_at_permissions(const Places& places, Findings& out) {
  Permissions permissions(out);
  for (const auto& folder : places.folders) permissions.folder(folder);
  struct stat status {};
  const bool kept = !places.secret.empty() && ::stat(places.secret.c_str(), &status) == 0 &&
                    S_ISREG(status.st_mode);
  if (kept) permissions.itself(places.secret);
  std::error_code ignored;
  const auto secret = std::filesystem::weakly_canonical(places.secret, ignored);
  for (const auto& folder : places.folders)
    if (kept && lies_inside(secret, folder))
      permissions.warn(places.secret.string() + " unlocks the vault and lies in " +
                       folder.string() + ", where each copy takes it along; move it elsewhere");
  permissions.finish();
}

}  // namespace quietus
