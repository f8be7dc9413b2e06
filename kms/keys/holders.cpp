#include "keys/holders.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>
#include <system_error>
#include <thread>
#include <vector>

#include "crypto/random.hpp"
#include "keys/holders_table.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kTableMagic = 0x4853555445495551;  // "QUIETUSH" in memory order
constexpr auto kConfirmedPoll = std::chrono::milliseconds(2);
constexpr auto kLayoutPatience = std::chrono::seconds(2);

std::uint64_t pid_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

// The low half of the epoch is what the kernel waits on.
void futex(const std::atomic<std::uint64_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) {
  ::syscall(SYS_futex, reinterpret_cast<const std::uint32_t*>(&word), operation, value, timeout,
            nullptr, 0);
}

Error table_error(const std::filesystem::path& path) {
  return Error(ErrorCode::kIo, path.string() + ": " + std::generic_category().message(errno));
}

Result<void> wait_for_layout(LockFile& layout, const std::filesystem::path& table) {
  const auto deadline = std::chrono::steady_clock::now() + kLayoutPatience;
  while (true) {
    QUIETUS_TRY_AS(const bool locked,
                   layout.try_lock(lock_bytes::kTableLayout, LockFile::Mode::kExclusive));
    if (locked) return {};
    if (std::chrono::steady_clock::now() >= deadline)
      return Error(ErrorCode::kBusy, table.string() + ": another process is making it");
    std::this_thread::sleep_for(kConfirmedPoll);
  }
}

}  // namespace

Result<std::unique_ptr<Holders>> Holders::join(const Options& options) {
  std::unique_ptr<Holders> holders(new Holders);
  holders->read_only_ = options.read_only;
  if (!options.beside_slots.empty()) {
    QUIETUS_TRY_AS(
        VaultPresence presence,
        VaultPresence::take({options.control_store, options.beside_slots}, options.read_only));
    holders->presence_ = std::make_unique<VaultPresence>(std::move(presence));
  }
  QUIETUS_TRY_AS(LockFile life, LockFile::open(options.control_store, options.read_only));
  QUIETUS_TRY_AS(LockFile eyes, LockFile::open(options.control_store, true));
  holders->life_ = std::make_unique<LockFile>(std::move(life));
  holders->eyes_ = std::make_unique<LockFile>(std::move(eyes));
  QUIETUS_TRY(holders->map_table(options));
  if (!options.read_only) {
    QUIETUS_TRY(holders->take_row(options.without_cache));
    return holders;
  }
  QUIETUS_TRY_AS(const bool locked,
                 holders->life_->try_lock(lock_bytes::kReadOnlyHolders, LockFile::Mode::kShared));
  if (!locked) return Error(ErrorCode::kBusy, "holders: the lock cannot be had");
  return holders;
}

