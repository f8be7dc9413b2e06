#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "storage/commit_queue.hpp"
#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_store.hpp"
#include "storage/transaction_guard.hpp"

namespace quietus {
namespace {

// In the order of RecordTable, then the engine's own: scope -> records u64 || bytes u64.
constexpr const char* kRecordTables[] = {"records", "chunks", "garbage", "fence", "usage"};
constexpr std::size_t kUsageTable = 4;
constexpr std::size_t kScopeSize = 8;
constexpr std::size_t kMaxRowKey = 64;

using ScopePrefix = std::array<std::uint8_t, kScopeSize>;

ScopePrefix prefix_of(ScopeId scope) noexcept {
  ScopePrefix prefix{};
  for (std::size_t i = 0; i < kScopeSize; ++i)
    prefix[i] = static_cast<std::uint8_t>(scope >> (8 * (kScopeSize - 1 - i)));
  return prefix;
}

ScopeId scope_of(ByteView key) noexcept {
  ScopeId scope = 0;
  for (const std::uint8_t byte : key.first(kScopeSize)) scope = scope << 8 | byte;
  return scope;
}

// The scope, then the row's own key.
class FullKey {
 public:
  explicit FullKey(const RecordKeyRef& row) noexcept
      : size_(row.key.size() <= kMaxRowKey ? kScopeSize + row.key.size() : 0) {
    if (size_ == 0) return;
    std::ranges::copy(prefix_of(row.scope), bytes_.begin());
    std::ranges::copy(row.key, bytes_.begin() + kScopeSize);
  }
  Result<void> fits() const {
    if (size_ > 0) return {};
    return Error(ErrorCode::kInvalidArgument, "the key of a record row has at most 64 bytes");
  }
  ByteView view() const noexcept { return ByteView(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, kScopeSize + kMaxRowKey> bytes_{};
  std::size_t size_;
};

MDB_dbi table_of(const LmdbEnvironment& environment, RecordTable table) noexcept {
  return environment.table(static_cast<std::size_t>(table));
}

Result<ScopeUsage> read_usage(LmdbRows& rows, MDB_dbi table, ScopeId scope) {
  QUIETUS_TRY_AS(const auto row, rows.get(table, prefix_of(scope)));
  if (!row) return ScopeUsage{};
  ByteReader reader(*row);
  const ScopeUsage usage{reader.u64(), reader.u64()};
  // A damaged number must not keep anybody from writing; `check` tells.
  return reader.done() ? usage : ScopeUsage{};
}

// The changes of a transaction to what each scope holds.
class UsageChanges {
 public:
  void note(const RecordKeyRef& row, std::optional<ByteView> before,
            std::optional<ByteView> after) {
    if (row.table != RecordTable::kRecords && row.table != RecordTable::kChunks) return;
    Change& change = changes_[row.scope];
    if (row.table == RecordTable::kRecords)
      change.records += static_cast<std::int64_t>(after.has_value()) -
                        static_cast<std::int64_t>(before.has_value());
    change.bytes += static_cast<std::int64_t>(after ? after->size() : 0) -
                    static_cast<std::int64_t>(before ? before->size() : 0);
  }

  Result<void> write(LmdbRows& rows, MDB_dbi table) const {
    for (const auto& [scope, change] : changes_) {
      QUIETUS_TRY_AS(const ScopeUsage before, read_usage(rows, table, scope));
      const std::uint64_t records = moved(before.records, change.records);
      const std::uint64_t bytes = moved(before.bytes, change.bytes);
      QUIETUS_TRY(rows.put(table, prefix_of(scope), ByteWriter().u64(records).u64(bytes).view()));
    }
    return {};
  }

 private:
  struct Change {
    std::int64_t records = 0;
    std::int64_t bytes = 0;
  };
  static std::uint64_t moved(std::uint64_t from, std::int64_t by) noexcept {
    if (by >= 0) return from + static_cast<std::uint64_t>(by);
    return from - std::min(from, static_cast<std::uint64_t>(-by));
  }
  std::map<ScopeId, Change> changes_;
};

// The rows of one transaction; reading ones are handed out as a RecordReader.
class LmdbRecordRows final : public RecordWriter {
 public:
  LmdbRecordRows(const LmdbEnvironment& environment, LmdbRows& rows) noexcept
      : environment_(environment), rows_(rows) {}

  Result<std::optional<ByteView>> get(const RecordKeyRef& row) override {
    const FullKey key(row);
    QUIETUS_TRY(key.fits());
    return rows_.get(table_of(environment_, row.table), key.view());
  }

  Result<void> scan(const RecordKeyRef& from, Visitor visit) override {
    const FullKey key(from);
    QUIETUS_TRY(key.fits());
    const auto visit_row = [&](ByteView full, ByteView value) {
      return visit(full.subspan(kScopeSize), value);
    };
    return rows_.scan(table_of(environment_, from.table), prefix_of(from.scope), key.view(),
                      visit_row);
  }

  Result<void> put(const RecordKeyRef& row, ByteView value) override {
    const FullKey key(row);
    QUIETUS_TRY(key.fits());
    QUIETUS_TRY(note(row, key.view(), value));
    return rows_.put(table_of(environment_, row.table), key.view(), value);
  }

  Result<void> remove(const RecordKeyRef& row) override {
    const FullKey key(row);
    QUIETUS_TRY(key.fits());
    QUIETUS_TRY(note(row, key.view(), std::nullopt));
    return rows_.remove(table_of(environment_, row.table), key.view());
  }

  // Once all is written.
  Result<void> write_usage() {
    QUIETUS_TRY(rows_.failure());  // which the writer may have overlooked
    return usage_.write(rows_, environment_.table(kUsageTable));
  }

 private:
  Result<void> note(const RecordKeyRef& row, ByteView key, std::optional<ByteView> after) {
    // After a change that failed nothing can be read, and that failure is what there is to say.
    QUIETUS_TRY(rows_.failure());
    QUIETUS_TRY_AS(const auto before, rows_.get(table_of(environment_, row.table), key));
    usage_.note(row, before, after);
    return {};
  }

  UsageChanges usage_;
  const LmdbEnvironment& environment_;
  LmdbRows& rows_;
};

class LmdbRecordStore final : public RecordStore {
 public:
  explicit LmdbRecordStore(std::unique_ptr<LmdbEnvironment> environment) noexcept
      : environment_(std::move(environment)) {}

  Result<void> read(ReadFunction read) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    return environment_->read([&](LmdbRows& rows) {
      LmdbRecordRows records(*environment_, rows);
      return read(records);
    });
  }

  Result<void> update(WriteFunction write) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    QUIETUS_TRY(environment_->usable());
    return queue_.submit(write, [this](Group group) { run_group(group); });
  }

