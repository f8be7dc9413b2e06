#include "storage/lmdb_environment.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <utility>

#include "base/failpoint.hpp"
#include "storage/lmdb_error.hpp"

namespace quietus {
namespace {

constexpr int kMapAttempts = 4;

}  // namespace

// A read transaction in use. In the child of a fork it is dropped: its row in the table of readers
// belongs to the parent.
class LmdbEnvironment::ReadTicket {
 public:
  explicit ReadTicket(const LmdbEnvironment& environment) noexcept : environment_(environment) {}
  ReadTicket(const ReadTicket&) = delete;
  ReadTicket& operator=(const ReadTicket&) = delete;
  ~ReadTicket() {
    if (place_ == nullptr || environment_.forked()) return;
    mdb_txn_reset(place_->transaction);
    LmdbReaders::give_back(*place_);
  }
  void hold(LmdbReaders::Place& place) noexcept { place_ = &place; }
  MDB_txn* transaction() const noexcept { return place_->transaction; }

 private:
  const LmdbEnvironment& environment_;
  LmdbReaders::Place* place_ = nullptr;
};

// A write transaction that is aborted unless it is committed.
class LmdbEnvironment::WriteTicket {
 public:
  explicit WriteTicket(const LmdbEnvironment& environment) noexcept : environment_(environment) {}
  WriteTicket(const WriteTicket&) = delete;
  WriteTicket& operator=(const WriteTicket&) = delete;
  ~WriteTicket() {
    if (transaction_ != nullptr && !environment_.forked()) mdb_txn_abort(transaction_);
  }
  MDB_txn** out() noexcept { return &transaction_; }
  MDB_txn* transaction() const noexcept { return transaction_; }
  MDB_txn* release() noexcept { return std::exchange(transaction_, nullptr); }

 private:
  const LmdbEnvironment& environment_;
  MDB_txn* transaction_ = nullptr;
};

LmdbEnvironment::~LmdbEnvironment() {
  // What the child of a fork inherited is the parent's; it is left as it is.
  if (env_ == nullptr || forked()) return;
  readers_.abort_all();
  mdb_env_close(env_);
}

Result<void> LmdbEnvironment::usable() const {
  if (forked())
    return Error(ErrorCode::kUnavailable,
                 "the store was opened before a fork; open it anew in the child");
  if (closed_.load(std::memory_order_acquire))
    return Error(ErrorCode::kUnavailable,
                 "the outcome of an earlier commit is unknown; open the store anew");
  return {};
}

LmdbSpace LmdbEnvironment::space() const noexcept {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);  // fails only without an environment
  return {page_size_, info.me_last_pgno + 1, info.me_mapsize / page_size_};
}

// Maps the file as large as the process that enlarged the map says. Requires: write_mutex_ held and
// no write transaction open.
int LmdbEnvironment::adopt_map_size() noexcept {
  readers_.take_all();
  const int rc = shrunk_ ? map_what_is_used() : mdb_env_set_mapsize(env_, 0);
  // A failure leaves LMDB without any map: whoever reads next has to know before they can.
  if (rc != MDB_SUCCESS) closed_.store(true, std::memory_order_release);
  readers_.give_back_all();
  return rc;
}

// What is in use, and room for more: for an erasure always. Requires that no transaction is open.
int LmdbEnvironment::map_what_is_used() noexcept {
  constexpr std::uint64_t kRoom = std::uint64_t{4} << 20;
  MDB_envinfo info{};
  mdb_env_info(env_, &info);  // fails only without an environment
  const std::uint64_t used = (info.me_last_pgno + 1) * page_size_;
  if (info.me_mapsize >= used + kRoom) return MDB_SUCCESS;
  return mdb_env_set_mapsize(env_, used + kRoom + used / 8 / page_size_ * page_size_);
}

int LmdbEnvironment::renew(LmdbReaders::Place& place) noexcept {
  if (place.transaction != nullptr) return mdb_txn_renew(place.transaction);
  int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &place.transaction);
  if (rc == MDB_READERS_FULL && mdb_reader_check(env_, nullptr) == MDB_SUCCESS)
    rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &place.transaction);
  if (rc != MDB_SUCCESS) place.transaction = nullptr;
  return rc;
}

Result<void> LmdbEnvironment::begin_read(ReadTicket& ticket) {
  for (int attempt = 1;; ++attempt) {
    LmdbReaders::Place* const place = readers_.take();
    if (place == nullptr) return Error(ErrorCode::kBusy, "too many reads at one time");
    if (auto still = usable(); !still) {  // another thread may have lost the map meanwhile
      LmdbReaders::give_back(*place);
      return still;
    }
    int rc = renew(*place);
    if (rc == MDB_SUCCESS) {
      ticket.hold(*place);
      return {};
    }
    LmdbReaders::give_back(*place);
    if (rc == MDB_MAP_RESIZED && attempt < kMapAttempts) {
      const std::lock_guard lock(write_mutex_);
      QUIETUS_TRY(usable());  // another reader may have tried, and lost the map
      rc = adopt_map_size();
      if (rc == MDB_SUCCESS) continue;
    }
    return lmdb_error(rc, "beginning to read");
  }
}

