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

Result<LockFile> LockFile::open(const std::filesystem::path& path, bool read_only) {
  const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;
  const int descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0 && errno == ENOENT)
    return Error(ErrorCode::kNotFound, "lock: no control store at " + path.string());
  if (descriptor < 0) return io_error("lock " + path.string());
  return LockFile(descriptor);
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

Result<bool> RootChangeLock::try_take(LockFile& file, std::optional<LockFile>& line,
                                      LockFile::Mode mode) {
  if (line) {
    QUIETUS_TRY_AS(const bool first, line->try_lock(lock_bytes::kRootChangeLine, mode));
    if (!first) return false;
  } else {
    QUIETUS_TRY_AS(const auto waiting, file.first_locked(lock_bytes::kRootChangeLine, 1));
    if (waiting) return false;
  }
  return file.try_lock(lock_bytes::kRootChange, mode);
}

Result<RootChangeLock> RootChangeLock::take(const std::filesystem::path& control_store,
                                            LockFile::Mode mode,
                                            std::chrono::milliseconds timeout) {
  const bool shared = mode == LockFile::Mode::kShared;
  QUIETUS_TRY_AS(LockFile file, LockFile::open(control_store, shared));
  // Readers that come one after another would keep a writer out for ever. So a writer waits in a
  // line that it leaves when it has the lock, and readers let the line go first.
  std::optional<LockFile> line;
  if (!shared) {
    QUIETUS_TRY_AS(line, LockFile::open(control_store, false));
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    QUIETUS_TRY_AS(const bool taken, try_take(file, line, mode));
    if (taken) return RootChangeLock(std::move(file));
    if (std::chrono::steady_clock::now() >= deadline)
      return Error(ErrorCode::kBusy, "another process is changing the root key; try again");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace quietus
