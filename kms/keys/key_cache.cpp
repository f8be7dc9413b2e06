#include "keys/key_cache.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <vector>

namespace quietus {
namespace {

constexpr auto kForkPatience = std::chrono::seconds(2);

// Every cache of the process, for the fork handlers. Lives for ever.
struct Registry {
  std::mutex mutex;
  std::vector<KeyCache*> caches;
};

Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

void prepare_fork() {
  registry().mutex.lock();
  for (KeyCache* cache : registry().caches) cache->before_fork();
}
void parent_of_fork() {
  for (KeyCache* cache : registry().caches) cache->after_fork_in_parent();
  registry().mutex.unlock();
}
void child_of_fork() {
  for (KeyCache* cache : registry().caches) cache->after_fork_in_child();
  // They are of no more use here, and a fork of the child must not wait for them.
  registry().caches.clear();
  registry().mutex.unlock();
}

void watch_forks() {
  static const int registered = pthread_atfork(prepare_fork, parent_of_fork, child_of_fork);
  static_cast<void>(registered);
}

// By the states alone, so that it does not matter in which order they come together.
bool allows_less(KeyState a, KeyState b) noexcept {
  const Allowance of_a = allowance(a, KeyUse::kProcess);
  const Allowance of_b = allowance(b, KeyUse::kProcess);
  if (of_a != of_b) return of_a < of_b;
  return allowance(a, KeyUse::kProtect) < allowance(b, KeyUse::kProtect);
}

}  // namespace

void Standing::limit_to(KeyState state) noexcept {
  Standing other;
  other.protect = allowance(state, KeyUse::kProtect);
  other.process = allowance(state, KeyUse::kProcess);
  other.limited_by = state;
  limit_to(other);
}

void Standing::limit_to(const Standing& other) noexcept {
  if (allows_less(other.limited_by, limited_by)) limited_by = other.limited_by;
  protect = std::min(protect, other.protect);
  process = std::min(process, other.process);
  held = held || other.held;
  restricted = restricted || other.restricted;
  to_be_erased = to_be_erased || other.to_be_erased;
}

const GenerationKeys* ScopeKeys::of_generation(std::uint32_t wanted) const noexcept {
  if (wanted == generation) return this;
  for (const GenerationKeys& keys : older)
    if (keys.generation == wanted) return &keys;
  return nullptr;
}

const EnvelopeKey* LastingKeys::of_generation(std::uint32_t wanted) const noexcept {
  for (const Envelope& envelope : envelopes)
    if (envelope.generation == wanted) return &envelope.key;
  return nullptr;
}

KeyCache::KeyCache(Holders& holders, Mode mode)
    : holders_(holders), mode_(mode), first_epoch_(holders.epoch()) {
  for (Slot& slot : slots_) slot.context = openssl_engine().make_context();
  contents_ = std::make_shared<Contents>();
  contents_->epoch = first_epoch_;
  watch_forks();
  {
    const std::lock_guard lock(registry().mutex);
    registry().caches.push_back(this);
  }
  // There is no key here yet, so none from before this epoch; it may have been raised since the
  // holder's row was taken.
  holders_.acknowledge(first_epoch_);
  if (mode_ != Mode::kGuarded) return;
  try {
    thread_ = std::thread([this] { follow_epochs(); });
  } catch (...) {
    forget();
    throw;
  }
}

Result<std::unique_ptr<KeyCache>> KeyCache::start(Holders& holders, Mode mode) {
  try {
    return std::make_unique<KeyCache>(holders, mode);
  } catch (const std::system_error& error) {
    return Error(ErrorCode::kUnavailable, std::string("no thread can be started: ") + error.what());
  }
}

void KeyCache::forget() noexcept {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().caches, this);
}

KeyCache::~KeyCache() {
  forget();
  stopping_ = true;
  holders_.wake();
  if (thread_.joinable()) thread_.join();
}

Result<KeyCache::Use> KeyCache::begin() {
  if (forked_.load(std::memory_order_relaxed))
    return Error(ErrorCode::kUnavailable, "opened before fork; open it anew in the child");
  std::uint64_t epoch = 0;
  Slot& slot = claim(epoch);
  return Use(*this, slot, epoch, contents_of(epoch));
}

// A free slot, marked with the epoch the operation begins in. The mark is there before the epoch is
// looked at again: either the epoch's publisher sees the mark, or this sees the new epoch.
KeyCache::Slot& KeyCache::claim(std::uint64_t& epoch) {
  thread_local std::size_t hint = 0;
  for (std::size_t tries = 0;; ++tries) {
    Slot& slot = slots_[(hint + tries) % kSlots];
    epoch = holders_.epoch();
    std::uint64_t free = 0;
    if (slot.wanted || !slot.active.compare_exchange_strong(free, epoch)) {
      if (tries % kSlots == kSlots - 1) std::this_thread::yield();
      continue;
    }
    hint = (hint + tries) % kSlots;
    if (mode_ == Mode::kNone) {
      epoch = holders_.begin_operation();
      slot.active = epoch;
      return slot;
    }
    for (std::uint64_t now = holders_.epoch(); now != epoch; now = holders_.epoch()) {
      epoch = now;
      slot.active = now;
    }
    return slot;
  }
}