Result<void> LmdbEnvironment::read(Body body) {
  QUIETUS_TRY(usable());
  ReadTicket ticket(*this);
  QUIETUS_TRY(begin_read(ticket));
  LmdbRows rows(ticket.transaction(), page_size_);
  return body(rows);
}

Result<void> LmdbEnvironment::begin_write(WriteTicket& ticket) {
  int rc = mdb_txn_begin(env_, nullptr, 0, ticket.out());
  for (int attempt = 1; rc == MDB_MAP_RESIZED && attempt < kMapAttempts; ++attempt) {
    rc = adopt_map_size();
    if (rc == MDB_SUCCESS) rc = mdb_txn_begin(env_, nullptr, 0, ticket.out());
  }
  if (rc == MDB_SUCCESS) return {};
  ticket.release();
  return lmdb_error(rc, "beginning to write");
}

Result<void> LmdbEnvironment::write(Body body) {
  QUIETUS_TRY(usable());
  if (read_only_) return Error(ErrorCode::kIo, "the store was opened for reading only");
  const std::lock_guard lock(write_mutex_);
  QUIETUS_TRY(usable());
  Attempt attempt = write_once(body);
  // Readers of dead processes pin pages that are free otherwise.
  int cleared = 0;
  if (attempt.map_full && mdb_reader_check(env_, &cleared) == MDB_SUCCESS && cleared > 0)
    attempt = write_once(body);
  if (attempt.map_full && shrunk_ && !attempt.outcome)
    return Error(ErrorCode::kFull,
                 "this process is given too little address space for a larger store (ulimit -v); "
                 "nothing was changed");
  return std::move(attempt.outcome);
}

LmdbEnvironment::Attempt LmdbEnvironment::write_once(Body body) {
  WriteTicket ticket(*this);
  if (auto begun = begin_write(ticket); !begun) return {std::move(begun), false};
  LmdbRows rows(ticket.transaction(), page_size_);
  Result<void> outcome = body(rows);
  if (outcome) outcome = rows.failure();
  if (outcome && rows.changes() > 0) outcome = commit(ticket);
  return {std::move(outcome), rows.map_full()};
}

Result<void> LmdbEnvironment::commit(WriteTicket& ticket) {
  QUIETUS_TRY(usable());  // the body may have forked
  QUIETUS_FAILPOINT("store/before-commit");
  const int rc = mdb_txn_commit(ticket.release());
  if (rc != MDB_SUCCESS) return explain_failed_commit(rc);
  cover_tail();
  const auto reached = after_commit();
  if (reached) return {};
  closed_.store(true, std::memory_order_release);
  return Error(ErrorCode::kUnavailable,
               "the outcome of the commit is unknown: " + reached.error().context());
}

// Where tests end the process, or keep the word of a commit that worked from its caller.
Result<void> LmdbEnvironment::after_commit() {
  QUIETUS_FAILPOINT("store/after-commit");
  return {};
}

// LMDB writes and syncs all pages before it touches a meta page, and when writing that fails it
// refuses everything from then on. So a commit that failed without this has changed nothing. Still,
// after an error of the device its word on later writes is not taken.
Result<void> LmdbEnvironment::explain_failed_commit(int rc) {
  const bool out_of_space = means_full(rc) || (rc == EIO && disk_is_full());
  if (out_of_space && !panicked())
    return Error(ErrorCode::kFull, "disk or map is full; nothing was changed");
  closed_.store(true, std::memory_order_release);
  return Error(ErrorCode::kUnavailable,
               "the outcome of the commit is unknown: " + lmdb_error(rc, "committing").context());
}

bool LmdbEnvironment::panicked() noexcept {
  WriteTicket probe(*this);
  if (mdb_txn_begin(env_, nullptr, 0, probe.out()) == MDB_SUCCESS) return false;
  probe.release();
  return true;
}

// LMDB reports a write that a full disk cut short as EIO.
bool LmdbEnvironment::disk_is_full() const noexcept {
  constexpr std::uint64_t kNearlyNothing = std::uint64_t{64} << 10;
  struct statvfs status {};
  if (fstatvfs(descriptor_, &status) != 0) return false;
  return std::uint64_t{status.f_bavail} * status.f_frsize < kNearlyNothing;
}

}  // namespace quietus
