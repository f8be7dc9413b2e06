// One process at a time: a lock on a file that nobody replaces.
#pragma once

#include <quietus/result.hpp>

#include <chrono>
#include <filesystem>

namespace quietus {

// An exclusive flock(2), for the life of the object or of the process. It excludes other objects in
// the same process too.
class FileLock {
 public:
  // kNotFound; kIo; kBusy when another one held it for that long.
  static Result<FileLock> take(const std::filesystem::path& path,
                               std::chrono::milliseconds patience);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) noexcept : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace quietus