Result<void> Holders::map_table(const Options& options) {
  table_path_ = options.runtime_folder / "holders";
  const int flags = options.read_only ? O_RDONLY : O_RDWR | O_CREAT;
  const int descriptor = ::open(table_path_.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  // On a read-only disk nobody can erase through this mount, so there is no epoch to follow.
  if (descriptor < 0 && options.read_only) return {};
  if (descriptor < 0) return table_error(table_path_);
  const auto laid_out = options.read_only ? Result<void>() : lay_out(descriptor, options);
  struct stat status {};
  const bool whole =
      ::fstat(descriptor, &status) == 0 && status.st_size == static_cast<off_t>(sizeof(Table));
  void* memory = MAP_FAILED;
  if (laid_out && whole) {
    const int protection = options.read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    memory = ::mmap(nullptr, sizeof(Table), protection, MAP_SHARED, descriptor, 0);
  }
  ::close(descriptor);
  QUIETUS_TRY(laid_out);
  if (!whole) return Error(ErrorCode::kCorrupt, table_path_.string() + ": wrong size; remove it");
  if (memory == MAP_FAILED) return table_error(table_path_);
  table_ = static_cast<Table*>(memory);
  table_device_ = status.st_dev;
  table_inode_ = status.st_ino;
  if (table_->magic.load() != kTableMagic)
    return Error(ErrorCode::kCorrupt, table_path_.string() + ": damaged; remove it");
  return {};
}

// Gives a new table its size and head, and a table that nobody uses this process's PID namespace. A
// table that a power cut damaged is made anew, as long as nobody alive relies on it. Holders who
// still use one that was deleted are not in the new one: they count as missing.
Result<void> Holders::lay_out(int descriptor, const Options& options) {
  QUIETUS_TRY_AS(LockFile layout, LockFile::open(options.control_store, false));
  QUIETUS_TRY(wait_for_layout(layout, table_path_));
  QUIETUS_TRY_AS(const auto alive,
                 eyes_->first_locked(lock_bytes::kFirstHolder, lock_bytes::kMaxHolders));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return table_error(table_path_);
  const std::uint64_t here = pid_namespace();
  std::uint64_t head[3] = {0, 0, 0};
  const bool whole = status.st_size == static_cast<off_t>(sizeof(Table)) &&
                     ::pread(descriptor, head, sizeof head, 0) == sizeof head &&
                     head[0] == kTableMagic && head[2] != 0;
  if (whole && head[1] == here) return {};
  if (alive && !whole && status.st_size != 0)
    return Error(ErrorCode::kCorrupt,
                 table_path_.string() + ": damaged; close the vault everywhere and open it anew");
  if (alive && whole)
    return Error(ErrorCode::kUnavailable,
                 "the vault is open in another PID namespace; all its processes must share one");
  const std::uint64_t fresh[3] = {kTableMagic, here, whole ? head[2] : 1};
  if (::ftruncate(descriptor, sizeof(Table)) != 0 ||
      ::pwrite(descriptor, fresh, sizeof fresh, 0) != sizeof fresh)
    return table_error(table_path_);
  return {};
}

Result<void> Holders::take_row(bool without_cache) {
  for (index_ = 0; index_ < lock_bytes::kMaxHolders; ++index_) {
    QUIETUS_TRY_AS(const bool mine,
                   life_->try_lock(lock_bytes::kFirstHolder + index_, LockFile::Mode::kExclusive));
    if (!mine) continue;
    row_ = &table_->rows[index_];
    row_->oldest = 0;
    row_->unwritten = 0;
    row_->without_cache = without_cache ? 1 : 0;
    // It holds no key yet, so nothing that was revoked before now.
    row_->acknowledged = table_->epoch.load();
    row_->token = random_id63();
    return {};
  }
  return Error(ErrorCode::kUnavailable, "too many processes have the vault open");
}

Holders::~Holders() {
  if (row_ != nullptr) row_->token = 0;
  if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

void Holders::abandon() noexcept {
  row_ = nullptr;
  table_ = nullptr;
  life_.reset();
  eyes_.reset();
  presence_.reset();
}

std::uint64_t Holders::epoch() const noexcept {
  return table_ == nullptr ? 1 : table_->epoch.load(std::memory_order_seq_cst);
}

std::uint64_t Holders::publish() noexcept {
  if (row_ == nullptr) return epoch();
  const std::uint64_t next = table_->epoch.fetch_add(1, std::memory_order_seq_cst) + 1;
  wake();
  return next;
}

void Holders::wake() const noexcept {
  if (table_ != nullptr) futex(table_->epoch, FUTEX_WAKE, INT_MAX, nullptr);
}

void Holders::wait_for_change(std::uint64_t seen) const noexcept {
  const timespec timeout{0, 100'000'000};
  if (table_ == nullptr) {
    ::nanosleep(&timeout, nullptr);
    return;
  }
  if (epoch() == seen) futex(table_->epoch, FUTEX_WAIT, static_cast<std::uint32_t>(seen), &timeout);
}

void Holders::acknowledge(std::uint64_t epoch) noexcept {
  if (row_ != nullptr) row_->acknowledged = epoch;
}

// The mark is there before the epoch is looked at again: either the epoch's publisher sees the
// mark, or this sees the new epoch.
std::uint64_t Holders::begin_operation() {
  if (row_ == nullptr) return epoch();
  const std::lock_guard lock(mutex_);
  while (true) {
    const std::uint64_t now = epoch();
    ++operations_[now];
    row_->oldest = operations_.begin()->first;
    if (epoch() == now) return now;
    leave_operation(now);
  }
}

void Holders::end_operation(std::uint64_t epoch) noexcept {
  if (row_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  leave_operation(epoch);
}

// Requires: mutex_ held.
void Holders::leave_operation(std::uint64_t epoch) noexcept {
  const auto found = operations_.find(epoch);
  if (--found->second == 0) operations_.erase(found);
  row_->oldest = operations_.empty() ? 0 : operations_.begin()->first;
}

// The rows that this process sees must be the rows that others write: if somebody replaced the
// table, the holders cannot be asked.
bool Holders::table_is_current() const noexcept {
  struct stat status {};
  return table_ != nullptr && ::stat(table_path_.c_str(), &status) == 0 &&
         status.st_dev == table_device_ && status.st_ino == table_inode_;
}

Result<bool> Holders::copy_is_open() const {
  if (!presence_) return false;
  return presence_->copy_is_open();
}

Result<HolderCount> Holders::look(std::uint64_t epoch) const {
  if (eyes_ == nullptr)
    return Error(ErrorCode::kUnavailable,
                 "the vault was opened before a fork; open it anew in the child");
  HolderCount seen;
  const bool same_table = table_is_current();
  QUIETUS_TRY_AS(const bool copy, copy_is_open());
  if (copy) ++seen.missing;
  std::uint64_t next = lock_bytes::kFirstHolder;
  const std::uint64_t end = lock_bytes::kReadOnlyHolders + 1;
  while (next < end) {
    QUIETUS_TRY_AS(const auto locked, eyes_->first_locked(next, end - next));
    if (!locked) break;
    next = *locked + 1;
    if (*locked == lock_bytes::kReadOnlyHolders || !same_table) {
      ++seen.missing;
      continue;
    }
    const Row& row = table_->rows[*locked - lock_bytes::kFirstHolder];
    const std::uint64_t oldest = row.oldest.load();
    const bool drained = row.without_cache.load() != 0 && (oldest == 0 || oldest >= epoch);
    const bool known = row.token.load() != 0;
    if (known && (drained || row.acknowledged.load() >= epoch))
      ++seen.acknowledged;
    else
      ++seen.missing;
  }
  return seen;
}

Result<HolderCount> Holders::await(std::uint64_t epoch, std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  QUIETUS_TRY_AS(HolderCount first, look(epoch));
  const std::uint32_t alive_at_first = first.acknowledged + first.missing;
  while (true) {
    QUIETUS_TRY_AS(HolderCount seen, look(epoch));
    const std::uint32_t alive = seen.acknowledged + seen.missing;
    seen.ended = alive_at_first > alive ? alive_at_first - alive : 0;
    if (seen.missing == 0 || std::chrono::steady_clock::now() >= deadline) return seen;
    std::this_thread::sleep_for(kConfirmedPoll);
  }
}

Result<std::uint32_t> Holders::count() const {
  QUIETUS_TRY_AS(const HolderCount seen, look(epoch()));
  return seen.acknowledged + seen.missing;
}

}  // namespace quietus
