// Who holds keys in memory. Every process that has the vault open proves that it is alive by a lock
// (root_lock.hpp) and has a row in runtime/holders, a small table mapped by all of them, which
// carries the revocation epoch and what each holder has acknowledged. The table is never a proof of
// life: a lock without a row is a holder that is not known, and an erasure then stays incomplete.
//
//   offset size   (host byte order: the table never leaves the machine)
//        0    8  "QUIETUSH"
//        8    8  PID namespace (inode number of /proc/self/ns/pid)
//       16    8  revocation epoch
//       24    8  until when use is written down at once: milliseconds of CLOCK_BOOTTIME
//       64        rows of 64 bytes: token u64 (random, 0 free) || acknowledged epoch u64 ||
//                 epoch of the oldest operation under way u64 (0 none; kept by holders without a
//                 cache) || without cache u32 || unwritten use u32 (Unwritten)
#pragma once

#include <quietus/result.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "keys/root_lock.hpp"

namespace quietus {

struct HolderCount {
  std::uint32_t acknowledged = 0;
  std::uint32_t ended = 0;    // were alive when the epoch was published and are no more
  std::uint32_t missing = 0;  // have not confirmed, or are not known
};

class Holders {
 public:
  struct Options {
    std::filesystem::path control_store;
    std::filesystem::path runtime_folder;
    bool read_only = false;                // holds a shared lock and has no row
    bool without_cache = false;            // keeps no keys between operations and runs no thread
    std::filesystem::path beside_slots{};  // the lock file there; empty: there is no such folder
  };

  // From here on every erasure waits for this process. kBusy when a copy of the vault with the same
  // root slots is open; kUnavailable when holders of another PID
  // namespace are alive, or the machine has too many holders; kCorrupt when the table was damaged
  // while others use it; kBusy; kIo.
  static Result<std::unique_ptr<Holders>> join(const Options& options);
  ~Holders();
  Holders(const Holders&) = delete;
  Holders& operator=(const Holders&) = delete;

  std::uint64_t epoch() const noexcept;
  // Raises the epoch; the new one. Nothing happens where nothing can have been changed: opened for
  // reading, or before fork.
  std::uint64_t publish() noexcept;
  // This process holds no key that was loaded before `epoch`.
  void acknowledge(std::uint64_t epoch) noexcept;
  // Returns when the epoch may differ from `seen`, or after some time.
  void wait_for_change(std::uint64_t seen) const noexcept;
  // Ends waits of this process (and, harmlessly, of others).
  void wake() const noexcept;

  // For holders without a cache: brackets one operation. Returns the epoch it belongs to.
  std::uint64_t begin_operation();
  void end_operation(std::uint64_t epoch) noexcept;

  // Waits until every holder that is alive has acknowledged `epoch` or ended.
  Result<HolderCount> await(std::uint64_t epoch, std::chrono::milliseconds timeout) const;
  // Processes with the vault open now.
  Result<std::uint32_t> count() const;

  // Use of scopes that is noted and not written down yet (vault/src/activity.hpp). A sweep calls
  // for attention, so that everybody writes use as it is noted, and waits for what was noted before
  // that: then a transaction shows all use up to its beginning. Either the note of a use sees the
  // call, or the one who called sees the mark of it.
  struct Call {
    std::uint64_t until = 0;
    std::uint64_t before = 0;  // the call that stood until then
  };
  Call call_for_attention(std::chrono::milliseconds how_long) noexcept;
  // Gives back the call from before, and takes none away that came later.
  void end_attention(const Call& call) noexcept;
  bool attention() const noexcept;
  // Of this process. kReturned: a use has returned that is not written.
  enum class Unwritten : std::uint32_t { kNone = 0, kBeingWritten = 1, kReturned = 2 };
  void note_unwritten(Unwritten least) noexcept;  // or what is noted already, when that is more
  void set_written() noexcept;
  // How many of the holders that are alive have unwritten use, of that kind at least, or are not
  // known.
  Result<std::uint32_t> unwritten(Unwritten least = Unwritten::kBeingWritten) const;
  // The same when none has any more, or the time is over.
  Result<std::uint32_t> await_written(std::chrono::milliseconds timeout) const;

  // For a forked child, whose parent goes on: closes the descriptors without unlocking.
  void abandon() noexcept;

 private:
  struct Table;
  struct Row;
  Holders() = default;
  Result<void> map_table(const Options& options);
  Result<void> lay_out(int descriptor, const Options& options);
  void leave_operation(std::uint64_t epoch) noexcept;
  Result<void> take_row(bool without_cache);
  Result<HolderCount> look(std::uint64_t epoch) const;
  bool table_is_current() const noexcept;
  Result<bool> copy_is_open() const;

  std::unique_ptr<LockFile> life_;  // holds this process's byte
  std::unique_ptr<VaultPresence> presence_;
  std::unique_ptr<LockFile> eyes_;  // looks at the others'; never locks
  Table* table_ = nullptr;          // null: read-only without a table to see
  Row* row_ = nullptr;              // null when read-only
  std::uint64_t index_ = 0;
  bool read_only_ = false;
  std::mutex mutex_;
  std::map<std::uint64_t, std::uint32_t> operations_;  // under way, by epoch; guarded by mutex_
  std::filesystem::path table_path_;
  std::uint64_t table_device_ = 0;  // of the table that is mapped here
  std::uint64_t table_inode_ = 0;
};

}  // namespace quietus