  Result<ScopeUsage> usage(ScopeId scope) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    ScopeUsage usage;
    QUIETUS_TRY(environment_->read([&](LmdbRows& rows) -> Result<void> {
      QUIETUS_TRY_AS(usage, read_usage(rows, environment_->table(kUsageTable), scope));
      return {};
    }));
    return usage;
  }

  Result<void> scopes(RecordTable table, FunctionRef<Result<bool>(ScopeId)> visit) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    return environment_->read([&](LmdbRows& rows) { return visit_scopes(rows, table, visit); });
  }

  Result<void> all_rows(std::span<const RecordTable> tables, RowVisitor visit) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    return environment_->read([&](LmdbRows& rows) -> Result<void> {
      bool more = true;
      for (std::size_t i = 0; i < tables.size() && more; ++i) {
        const auto visit_row = [&](ByteView key, ByteView value) -> Result<bool> {
          if (key.size() < kScopeSize) return Error(ErrorCode::kCorrupt, "a row without a scope");
          QUIETUS_TRY_AS(more, visit({tables[i], scope_of(key), key.subspan(kScopeSize)}, value));
          return more;
        };
        QUIETUS_TRY(rows.scan_all(table_of(*environment_, tables[i]), visit_row));
      }
      return {};
    });
  }

  Result<StoreReaders> readers() override { return environment_->readers(); }

 private:
  using Request = CommitQueue::Request;
  using Group = std::span<Request* const>;

  // Goes from the first row of a scope to the first of the next, past all between.
  Result<void> visit_scopes(LmdbRows& rows, RecordTable table,
                            FunctionRef<Result<bool>(ScopeId)> visit) {
    for (ScopeId from = 0;;) {
      QUIETUS_TRY_AS(const auto key, rows.seek(table_of(*environment_, table), prefix_of(from)));
      if (!key) return {};
      if (key->size() < kScopeSize) return Error(ErrorCode::kCorrupt, "a row without a scope");
      const ScopeId scope = scope_of(*key);
      QUIETUS_TRY_AS(const bool more, visit(scope));
      if (!more || scope == std::numeric_limits<ScopeId>::max()) return {};
      from = scope + 1;
    }
  }

  void run_group(Group group) {
    if (group.size() > 1 && run_together(group)) return;
    for (Request* const request : group) run_alone(*request);
  }

  // False when the group has to be taken apart; nothing was changed then.
  bool run_together(Group group) {
    const Result<void> outcome = environment_->write([&](LmdbRows& rows) -> Result<void> {
      for (Request* const request : group) {
        const std::uint64_t changes_before = rows.changes();
        call(*request, rows);
        const bool failed = request->thrown || !request->result;
        if (!rows.failure() || (failed && rows.changes() != changes_before))
          return Error(ErrorCode::kConflict, "one of a group failed after its first change");
      }
      return {};
    });
    if (outcome) return true;
    // One that failed on its own may have done so because of a write whose outcome is now unknown.
    if (outcome.error().code() != ErrorCode::kUnavailable) return false;
    for (Request* const request : group) {
      request->result = outcome;
      request->thrown = nullptr;
    }
    return true;
  }

  void run_alone(Request& request) {
    const Result<void> outcome = environment_->write([&](LmdbRows& rows) -> Result<void> {
      call(request, rows);
      if (request.thrown) return Error(ErrorCode::kInternal, "interrupted by an exception");
      return request.result;
    });
    request.result = outcome;
  }

  // What is thrown belongs to the thread that waits for this request.
  void call(Request& request, LmdbRows& rows) noexcept {
    request.thrown = nullptr;
    LmdbRecordRows records(*environment_, rows);
    try {
      request.result = request.write(records);
      if (request.result) request.result = records.write_usage();
    } catch (...) {
      request.thrown = std::current_exception();
    }
  }

  std::unique_ptr<LmdbEnvironment> environment_;
  CommitQueue queue_;
};

}  // namespace

Result<std::unique_ptr<RecordStore>> open_lmdb_records(const std::filesystem::path& path,
                                                       const LmdbOptions& options) {
  QUIETUS_TRY_AS(
      auto environment,
      LmdbEnvironment::open(path, options, {StoreKind::kRecords, options.vault, kRecordTables}));
  return std::unique_ptr<RecordStore>(std::make_unique<LmdbRecordStore>(std::move(environment)));
}

}  // namespace quietus
