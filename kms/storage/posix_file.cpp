#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>
#include <system_error>

namespace quietus {
namespace {

ErrorCode code_of_errno(int error) noexcept {
  switch (error) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ErrorCode::kFull;
    default: return ErrorCode::kIo;
  }
}

bool fits(std::uint64_t offset, std::size_t size) noexcept {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  return offset <= kMax && size <= kMax - offset;
}

}  // namespace

Error posix_error(int error, const std::filesystem::path& path) {
  return Error(code_of_errno(error), path.string() + ": " + std::generic_category().message(error));
}

PosixFile::~PosixFile() {
  close(descriptor_);
}

Result<void> PosixFile::trusted() const {
  if (!sync_failed_) return {};
  return Error(ErrorCode::kIo, path_.string() + ": refused, because an earlier sync failed");
}

Result<void> PosixFile::read_at(std::uint64_t offset, MutableBytes to) {
  QUIETUS_TRY(trusted());
  if (!fits(offset, to.size())) return posix_error(EOVERFLOW, path_);
  while (!to.empty()) {
    const ssize_t n = pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
    if (n == 0) return Error(ErrorCode::kCorrupt, path_.string() + ": truncated");
    if (n < 0 && errno != EINTR) return posix_error(errno, path_);
    if (n < 0) continue;
    to = to.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> PosixFile::write_at(std::uint64_t offset, ByteView from) {
  QUIETUS_TRY(trusted());
  if (!fits(offset, from.size())) return posix_error(EFBIG, path_);
  while (!from.empty()) {
    const ssize_t n = pwrite(descriptor_, from.data(), from.size(), static_cast<off_t>(offset));
    if (n == 0) return posix_error(EIO, path_);
    if (n < 0 && errno != EINTR) return posix_error(errno, path_);
    if (n < 0) continue;
    from = from.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> PosixFile::sync() {
  QUIETUS_TRY(trusted());
  int rc = 0;
  do {
    rc = needs_full_sync_ ? fsync(descriptor_) : fdatasync(descriptor_);
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) {
    sync_failed_ = true;
    return posix_error(errno, path_);
  }
  needs_full_sync_ = false;
  return {};
}

Result<std::uint64_t> PosixFile::size() {
  QUIETUS_TRY(trusted());
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) return posix_error(errno, path_);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> PosixFile::resize(std::uint64_t size) {
  QUIETUS_TRY(trusted());
  if (!fits(size, 0)) return posix_error(EFBIG, path_);
  int rc = 0;
  do {
    rc = ftruncate(descriptor_, static_cast<off_t>(size));
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) return posix_error(errno, path_);
  needs_full_sync_ = true;
  return {};
}

Result<bool> PosixFile::deallocate() {
  QUIETUS_TRY_AS(const std::uint64_t length, size());
  if (length == 0) return true;
  int rc = 0;
  do {
    rc = fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                   static_cast<off_t>(length));
  } while (rc != 0 && errno == EINTR);
  if (rc == 0) return true;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return false;
  return posix_error(errno, path_);
}

}  // namespace quietus
