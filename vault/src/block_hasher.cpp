#include "block_hasher.hpp"

#include <quietus/result.hpp>

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace quietus {
namespace {

// Smaller ones are hashed sooner than another thread wakes up.
constexpr std::size_t kLargeBlock = std::size_t{128} << 10;

// leaf_hash(kind || content), without a copy.
Hash block_hash(std::uint8_t kind, ByteView content) {
  const std::uint8_t begin[] = {0x00, kind};
  return sha256({begin, content});
}

}  // namespace

// Hashes one block at a time.
class BlockHasher::Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kEnded;
    }
    changed_.notify_all();
    thread_.join();
  }

  // Requires: the hash of the block before was taken.
  void begin(std::uint8_t kind, ByteView content) {
    {
      const std::lock_guard lock(mutex_);
      kind_ = kind;
      content_ = content;
      state_ = State::kHashing;
    }
    changed_.notify_all();
  }

  Hash take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ == State::kDone; });
    state_ = State::kIdle;
    return hash_;
  }

 private:
  enum class State { kIdle, kHashing, kDone, kEnded };

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return state_ == State::kHashing || state_ == State::kEnded; });
      if (state_ == State::kEnded) return;
      const std::uint8_t kind = kind_;
      const ByteView content = content_;
      lock.unlock();
      const Hash hash = block_hash(kind, content);
      lock.lock();
      hash_ = hash;
      if (state_ == State::kHashing) state_ = State::kDone;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kIdle;
  std::uint8_t kind_ = 0;
  ByteView content_;
  Hash hash_{};
  std::thread thread_;  // last: it uses the others
};

BlockHasher::BlockHasher() = default;
BlockHasher::~BlockHasher() = default;

void BlockHasher::add(std::uint8_t kind, ByteView content) {
  settle();
  if (content.size() >= kLargeBlock && !worker_) {
    try {
      worker_ = std::make_unique<Worker>();
    } catch (const std::system_error&) {
      // No more threads: it takes longer then.
    }
  }
  if (content.size() < kLargeBlock || !worker_) return push(block_hash(kind, content));
  worker_->begin(kind, content);
  pending_ = true;
}

void BlockHasher::settle() {
  if (!pending_) return;
  pending_ = false;
  push(worker_->take());
}

Hash BlockHasher::root() {
  settle();
  return tree_.root();
}

void BlockHasher::push(const Hash& leaf) {
  // Cannot fail: nothing that it is told of does.
  static_cast<void>(tree_.push(leaf, [](NodeId, const Hash&) { return Result<void>(); }));
}

}  // namespace quietus
