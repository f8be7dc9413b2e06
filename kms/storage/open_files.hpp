// What a process must know about itself before it uses LMDB: which files it has open already, since
// a second open of one file loses the locks of the first; and whether it is the child of a fork,
// where an environment opened before must not be touched.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace quietus {

// Grows by one in the child of every fork; so a number remembered at opening tells whether this is
// still the process that opened. One atomic load.
std::uint64_t fork_generation() noexcept;

// The right to have one file open, whatever its name; given back by the destructor.
class OpenFileClaim {
 public:
  // Nothing when this process has the file open already.
  static std::optional<OpenFileClaim> take(dev_t device, ino_t inode);

  OpenFileClaim(OpenFileClaim&& other) noexcept;
  OpenFileClaim& operator=(OpenFileClaim&& other) = delete;
  OpenFileClaim(const OpenFileClaim&) = delete;
  OpenFileClaim& operator=(const OpenFileClaim&) = delete;
  ~OpenFileClaim();

  dev_t device() const noexcept { return device_; }
  ino_t inode() const noexcept { return inode_; }

 private:
  OpenFileClaim(dev_t device, ino_t inode) noexcept : device_(device), inode_(inode) {}

  dev_t device_;
  ino_t inode_;
  bool held_ = true;
};

}  // namespace quietus
