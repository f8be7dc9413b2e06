// A control store that fails where it is told to, with each outcome that a real one can have, and
// remembers every version of every row that was ever written.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/control_store.hpp"

namespace quietus::test {

// How an update fails.
enum class UpdateFault {
  kRefused,           // before the commit: nothing was changed, and the code says why
  kUnknownCommitted,  // kUnavailable, and it happened
  kUnknownLost,       // kUnavailable, and it did not happen
};

struct RowVersion {
  Bytes key;
  Bytes value;
  bool committed;  // a version that was not may lie on the device all the same (attacks.md C4)
};

// Thread-safe as far as the store behind it is.
class FaultControlStore final : public ControlStore {
 public:
  explicit FaultControlStore(ControlStore& real) : real_(real) {}

  // The n-th update from now (1: the next) fails, once. `code` counts for kRefused only.
  void fail_at(std::uint64_t n, UpdateFault fault, ErrorCode code = ErrorCode::kFull) {
    const std::lock_guard lock(mutex_);
    updates_left_ = n;
    fault_ = fault;
    code_ = code;
    failed_ = false;
  }

  // As if the store had been opened anew after an unknown outcome.
  void reopen() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    updates_left_ = 0;
  }

  std::uint64_t updates() const {
    const std::lock_guard lock(mutex_);
    return updates_;
  }
  bool failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }
  std::vector<RowVersion> versions() const {
    const std::lock_guard lock(mutex_);
    return versions_;
  }

  Result<void> read(ReadFunction read) override {
    QUIETUS_TRY(open());
    return real_.read(read);
  }

  Result<void> update(WriteClass write_class, WriteFunction write) override {
    QUIETUS_TRY(open());
    const bool fails = count_update();
    const bool commits = !fails || fault_ == UpdateFault::kUnknownCommitted;
    std::vector<RowVersion> written;
    bool reached_commit = false;
    Result<void> outcome = real_.update(write_class, [&](ControlWriter& rows) -> Result<void> {
      written.clear();
      Recorder recorder(rows, written);
      QUIETUS_TRY(write(recorder));
      reached_commit = true;
      if (!commits) return Error(code_, "a planned failure before the commit");
      return {};
    });
    if (reached_commit) remember(std::move(written), outcome.ok());
    if (!fails || !reached_commit || outcome.ok() != commits) return outcome;
    const std::lock_guard lock(mutex_);
    failed_ = true;
    if (fault_ == UpdateFault::kRefused) return outcome;
    closed_ = true;
    return closed_error();
  }

  bool keeps_reserve() const noexcept override { return real_.keeps_reserve(); }

 private:
  class Recorder final : public ControlWriter {
   public:
    Recorder(ControlWriter& rows, std::vector<RowVersion>& written) noexcept
        : rows_(rows), written_(written) {}
    Result<std::optional<ByteView>> get(ByteView key) override { return rows_.get(key); }
    Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
      return rows_.scan(prefix, from, visit);
    }
    Result<void> put(ByteView key, ByteView value) override {
      written_.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()), false});
      return rows_.put(key, value);
    }
    Result<void> remove(ByteView key) override { return rows_.remove(key); }

   private:
    ControlWriter& rows_;
    std::vector<RowVersion>& written_;
  };

  static Error closed_error() {
    return Error(ErrorCode::kUnavailable, "the outcome of a commit is unknown (planned)");
  }

  Result<void> open() const {
    const std::lock_guard lock(mutex_);
    if (closed_) return closed_error();
    return {};
  }

  bool count_update() {
    const std::lock_guard lock(mutex_);
    ++updates_;
    return updates_left_ > 0 && --updates_left_ == 0;
  }

  void remember(std::vector<RowVersion> written, bool committed) {
    const std::lock_guard lock(mutex_);
    for (RowVersion& version : written) {
      version.committed = committed;
      versions_.push_back(std::move(version));
    }
  }

  ControlStore& real_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<RowVersion> versions_;
  std::uint64_t updates_ = 0;
  std::uint64_t updates_left_ = 0;
  UpdateFault fault_ = UpdateFault::kRefused;
  ErrorCode code_ = ErrorCode::kFull;
  bool closed_ = false;
  bool failed_ = false;
};

}  // namespace quietus::test
