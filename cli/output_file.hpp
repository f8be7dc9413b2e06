// A file that appears under its name whole or not at all.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "direct_writer.hpp"

namespace quietus::cli {

// Written under a temporary name in the same folder (mode 0600) and renamed by a commit; without
// one nothing is left. A link is replaced, or not, as a file is; it is not followed.
class OutputFile {
 public:
  // kInvalidArgument when `path` names a folder, a device or a pipe; kIo; kFull.
  static Result<OutputFile> create(const std::filesystem::path& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Mode 0644, for what is not secret and is read by another user.
  Result<void> let_all_read();
  // What does not fit any more, of a large file, may be told by commit() first.
  Result<void> write(ByteView bytes);
  // The file is on the device under its name when this returns; one that was there is replaced.
  Result<void> commit();
  // The same, but nothing is replaced, whenever it came there: kAlreadyExists. Only on a file
  // system that knows neither such a rename nor hard links there is a moment left in between.
  Result<void> commit_new();

 private:
  Result<void> close_synced();
  Result<void> named();
  Result<void> write_plain(ByteView bytes);
  void keep_device_busy();

  OutputFile(std::filesystem::path path, std::string temporary, int descriptor);

  std::filesystem::path path_;
  std::string temporary_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;   // without what direct_ has
  std::int64_t begun_ = 0;  // up to where writing to the device was begun
  std::unique_ptr<DirectWriter> direct_;
};

}  // namespace quietus::cli
