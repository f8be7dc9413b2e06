#include "keys/root_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace quietus {
namespace {

struct flock range(short type, std::uint64_t first, std::uint64_t count) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(first);
  lock.l_len = static_cast<off_t>(count);
  return lock;
}

Error io_error(std::string_view doing) {
  return Error(ErrorCode::kIo, std::string(doing) + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<LockFile> LockFile::open_with(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0 && errno == ENOENT)
    return Error(ErrorCode::kNotFound, "lock: there is no " + path.string());
  if (descriptor < 0) return io_error("lock " + path.string());
  return LockFile(descriptor);
}

Result<LockFile> LockFile::open(const std::filesystem::path& path, bool read_only) {
  return open_with(path, read_only ? O_RDONLY : O_RDWR);
}

Result<LockFile> LockFile::make(const std::filesystem::path& path) {
  return open_with(path, O_RDWR | O_CREAT);
}

LockFile::LockFile(LockFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

LockFile::~LockFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<bool> LockFile::try_lock(std::uint64_t byte, Mode mode) {
  struct flock lock = range(mode == Mode::kShared ? F_RDLCK : F_WRLCK, byte, 1);
  while (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) return io_error("lock");
  }
  return true;
}

Result<std::optional<std::uint64_t>> LockFile::first_locked(std::uint64_t first,
                                                            std::uint64_t count) const {
  std::optional<std::uint64_t> lowest;
  // The kernel names any of the locks, not the first: look below it until there is none.
  while (count > 0) {
    struct flock lock = range(F_WRLCK, first, count);
    while (::fcntl(descriptor_, F_OFD_GETLK, &lock) != 0)
      if (errno != EINTR) return io_error("look at locks");
    if (lock.l_type == F_UNLCK) break;
    lowest = std::max(first, static_cast<std::uint64_t>(lock.l_start));
    count = *lowest - first;
  }
  return lowest;
}

Result<RootChangeLock> RootChangeLock::open(const RootLockFiles& files, LockFile::Mode mode) {
  const bool shared = mode == LockFile::Mode::kShared;
  QUIETUS_TRY_AS(LockFile control, LockFile::open(files.control_store, shared));
  RootChangeLock lock(std::move(control));
  // Readers that come one after another would keep a writer out for ever. So a writer waits in a
  // line that it leaves when it has the lock, and readers let the line go first.
  if (!shared) {
    QUIETUS_TRY_AS(lock.line_, LockFile::open(files.control_store, false));
  }
  if (files.beside_slots.empty()) return lock;
  auto slots =
      shared ? LockFile::open(files.beside_slots, true) : LockFile::make(files.beside_slots);
  // Where nobody ever changed the root, there is nothing to exclude; that the folder of the slots
  // is missing is noticed by whoever needs a slot.
  if (!slots && slots.error().code() == ErrorCode::kNotFound) return lock;
  QUIETUS_TRY_AS(lock.slots_, std::move(slots));
  return lock;
}

Result<bool> RootChangeLock::try_control(LockFile::Mode mode) {
  if (has_control_) return true;
  if (line_) {
    QUIETUS_TRY_AS(const bool first, line_->try_lock(lock_bytes::kRootChangeLine, mode));
    if (!first) return false;
  } else {
    QUIETUS_TRY_AS(const auto waiting, control_.first_locked(lock_bytes::kRootChangeLine, 1));
    if (waiting) return false;
  }
  QUIETUS_TRY_AS(has_control_, control_.try_lock(lock_bytes::kRootChange, mode));
  return has_control_;
}

Result<bool> RootChangeLock::try_take(LockFile::Mode mode) {
  QUIETUS_TRY_AS(const bool control, try_control(mode));
  if (!control) return false;
  if (slots_) {
    QUIETUS_TRY_AS(const bool slots, slots_->try_lock(0, mode));
    if (!slots) return false;
  }
  line_.reset();
  return true;
}

Result<RootChangeLock> RootChangeLock::take(const RootLockFiles& files, LockFile::Mode mode,
                                            std::chrono::milliseconds timeout) {
  QUIETUS_TRY_AS(RootChangeLock lock, open(files, mode));
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    QUIETUS_TRY_AS(const bool taken, lock.try_take(mode));
    if (taken) return lock;
    if (std::chrono::steady_clock::now() >= deadline)
      return Error(ErrorCode::kBusy, "another process is changing the root key; try again");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace quietus
