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

ByteView BlockHasher::add(std::uint8_t kind, Bytes& block) {
  Slot& slot = slots_[next_];
  settle(slot);
  std::swap(slot.block, block);
  next_ = (next_ + 1) % slots_.size();
  if (slot.block.size() >= kLargeBlock && has_worker(slot)) {
    slot.worker->begin(kind, slot.block);
    slot.pending = true;
  } else {
    settle_all();
    push(block_hash(kind, slot.block));
  }
  return slot.block;
}

Hash BlockHasher::root() {
  settle_all();
  return tree_.root();
}

void BlockHasher::settle(Slot& slot) {
  if (!slot.pending) return;
  slot.pending = false;
  push(slot.worker->take());
}

// The one that would be next has the oldest block.
void BlockHasher::settle_all() {
  for (std::size_t i = 0; i < slots_.size(); ++i) settle(slots_[(next_ + i) % slots_.size()]);
}

bool BlockHasher::has_worker(Slot& slot) const {
  if (slot.worker) return true;
  if (std::thread::hardware_concurrency() == 1) return false;
  try {
    slot.worker = std::make_unique<Worker>();
  } catch (const std::system_error&) {
    return false;  // no more threads: it takes longer then
  }
  return true;
}

void BlockHasher::push(const Hash& leaf) {
  // Cannot fail: nothing that it is told of does.
  static_cast<void>(tree_.push(leaf, [](NodeId, const Hash&) { return Result<void>(); }));
}

}  // namespace quietus
