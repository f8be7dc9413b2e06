// Keeps every byte that this program writes to files below one folder: LMDB's writes and those of
// forked children included, also when a child is killed. The functions of the C library are defined
// anew here and so take the place of its own; while nothing is recorded they only pass the call on.
//
// Not seen: what is written through shared memory maps, which a vault does in control.mdb-lock,
// records.mdb-lock and runtime/holders only.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/function_ref.hpp"

namespace quietus::test {

// One call that succeeded.
struct RecordedCall {
  enum class Kind : std::uint8_t { kWrite, kTruncate, kRename, kRemove, kSync };
  Kind kind = Kind::kWrite;
  bool waits = false;  // a sync, or a write through a descriptor opened with O_DSYNC or O_SYNC
  std::uint64_t offset = 0;  // of a write; the new size of a truncated file
  std::string path;          // at the time of the call
  std::string to;            // of a rename
  Bytes bytes;               // of a write
};

class WriteRecorder {
 public:
  // Records until the end of its life. One at a time.
  explicit WriteRecorder(const std::filesystem::path& folder);
  WriteRecorder(const WriteRecorder&) = delete;
  WriteRecorder& operator=(const WriteRecorder&) = delete;
  ~WriteRecorder();

  // What was recorded so far, in order.
  std::vector<RecordedCall> calls() const;

 private:
  int log_ = -1;
};

// Ends this process, as a power cut would, instead of its n-th write (1: the next) through a
// descriptor that waits for the device: in LMDB the write of a meta page, when all other pages of
// the transaction have been flushed. Recorded folders only. 0 calls it off.
void kill_at_waiting_write(int n);

// What a file held, by the path that it had at the end.
using FileContents = std::map<std::string, Bytes>;

// Does the calls again and shows the files after each; the call is the one that was just done.
void replay(const std::vector<RecordedCall>& calls,
            FunctionRef<void(const RecordedCall&, const FileContents&)> visit);

struct WriteCost {
  std::uint64_t syncs = 0;
  std::uint64_t bytes = 0;
};
WriteCost cost_of(const std::vector<RecordedCall>& calls);

}  // namespace quietus::test
