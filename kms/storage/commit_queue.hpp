// Lets the writers of several threads share one commit. The first to come leads: it runs what has
// queued up so far as one group, on its own thread, while the next group gathers behind it; then it
// hands the lead to the first of those.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <span>

#include "storage/record_store.hpp"

namespace quietus {

class CommitQueue {
 public:
  // One writer's call, on that writer's stack.
  struct Request {
    explicit Request(RecordStore::WriteFunction function) noexcept : write(function) {}

    RecordStore::WriteFunction write;
    Result<void> result;
    std::exception_ptr thrown;  // by `write`; instead of a result

   private:
    friend class CommitQueue;
    enum class Place { kWaiting, kLeading, kDone };
    Place place_ = Place::kWaiting;
    std::condition_variable changed_;
  };

  // Runs a group and fills in its results.
  using RunGroup = FunctionRef<void(std::span<Request* const>)>;

  // Returns when `write` has been run in some group: its result, or what it threw.
  Result<void> submit(RecordStore::WriteFunction write, RunGroup run);

 private:
  static constexpr std::size_t kMaxGroup = 256;

  void lead(std::unique_lock<std::mutex>& lock, RunGroup run);
  void hand_over() noexcept;

  std::mutex mutex_;
  std::deque<Request*> waiting_;  // guarded by mutex_; the leader is not in it
  bool led_ = false;              // guarded by mutex_
};

}  // namespace quietus
