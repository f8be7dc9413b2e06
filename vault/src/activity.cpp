#include "activity.hpp"

#include <algorithm>
#include <system_error>

#include "governance/calendar.hpp"
#include "keys/schedule.hpp"

namespace quietus {
namespace {

constexpr auto kPause = std::chrono::seconds(60);           // from the first note to its writing
constexpr auto kAttentive = std::chrono::milliseconds(50);  // between looks for a sweep's call
constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15;          // 2^64 divided by the golden ratio
constexpr std::size_t kAtATime = 1024;                      // scopes in one transaction

}  // namespace

Activity::Activity(KeyStore& keys, Holders& holders, const Clock& clock, Mode mode)
    : keys_(keys), holders_(holders), clock_(clock), mode_(mode) {}

Activity::~Activity() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Activity::note(ScopeId scope) {
  if (mode_ == Mode::kOff) return;
  const UnixMillis day = day_of(clock_.now());
  const std::uint64_t mark = scope ^ (static_cast<std::uint64_t>(day) * kMix);
  std::atomic<std::uint64_t>& slot = noted_[(scope * kMix) >> 52];
  if (slot.load(std::memory_order_relaxed) == mark) return;
  const bool has_writer = note_pending(day, scope);
  // After it is in the holders' table: either this sees the call, or whoever called sees that.
  if (has_writer && !holders_.attention()) {
    wake_.notify_one();
  } else if (!flush()) {
    // Not marked: the next use tries again.
    const std::lock_guard lock(mutex_);
    if (!pending_.empty()) holders_.note_unwritten(Holders::Unwritten::kReturned);
    return;
  }
  // Now only, so that no other use returns before this one is written.
  slot.store(mark, std::memory_order_relaxed);
}

// Whether a thread will write it.
bool Activity::note_pending(UnixMillis day, ScopeId scope) {
  const std::lock_guard lock(mutex_);
  pending_.insert({day, scope});
  holders_.note_unwritten(Holders::Unwritten::kBeingWritten);
  if (mode_ == Mode::kThread && !thread_.joinable()) {
    try {
      thread_ = std::thread([this] { write_when_due(); });
    } catch (const std::system_error&) {
      return false;  // none is to be had
    }
  }
  return mode_ == Mode::kThread;
}

void Activity::write_when_due() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
    const auto due = std::chrono::steady_clock::now() + kPause;
    while (!stopping_ && !holders_.attention() && std::chrono::steady_clock::now() < due)
      wake_.wait_for(lock, kAttentive, [&] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    const bool written = flush().ok();
    lock.lock();
    if (!written) wake_.wait_for(lock, std::chrono::seconds(1), [&] { return stopping_; });
  }
}

Result<void> Activity::flush() {
  if (mode_ == Mode::kOff) return {};
  const std::lock_guard one(flush_mutex_);
  while (true) {
    Noted some;
    {
      const std::lock_guard lock(mutex_);
      while (!pending_.empty() && some.size() < kAtATime)
        some.insert(pending_.extract(pending_.begin()));
      if (some.empty()) {
        holders_.set_written();
        return {};
      }
    }
    auto written = write(some);
    if (written) continue;
    const std::lock_guard lock(mutex_);
    pending_.merge(some);
    return written;
  }
}

// A clock that is behind what a sweep accepted does not make use look older than it is.
Result<void> Activity::write(const Noted& noted) {
  return keys_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    const UnixMillis now = clock_.now();
    QUIETUS_TRY_AS(const UnixMillis counted, rows::no_earlier_than_accepted(writer, seal, now));
    for (const auto& [noted_day, scope] : noted) {
      const auto row = rows::key_row(writer, seal, scope);
      if (!row || !*row || is_destroyed((*row)->state)) continue;
      const UnixMillis day = counted == now ? noted_day : std::max(noted_day, day_of(counted));
      const auto before = rows::last_activity(writer, seal, scope);
      if (before.ok() && *before && **before >= day) continue;
      QUIETUS_TRY(rows::put_activity(writer, seal, scope, day));
    }
    return {};
  });
}

}  // namespace quietus