// The shared contents when they are of this epoch; otherwise contents that nobody shares.
std::shared_ptr<KeyCache::Contents> KeyCache::contents_of(std::uint64_t epoch) {
  if (mode_ == Mode::kGuarded) {
    const std::lock_guard lock(mutex_);
    if (contents_->epoch == epoch) return contents_;
  }
  auto own = std::make_shared<Contents>();
  own->epoch = epoch;
  return own;
}

KeyCache::Use::Use(Use&& other) noexcept
    : cache_(other.cache_),
      slot_(std::exchange(other.slot_, nullptr)),
      epoch_(other.epoch_),
      contents_(std::move(other.contents_)) {}

KeyCache::Use::~Use() {
  if (slot_ == nullptr) return;
  contents_.reset();
  if (cache_->mode_ == Mode::kNone) {
    slot_->context->forget();
    cache_->holders_.end_operation(epoch_);
  }
  slot_->active.store(0, std::memory_order_release);
}

std::shared_ptr<const VaultKeys> KeyCache::Use::vault() const {
  const std::shared_lock lock(contents_->mutex);
  return contents_->vault;
}

std::shared_ptr<const ScopeKeys> KeyCache::Use::scope(ScopeId id) const {
  const std::shared_lock lock(contents_->mutex);
  const auto found = contents_->scopes.find(id);
  return found == contents_->scopes.end() ? nullptr : found->second;
}

void KeyCache::Use::keep(std::shared_ptr<const VaultKeys> keys) const {
  const std::unique_lock lock(contents_->mutex);
  contents_->vault = std::move(keys);
}

void KeyCache::Use::keep(std::shared_ptr<const ScopeKeys> keys) const {
  const std::unique_lock lock(contents_->mutex);
  if (contents_->scopes.size() >= kMaxScopes) contents_->scopes.clear();
  contents_->scopes[keys->id] = std::move(keys);
}

std::shared_ptr<const LastingKeys> KeyCache::Use::lasting(ScopeId id) const {
  const std::shared_lock lock(contents_->mutex);
  const auto found = contents_->lasting.find(id);
  return found == contents_->lasting.end() ? nullptr : found->second;
}

void KeyCache::Use::keep(std::shared_ptr<const LastingKeys> keys) const {
  const std::unique_lock lock(contents_->mutex);
  if (contents_->lasting.size() >= kMaxScopes) contents_->lasting.clear();
  contents_->lasting[keys->id] = std::move(keys);
}

void KeyCache::Use::forget(ScopeId id) const {
  const std::unique_lock lock(contents_->mutex);
  contents_->scopes.erase(id);
  contents_->lasting.erase(id);
}

void KeyCache::Use::set_apart() {
  auto own = std::make_shared<Contents>();
  own->epoch = contents_->epoch;
  own->vault = vault();
  contents_ = std::move(own);
}

void KeyCache::follow_epochs() {
  std::uint64_t followed = first_epoch_;
  while (!stopping_) {
    const std::uint64_t now = holders_.epoch();
    if (now == followed) {
      holders_.wait_for_change(followed);
      continue;
    }
    drop_before(now);
    if (stopping_) return;
    holders_.acknowledge(now);
    followed = now;
  }
}

void KeyCache::drop_before(std::uint64_t epoch) {
  auto fresh = std::make_shared<Contents>();
  fresh->epoch = epoch;
  {
    const std::lock_guard lock(mutex_);
    contents_.swap(fresh);
  }
  fresh.reset();  // Uses from before may still share it; they are waited for
  for (Slot& slot : slots_) quiesce(slot, epoch);
}

// Waits until no operation from before `epoch` is in the slot, then wipes its working memory. A
// slot busy in the new epoch cannot hold anything older: its context was re-keyed or will be when
// it is wiped at the next change; so wait for it to be free once.
void KeyCache::quiesce(Slot& slot, std::uint64_t epoch) noexcept {
  static_cast<void>(epoch);
  std::uint64_t free = 0;
  slot.wanted = true;
  while (!slot.active.compare_exchange_strong(free, kLocked)) {
    if (stopping_) return;
    free = 0;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  slot.context->forget();
  slot.active = 0;
  slot.wanted = false;
}

void KeyCache::before_fork() noexcept {
  const auto deadline = std::chrono::steady_clock::now() + kForkPatience;
  for (Slot& slot : slots_) slot.wanted = true;
  for (Slot& slot : slots_) {
    std::uint64_t free = 0;
    while (!slot.active.compare_exchange_strong(free, kLocked)) {
      // Forking from inside an operation would wait for itself: go on without that slot.
      if (std::chrono::steady_clock::now() >= deadline) break;
      free = 0;
      slot.wanted = true;
      std::this_thread::yield();
    }
    if (free == 0) slot.context->forget();
  }
  // Last: an operation that begins needs it while it holds its slot.
  mutex_.lock();
}

void KeyCache::after_fork_in_parent() noexcept {
  for (Slot& slot : slots_) {
    std::uint64_t locked = kLocked;
    slot.active.compare_exchange_strong(locked, 0);
    slot.wanted = false;
  }
  mutex_.unlock();
}

void KeyCache::after_fork_in_child() noexcept {
  forked_ = true;
  // Also those that could not be had before the fork: the threads that used them are not here.
  for (Slot& slot : slots_) slot.context->forget();
  holders_.abandon();
  mutex_.unlock();
}

}  // namespace quietus
