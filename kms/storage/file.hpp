// The seam to the file system for the few files whose bytes must die in place or be updated in
// place: root slots, anchor, the vault's own description. Tests put a double here that counts,
// fails and forgets what was not synced.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace quietus {

// One open file. Offsets and sizes in bytes. Errors: kFull (no space), kIo; the text names the
// path.
class File {
 public:
  virtual ~File() = default;
  // Fills the whole buffer; fewer bytes in the file is kCorrupt ("truncated").
  virtual Result<void> read_at(std::uint64_t offset, MutableBytes to) = 0;
  // Writes all; a short write is continued.
  virtual Result<void> write_at(std::uint64_t offset, ByteView from) = 0;
  // On return the file's data, and the metadata needed to find it, are on the device.
  virtual Result<void> sync() = 0;
  virtual Result<std::uint64_t> size() = 0;
  // Cuts the file, or lengthens it with zeros.
  virtual Result<void> resize(std::uint64_t size) = 0;
  // Gives the file's blocks back to the device where it is offered (hole punch, which becomes a
  // discard on file systems mounted so); true when the file system accepted it.
  virtual Result<bool> deallocate() = 0;
};

// What the file system under a path can honestly be said to be, for assurance texts and `doctor`.
struct MediumDescription {
  std::string file_system;  // "ext4", "btrfs", "tmpfs", "overlay", … or "unknown (0x…)"
  enum class Answer { kNo, kYes, kUnknown };
  Answer overwrites_in_place = Answer::kUnknown;  // no: copy-on-write, log-structured or layered
  Answer rotational = Answer::kUnknown;           // as the block device says
  Answer local = Answer::kUnknown;                // no: network file system
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  enum class Open { kRead, kReadWrite, kCreate };  // kCreate fails with kAlreadyExists
  // New files get mode 0600; links are not followed at the last element. kNotFound, kIo (also when
  // the file system is read-only), kFull.
  virtual Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Open how) = 0;
  virtual Result<void> remove(const std::filesystem::path& path) = 0;  // kNotFound when absent
  // Atomic; replaces `to`.
  virtual Result<void> rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  virtual Result<bool> exists(const std::filesystem::path& path) = 0;
  // Names (not paths) in the folder, sorted. kNotFound.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& folder) = 0;
  // Makes the folder and its parents, mode 0700, and syncs each parent. Existing is not an error.
  virtual Result<void> make_folder(const std::filesystem::path& folder) = 0;
  // On return, creations, renames and removals in the folder are on the device.
  virtual Result<void> sync_folder(const std::filesystem::path& folder) = 0;
  virtual MediumDescription describe(const std::filesystem::path& path) = 0;
};

// The real one.
FileSystem& posix_file_system() noexcept;

// Writes a small file durably under a temporary name and renames it into place (atomic).
Result<void> write_file(FileSystem& files, const std::filesystem::path& path, ByteView content);

// The whole content; kCorrupt when larger than `limit` bytes.
Result<Bytes> read_file(FileSystem& files, const std::filesystem::path& path, std::uint64_t limit);

}  // namespace quietus
