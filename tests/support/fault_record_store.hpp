// A record store in front of a real one that fails where it is told to, and lets a test act around
// each update.
#pragma once

#include <functional>

#include "storage/record_store.hpp"

namespace quietus::test {

// How an update fails.
enum class RecordFault {
  kRefused,           // kFull, and nothing was changed
  kUnknownCommitted,  // kUnavailable, and it happened
};

// Not thread-safe.
class FaultRecordStore final : public RecordStore {
 public:
  explicit FaultRecordStore(RecordStore& real) : real_(real) {}

  // The n-th update from now (1: the next) fails, and so do `more` after it.
  void fail_at(int n, RecordFault fault = RecordFault::kRefused, int more = 0) {
    first_ = updates_ + n;
    last_ = first_ + more;
    fault_ = fault;
  }
  bool failed() const noexcept { return first_ != 0 && updates_ >= first_; }
  int updates() const noexcept { return updates_; }

  // Called when an update was committed.
  std::function<void()> after_commit;
  // Called before each snapshot.
  std::function<void()> before_read;

  Result<void> read(ReadFunction read) override {
    if (before_read) before_read();
    return real_.read(read);
  }

  Result<void> update(WriteFunction write) override {
    ++updates_;
    const bool fails = first_ != 0 && updates_ >= first_ && updates_ <= last_;
    if (fails && fault_ == RecordFault::kRefused)
      return Error(ErrorCode::kFull, "no space left (injected)");
    Result<void> updated = real_.update(write);
    if (updated && after_commit) after_commit();
    if (updated && fails) return Error(ErrorCode::kUnavailable, "outcome unknown (injected)");
    return updated;
  }

  Result<ScopeUsage> usage(ScopeId scope) override { return real_.usage(scope); }
  Result<void> scopes(RecordTable table, FunctionRef<Result<bool>(ScopeId)> visit) override {
    return real_.scopes(table, visit);
  }
  Result<void> all_rows(std::span<const RecordTable> tables, RowVisitor visit) override {
    return real_.all_rows(tables, visit);
  }

 private:
  RecordStore& real_;
  int updates_ = 0;
  int first_ = 0;
  int last_ = 0;
  RecordFault fault_ = RecordFault::kRefused;
};

}  // namespace quietus::test
