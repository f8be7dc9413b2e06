// Locks between processes, on bytes of the control store's own file that lie beyond any data (a
// file that can be renamed or deleted would not exclude). Open-file-description locks: they end
// with the process, are visible across PID namespaces, and do not get lost when another descriptor
// is closed.
//
//   2^62               the root-change lock: exclusive while a root change or a recovery is under
//   way,
//                      shared while a root row and its slot are being read
//   2^62 + 1 + n       holder n is alive (see holders.hpp)
//   2^62 + 1 + 1024    some read-only holder is alive (shared)
//   2^62 + 2 + 1024    the holders' table is being laid out
//   2^62 + 3 + 1024    somebody waits for the root-change lock to have it exclusively
//   2^62 + 4 + 1024    somebody lists what a batch erases: a list without an intent is not garbage
//
// Copies of a vault's folder share the folder of its root slots, and have holders' bytes of their
// own. So two of them must not be open at once. In a file beside the slots:
//
//   0                  the root-change lock again
//   1 + n              a process has the copy open whose control store n stands for (shared)
#pragma once

#include <quietus/result.hpp>

#include <chrono>
#include <filesystem>
#include <optional>

namespace quietus {

// A descriptor of its own and the locks taken through it. Move-only; closing gives them up.
class LockFile {
 public:
  enum class Mode { kShared, kExclusive };

  // kNotFound, kIo. A read-only descriptor can hold shared locks only.
  static Result<LockFile> open(const std::filesystem::path& path, bool read_only);
  // Makes the file when there is none. kNotFound: no such folder.
  static Result<LockFile> make(const std::filesystem::path& path);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

  // False when somebody else holds it. kIo.
  Result<bool> try_lock(std::uint64_t byte, Mode mode);
  // The first byte in [first, first + count) that another descriptor has locked.
  Result<std::optional<std::uint64_t>> first_locked(std::uint64_t first, std::uint64_t count) const;

 private:
  explicit LockFile(int descriptor) noexcept : descriptor_(descriptor) {}
  static Result<LockFile> open_with(const std::filesystem::path& path, int flags);
  int descriptor_;
};

namespace lock_bytes {
inline constexpr std::uint64_t kRootChange = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kMaxHolders = 1024;
inline constexpr std::uint64_t kFirstHolder = kRootChange + 1;
inline constexpr std::uint64_t kReadOnlyHolders = kFirstHolder + kMaxHolders;
inline constexpr std::uint64_t kTableLayout = kReadOnlyHolders + 1;
inline constexpr std::uint64_t kRootChangeLine = kTableLayout + 1;
inline constexpr std::uint64_t kBatchListing = kRootChangeLine + 1;
}  // namespace lock_bytes

// What the root-change lock lies on.
struct RootLockFiles {
  std::filesystem::path control_store;
  std::filesystem::path beside_slots;  // empty: the root slots lie in no folder
};

// Says that this process has a vault open, for as long as the object lives.
class VaultPresence {
 public:
  // kBusy when a copy of the vault with the same root slots is open somewhere; kIo, kNotFound.
  static Result<VaultPresence> take(const RootLockFiles& files, bool read_only);
  // Whether a copy is open now.
  Result<bool> copy_is_open() const;

 private:
  explicit VaultPresence(std::uint64_t byte) noexcept : byte_(byte) {}
  std::optional<LockFile> file_;  // none: nobody ever opened the vault for writing
  std::uint64_t byte_;
};

// Held for the life of the object. kBusy when it cannot be had in time. Who waits for it
// exclusively goes before all who come later to share it; so a thread that shares it must not take
// it again.
class RootChangeLock {
 public:
  static Result<RootChangeLock> take(const RootLockFiles& files, LockFile::Mode mode,
                                     std::chrono::milliseconds timeout);

 private:
  explicit RootChangeLock(LockFile control) noexcept : control_(std::move(control)) {}
  static Result<RootChangeLock> open(const RootLockFiles& files, LockFile::Mode mode);
  Result<bool> try_take(LockFile::Mode mode);
  Result<bool> try_control(LockFile::Mode mode);

  LockFile control_;
  std::optional<LockFile> line_;  // of who waits to have it exclusively
  std::optional<LockFile> slots_;
  bool has_control_ = false;
};

}  // namespace quietus
