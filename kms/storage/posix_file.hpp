// A File on a POSIX file descriptor.
#pragma once

#include <filesystem>
#include <utility>

#include "storage/file.hpp"

namespace quietus {

// What an errno value means for the file or folder at `path`.
Error posix_error(int error, const std::filesystem::path& path);

class PosixFile final : public File {
 public:
  // Takes the descriptor over. `created`: by this handle, so that its metadata was never synced.
  PosixFile(int descriptor, std::filesystem::path path, bool created) noexcept
      : descriptor_(descriptor), path_(std::move(path)), needs_full_sync_(created) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override;

  Result<void> read_at(std::uint64_t offset, MutableBytes to) override;
  Result<void> write_at(std::uint64_t offset, ByteView from) override;
  // Once a sync has failed, nobody knows what is on the device, and a second sync would not say:
  // the system reports such an error once and drops the pages. So the file then refuses everything.
  Result<void> sync() override;
  Result<std::uint64_t> size() override;
  Result<void> resize(std::uint64_t size) override;
  Result<bool> deallocate() override;

 private:
  Result<void> trusted() const;

  int descriptor_;
  std::filesystem::path path_;
  bool needs_full_sync_;
  bool sync_failed_ = false;
};

}  // namespace quietus
