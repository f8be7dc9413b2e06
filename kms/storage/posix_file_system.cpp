#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "storage/folder_of.hpp"
#include "storage/medium.hpp"
#include "storage/posix_file.hpp"

namespace quietus {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

int flags_for(FileSystem::Open how) noexcept {
  // O_NONBLOCK matters only for what is no regular file, where opening could wait for ever.
  constexpr int kAlways = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  switch (how) {
    case FileSystem::Open::kRead: return kAlways | O_RDONLY;
    case FileSystem::Open::kReadWrite: return kAlways | O_RDWR;
    case FileSystem::Open::kCreate: return kAlways | O_RDWR | O_CREAT | O_EXCL;
  }
  return kAlways | O_RDONLY;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Open how) override {
    const int descriptor = ::open(path.c_str(), flags_for(how), kFileMode);
    if (descriptor < 0) return posix_error(errno, path);
    auto file = std::make_unique<PosixFile>(descriptor, path, how == Open::kCreate);
    struct stat status {};
    if (fstat(descriptor, &status) != 0) return posix_error(errno, path);
    if (!S_ISREG(status.st_mode))
      return Error(ErrorCode::kIo, path.string() + ": not a regular file");
    // So that what is read comes from the device, as far as the system lets one ask for it. It is a
    // request only; pages that were never synced stay.
    if (how == Open::kRead) static_cast<void>(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED));
    return std::unique_ptr<File>(std::move(file));
  }

  Result<void> remove(const std::filesystem::path& path) override {
    if (unlink(path.c_str()) != 0) return posix_error(errno, path);
    return {};
  }

  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return posix_error(errno, from);
    return {};
  }

  Result<bool> exists(const std::filesystem::path& path) override {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return posix_error(errno, path);
  }

  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_folder(opendir(folder.c_str()), closedir);
    if (!open_folder) return posix_error(errno, folder);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* const entry = readdir(open_folder.get());  // NOLINT: a stream of its own
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return posix_error(errno, folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> make_folder(const std::filesystem::path& folder) override {
    const std::filesystem::path path =
        folder.has_filename() ? folder : folder.parent_path();  // without a slash at the end
    struct stat status {};
    if (stat(path.c_str(), &status) == 0)
      return S_ISDIR(status.st_mode) ? Result<void>() : posix_error(ENOTDIR, path);
    if (errno != ENOENT) return posix_error(errno, path);
    const std::filesystem::path parent = folder_of(path);
    if (parent != path) QUIETUS_TRY(make_folder(parent));
    if (mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) return posix_error(errno, path);
    return sync_folder(parent);
  }

  Result<void> sync_folder(const std::filesystem::path& folder) override {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return posix_error(errno, folder);
    int rc = 0;
    do {
      rc = fsync(descriptor);
    } while (rc != 0 && errno == EINTR);
    const int error = errno;
    close(descriptor);
    if (rc != 0) return posix_error(error, folder);
    return {};
  }

  MediumDescription describe(const std::filesystem::path& path) override {
    return describe_medium(path);
  }
};

Result<void> write_new_file(FileSystem& files, const std::filesystem::path& path,
                            ByteView content) {
  QUIETUS_TRY_AS(const auto file, files.open(path, FileSystem::Open::kCreate));
  QUIETUS_TRY(file->write_at(0, content));
  return file->sync();
}

}  // namespace

FileSystem& posix_file_system() noexcept {
  static PosixFileSystem files;
  return files;
}

Result<void> write_file(FileSystem& files, const std::filesystem::path& path, ByteView content) {
  const std::filesystem::path temporary = path.string() + ".new";
  // What an interrupted call left.
  if (auto removed = files.remove(temporary);
      !removed && removed.error().code() != ErrorCode::kNotFound)
    return removed;
  Result<void> placed = write_new_file(files, temporary, content);
  if (placed) placed = files.rename(temporary, path);
  if (!placed) {
    static_cast<void>(files.remove(temporary));
    return placed;
  }
  return files.sync_folder(folder_of(path));
}

Result<Bytes> read_file(FileSystem& files, const std::filesystem::path& path, std::uint64_t limit) {
  QUIETUS_TRY_AS(const auto file, files.open(path, FileSystem::Open::kRead));
  QUIETUS_TRY_AS(const std::uint64_t size, file->size());
  if (size > limit) return Error(ErrorCode::kCorrupt, path.string() + ": larger than it may be");
  Bytes content(static_cast<std::size_t>(size));
  QUIETUS_TRY(file->read_at(0, content));
  return content;
}

}  // namespace quietus
