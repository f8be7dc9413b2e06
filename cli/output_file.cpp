#include "output_file.hpp"

#include "terminal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace quietus::cli {
namespace {

// Larger ones are written past the page cache, from there on. A multiple of any block.
constexpr std::int64_t kLargeFile = std::int64_t{4} << 20;
// Goes to the device at a time while more is written, where that cannot be.
constexpr std::int64_t kWindow = std::int64_t{8} << 20;

std::string writing(const std::filesystem::path& path) {
  return "cannot write " + path.string();
}

// 0, or an errno; EEXIST when something has that name.
int rename_without_replacing(const char* from, const char* to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from, to) == 0) {
    (void)unlink(from);  // what is left then is a second name
    return 0;
  }
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  struct stat unused {};
  if (lstat(to, &unused) == 0) return EEXIST;
  return std::rename(from, to) == 0 ? 0 : errno;
}

// Makes the new name durable; a folder that cannot be opened or synced is left to the system.
void sync_folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  (void)close(descriptor);
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (!path.has_filename() || std::filesystem::is_directory(status))
    return Error(ErrorCode::kInvalidArgument, path.string() + " is a folder, not a file");
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return Error(ErrorCode::kInvalidArgument, path.string() + " is not a regular file");
  std::string temporary = (path.parent_path() / ".quietus-XXXXXX").string();
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return io_error(writing(path), errno);
  return OutputFile(path, std::move(temporary), descriptor);
}

OutputFile::OutputFile(std::filesystem::path path, std::string temporary, int descriptor)
    : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      begun_(other.begun_),
      direct_(std::move(other.direct_)) {}

OutputFile::~OutputFile() {
  direct_.reset();
  if (descriptor_ >= 0) (void)close(descriptor_);
  if (!temporary_.empty()) (void)unlink(temporary_.c_str());
}

Result<void> OutputFile::let_all_read() {
  constexpr mode_t kAllRead = 0644;
  if (fchmod(descriptor_, kAllRead) != 0) return io_error(writing(path_), errno);
  return {};
}

Result<void> OutputFile::write(ByteView bytes) {
  if (size_ < kLargeFile) {
    const auto room = static_cast<std::size_t>(kLargeFile - size_);
    const ByteView first = bytes.first(std::min(room, bytes.size()));
    QUIETUS_TRY(write_plain(first));
    bytes = bytes.subspan(first.size());
    if (size_ == kLargeFile) direct_ = DirectWriter::over(descriptor_);
  }
  if (!direct_) return write_plain(bytes);
  const int failed = direct_->write(bytes);
  return failed == 0 ? Result<void>() : io_error(writing(path_), failed);
}

Result<void> OutputFile::write_plain(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error(writing(path_), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    size_ += written;
  }
  if (size_ - begun_ >= kWindow) keep_device_busy();
  return {};
}

// A large file that is left in memory until the end keeps the device idle now, and then everybody
// waiting who wants something durable: a vault's writers. So the device works on the part before
// while this one is written. Whether it did shows in the sync at the end.
void OutputFile::keep_device_busy() {
  constexpr unsigned kWait =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  (void)sync_file_range(descriptor_, begun_, size_ - begun_, SYNC_FILE_RANGE_WRITE);
  const std::int64_t before = std::max<std::int64_t>(begun_ - kWindow, 0);
  if (begun_ > before) (void)sync_file_range(descriptor_, before, begun_ - before, kWait);
  begun_ = size_;
}

Result<void> OutputFile::commit() {
  QUIETUS_TRY(close_synced());
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return io_error(writing(path_), errno);
  return named();
}

Result<void> OutputFile::commit_new() {
  QUIETUS_TRY(close_synced());
  const int failed = rename_without_replacing(temporary_.c_str(), path_.c_str());
  if (failed == EEXIST)
    return Error(ErrorCode::kAlreadyExists,
                 path_.string() + " is there already, and is not replaced");
  if (failed != 0) return io_error(writing(path_), failed);
  return named();
}

Result<void> OutputFile::close_synced() {
  if (direct_) {
    const int failed = direct_->finish();
    direct_.reset();
    if (failed != 0) return io_error(writing(path_), failed);
  }
  if (fsync(descriptor_) != 0) return io_error(writing(path_), errno);
  if (close(std::exchange(descriptor_, -1)) != 0) return io_error(writing(path_), errno);
  return {};
}

Result<void> OutputFile::named() {
  temporary_.clear();
  sync_folder_of(path_);
  return {};
}

}  // namespace quietus::cli
