#include "stream.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

namespace quietus::node {

Stream::~Stream() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Stream::run() {
  int code = QUIETUS_EINTERNAL;
  std::string error = "out of memory";
  try {
    code = call_(*this);
    if (code < 0) error = quietus_last_error();
  } catch (const std::exception&) {
    code = QUIETUS_EINTERNAL;
  }
  const std::lock_guard lock(mutex_);
  code_ = code;
  error_.swap(error);
  turn_ = Turn::kEnded;
  changed_.notify_all();
}

Stream::Step Stream::step(Secret chunk) {
  std::unique_lock lock(mutex_);
  if (turn_ == Turn::kLibrary)
    return {true, QUIETUS_EINVALID, "a stream takes one step at a time", {}};
  const Turn before = turn_;
  if (before == Turn::kJavaScript || (before == Turn::kNotBegun && !stopped_)) {
    if (before == Turn::kNotBegun) thread_ = std::thread([this] { run(); });
    chunk_ = std::move(chunk);
    taken_ = 0;
    turn_ = Turn::kLibrary;
    changed_.notify_all();
  }
  changed_.wait(lock, [this] { return turn_ != Turn::kLibrary; });
  if (turn_ == Turn::kJavaScript) return {false, QUIETUS_OK, {}, std::move(piece_)};
  if (turn_ == Turn::kNotBegun) return {true, QUIETUS_STOPPED, {}, {}};
  return {true, code_, error_, {}};
}

void Stream::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return turn_ == Turn::kNotBegun || turn_ == Turn::kEnded; });
}

bool Stream::ask(std::unique_lock<std::mutex>& lock) {
  turn_ = Turn::kJavaScript;
  changed_.notify_all();
  changed_.wait(lock, [this] { return turn_ != Turn::kJavaScript || stopped_; });
  turn_ = Turn::kLibrary;
  return !stopped_;
}

int Stream::source(void* context, std::uint8_t* data, std::size_t capacity, std::size_t* size) {
  auto& self = *static_cast<Stream*>(context);
  std::unique_lock lock(self.mutex_);
  const std::size_t all = self.chunk_.size();  // 0 is the end
  if (all != 0 && self.taken_ == all && !self.ask(lock)) return 1;
  *size = std::min(capacity, self.chunk_.size() - self.taken_);
  if (*size != 0) std::memcpy(data, self.chunk_.data() + self.taken_, *size);
  self.taken_ += *size;
  return 0;
}

int Stream::sink(void* context, const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  auto& self = *static_cast<Stream*>(context);
  try {
    Secret piece(data, size);
    std::unique_lock lock(self.mutex_);
    self.piece_ = std::move(piece);
    return self.ask(lock) ? 0 : 1;
  } catch (const std::exception&) {
    return 1;
  }
}

}  // namespace quietus::node
