// One LMDB file, opened with the care it needs; both stores stand on it.
//
// What is taken care of here: never more than one environment per process and file; nothing is
// touched in the child of a fork; stale readers are cleared; a map that another process enlarged is
// mapped anew; a commit whose outcome is unknown closes the environment.
#pragma once

#include <lmdb.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/function_ref.hpp"
#include "storage/lmdb_readers.hpp"
#include "storage/lmdb_rows.hpp"
#include "storage/lmdb_store.hpp"
#include "storage/open_files.hpp"
#include "storage/store_readers.hpp"

namespace quietus {

// What a file is for. Numbers reach the disk: do not change them.
enum class StoreKind : std::uint8_t { kControl = 0, kRecords = 1 };

struct LmdbSchema {
  StoreKind kind;
  VaultId vault;
  std::span<const char* const> tables;
};

// How much of the file and of the map is in use, as of the last commit.
struct LmdbSpace {
  std::uint64_t page_size;
  std::uint64_t used_pages;  // ever taken; some of them may be free again
  std::uint64_t map_pages;
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): there is one per file
class LmdbEnvironment {
 public:
  static Result<std::unique_ptr<LmdbEnvironment>> open(const std::filesystem::path& path,
                                                       const LmdbOptions& options,
                                                       const LmdbSchema& schema);
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;
  ~LmdbEnvironment();

  // kUnavailable in the child of a fork, and once a commit had an unknown outcome. To be asked
  // before a lock of one's own is taken.
  Result<void> usable() const;

  // Runs `body` on one snapshot. Its changes() must stay 0.
  using Body = FunctionRef<Result<void>(LmdbRows&)>;
  Result<void> read(Body body);

  // Runs `body` in one transaction, perhaps more than once, and commits what it changed. An error
  // of it is returned as it is. For the rest see ControlStore::update.
  Result<void> write(Body body);

  // The table with this position in the schema.
  MDB_dbi table(std::size_t position) const noexcept { return tables_[position]; }

  // In write(): stable until the commit.
  LmdbSpace space() const noexcept;
  // Clears the places of processes that ended, and tells who reads.
  Result<StoreReaders> readers();
  // Pages inside the file that are free, the ones still pinned by readers included.
  Result<std::uint64_t> count_free_pages();
  int descriptor() const noexcept { return descriptor_; }

 private:
  class ReadTicket;
  class WriteTicket;
  struct Attempt {
    Result<void> outcome;
    bool map_full = false;
  };

  LmdbEnvironment(OpenFileClaim claim, bool read_only) noexcept
      : claim_(std::move(claim)), generation_(fork_generation()), read_only_(read_only) {}

  bool forked() const noexcept { return generation_ != fork_generation(); }

  // An open environment with a map of that many bytes, or none and why.
  int map(const std::filesystem::path& path, bool read_only, std::uint64_t size);
  Result<void> start(const std::filesystem::path& path, const LmdbOptions& options);
  Result<void> make_tables(const LmdbSchema& schema);
  Result<void> find_tables(const LmdbSchema& schema);
  Result<void> find_tables(const LmdbSchema& schema, MDB_txn* transaction);
  Result<void> settle_tail();
  void cover_tail() noexcept;

  Result<void> begin_read(ReadTicket& ticket);
  int renew(LmdbReaders::Place& place) noexcept;
  Result<void> begin_write(WriteTicket& ticket);
  Attempt write_once(Body body);
  Result<void> commit(WriteTicket& ticket);
  static Result<void> after_commit();
  Result<void> explain_failed_commit(int rc);
  bool panicked() noexcept;
  bool disk_is_full() const noexcept;
  int adopt_map_size() noexcept;
  int map_what_is_used() noexcept;

  LmdbReaders readers_;
  OpenFileClaim claim_;
  const std::uint64_t generation_;
  const bool read_only_;
  bool shrunk_ = false;  // less is mapped than was asked for
  MDB_env* env_ = nullptr;
  int descriptor_ = -1;       // LMDB's own
  int cleared_at_start_ = 0;  // places of processes that had ended
  std::uint64_t page_size_ = 0;
  std::vector<MDB_dbi> tables_;
  std::atomic<bool> closed_{false};
  std::mutex write_mutex_;  // held while a write transaction of this process is open
};

}  // namespace quietus
