#include "keys/root_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
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

Error lock_error(std::string_view doing) {
  return Error(ErrorCode::kIo, std::string(doing) + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<LockFile> LockFile::open_with(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0 && errno == ENOENT)
    return Error(ErrorCode::kNotFound, "lock: there is no " + path.string());
  if (descriptor < 0) return lock_error("lock " + path.string());
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
    if (errno != EINTR) return lock_error("lock");
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
      if (errno != EINTR) return lock_error("look at locks");
    if (lock.l_type == F_UNLCK) break;
    lowest = std::max(first, static_cast<std::uint64_t>(lock.l_start));
    count = *lowest - first;
  }
  return lowest;
}

namespace {

constexpr std::uint64_t kCopies = std::uint64_t{1} << 61;

// Another number for another file.
Result<std::uint64_t> number_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return lock_error("lock " + path.string());
  // Fibonacci hashing spreads neighbouring inode numbers.
  const std::uint64_t mixed = (static_cast<std::uint64_t>(status.st_ino) ^
                               static_cast<std::uint64_t>(status.st_dev) << 40) *
                              0x9E3779B97F4A7C15U;
  return mixed % kCopies;
}

// The file beside the slots. Made again where somebody took it away; but not in a folder that is
// none of slots, such as the place of a disk that is not mounted: then there is nothing to exclude,
// and that the slots are missing is noticed by whoever needs one.
Result<std::optional<LockFile>> open_beside(const std::filesystem::path& path, bool read_only) {
  auto file = LockFile::open(path, read_only);
  const auto missing = [&] { return !file && file.error().code() == ErrorCode::kNotFound; };
  std::error_code error;
  if (missing() && !read_only && std::filesystem::exists(path.parent_path() / "anchor", error))
    file = LockFile::make(path);
  if (missing()) return std::optional<LockFile>();
  if (!file) return std::move(file).error();
  return std::optional(std::move(file).value());
}

}  // namespace

Result<VaultPresence> VaultPresence::take(const RootLockFiles& files, bool read_only) {
  QUIETUS_TRY_AS(const std::uint64_t number, number_of(files.control_store));
  VaultPresence presence(1 + number);
  QUIETUS_TRY_AS(presence.file_, open_beside(files.beside_slots, read_only));
  if (!presence.file_) return presence;
  QUIETUS_TRY_AS(const bool taken,
                 presence.file_->try_lock(presence.byte_, LockFile::Mode::kShared));
  QUIETUS_TRY_AS(const bool copy, presence.copy_is_open());
  if (!taken || copy)
    return Error(
        ErrorCode::kBusy,
        "a copy of this vault, with the same root slots, is open in another process; close "
        "it, and keep only one of the two");
  return presence;
}

Result<bool> VaultPresence::copy_is_open() const {
  if (!file_) return false;
  QUIETUS_TRY_AS(const auto below, file_->first_locked(1, byte_ - 1));
  QUIETUS_TRY_AS(const auto above, file_->first_locked(byte_ + 1, kCopies - byte_));
  return below.has_value() || above.has_value();
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
  QUIETUS_TRY_AS(lock.slots_, open_beside(files.beside_slots, shared));
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
