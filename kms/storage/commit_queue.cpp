#include "storage/commit_queue.hpp"

#include <algorithm>

namespace quietus {

Result<void> CommitQueue::submit(RecordStore::WriteFunction write, RunGroup run) {
  Request request(write);
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  if (!led_) {
    led_ = true;
    request.place_ = Request::Place::kLeading;
  }
  request.changed_.wait(lock, [&] { return request.place_ != Request::Place::kWaiting; });
  if (request.place_ == Request::Place::kLeading) lead(lock, run);
  if (request.thrown) std::rethrow_exception(request.thrown);
  return std::move(request.result);
}

// The leader is the first in the queue.
void CommitQueue::lead(std::unique_lock<std::mutex>& lock, RunGroup run) {
  std::array<Request*, kMaxGroup> places{};
  const std::size_t size = std::min(waiting_.size(), kMaxGroup);
  std::copy_n(waiting_.begin(), size, places.begin());
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
  const std::span<Request* const> group(places.data(), size);
  lock.unlock();
  try {
    run(group);
  } catch (...) {
    for (Request* const request : group) request->thrown = std::current_exception();
  }
  lock.lock();
  for (Request* const request : group) {
    request->place_ = Request::Place::kDone;
    // Under the lock, or the request could be gone.
    request->changed_.notify_one();
  }
  hand_over();
}

void CommitQueue::hand_over() noexcept {
  led_ = !waiting_.empty();
  if (!led_) return;
  waiting_.front()->place_ = Request::Place::kLeading;
  waiting_.front()->changed_.notify_one();
}

}  // namespace quietus
