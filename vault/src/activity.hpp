// Which scopes were used today. Coarse, so that reading costs no write: a scope is noted once a
// day and process, and what was noted is written by a thread of its own within a minute, and on
// closing. While a sweep looks (Holders::call_for_attention), and always where there is no thread,
// it is written before the use returns. So only a process that is killed loses what it noted, in
// its last minute.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.hpp"
#include "keys/key_store.hpp"

namespace quietus {

// Thread-safe. Not to be destroyed in a forked child.
class Activity {
 public:
  enum class Mode {
    kThread,  // writes by itself
    kAtOnce,  // writes as it is noted
    kOff,     // nothing can be written
  };
  // All outlive it.
  Activity(KeyStore& keys, Holders& holders, const Clock& clock, Mode mode);
  ~Activity();
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  // A few loads when the scope was noted today.
  void note(ScopeId scope);
  // Writes what was noted; durable on return. What cannot be written stays noted, and the holders'
  // table says that there is some.
  Result<void> flush();

 private:
  using Noted = std::set<std::pair<UnixMillis, ScopeId>>;  // day and scope

  bool note_pending(UnixMillis day, ScopeId scope);
  void write_when_due();
  Result<void> write(const Noted& noted);

  KeyStore& keys_;
  Holders& holders_;
  const Clock& clock_;
  Mode mode_;
  // Of each slot, the scope that was noted last and on which day, mixed; a collision costs a look
  // at the set.
  static constexpr std::size_t kSlots = 4096;
  std::array<std::atomic<std::uint64_t>, kSlots> noted_{};
  std::mutex flush_mutex_;  // taken first: one writes at a time
  std::mutex mutex_;
  std::condition_variable wake_;
  Noted pending_;          // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace quietus
