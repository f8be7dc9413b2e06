// Folder trees of other people: read without following links, written without leaving the folder.
#pragma once

#include <quietus/result.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace quietus {

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) noexcept : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  int get() const noexcept { return number_; }

 private:
  int number_;
};

// A folder that the caller named; a link there is followed. kNotFound; kIo.
Result<FileDescriptor> open_folder(const std::filesystem::path& path);

// The names in it, sorted, without "." and "..".
Result<std::vector<std::string>> folder_entries(const FileDescriptor& folder);

enum class EntryKind { kFile, kFolder, kLink, kSpecial };
struct OpenedEntry {
  EntryKind kind;
  FileDescriptor descriptor;  // open for files and folders only
};
// Looks before it opens: opening a device may do something.
Result<OpenedEntry> open_entry(const FileDescriptor& folder, const std::string& name);

// Reads a file to its end and makes sure that all of it was read at one state of the file.
class UnchangedFile {
 public:
  // Borrows the descriptor.
  static Result<UnchangedFile> start(const FileDescriptor& file);
  std::uint64_t size() const noexcept { return static_cast<std::uint64_t>(before_.st_size); }
  // The number of bytes read, 0 at the end. kChanged when the file is not what it was at the start.
  Result<std::size_t> read(MutableBytes to);

 private:
  UnchangedFile(int descriptor, const struct stat& before)
      : descriptor_(descriptor), before_(before) {}

  int descriptor_;
  struct stat before_;
  std::uint64_t done_ = 0;
};

// A folder to put new files into, by relative paths.
class NewFileTree {
 public:
  // Makes the folder, and those above it, where they are missing. kIo.
  static Result<NewFileTree> open(const std::filesystem::path& folder);

  // Makes one file, mode 0600, and the folders on its way. kAlreadyExists when the file, or
  // anything but a folder on its way, exists; kInvalidArgument when `path` would leave the folder
  // or is no name for this file system; kFull; kIo.
  Result<FileDescriptor> create(std::string_view path);
  // Takes back a file that create() made.
  void remove(std::string_view path);

 private:
  explicit NewFileTree(FileDescriptor root) : root_(std::move(root)) {}
  // The folder that holds the last element of `path`.
  Result<FileDescriptor> descend(const std::vector<std::string>& elements, bool make);

  FileDescriptor root_;
};

Result<void> write_all(const FileDescriptor& file, ByteView bytes);

}  // namespace quietus
