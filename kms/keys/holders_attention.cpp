// How a sweep learns of use that others have noted and not written down yet.
#include <ctime>
#include <thread>

#include "keys/holders_table.hpp"

namespace quietus {
namespace {

constexpr auto kUnwrittenPoll = std::chrono::milliseconds(5);
// Longer than that is what a call from before the machine was started anew looks like.
constexpr std::uint64_t kLongestCall = 3'600'000;

// The same clock in every process, that nobody sets.
std::uint64_t since_boot() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

// Ends by itself, should whoever called be killed: until then others write more often than they
// had to, and nothing is lost.
Holders::Call Holders::call_for_attention(std::chrono::milliseconds how_long) noexcept {
  if (row_ == nullptr) return {};
  const std::uint64_t now = since_boot();
  std::uint64_t before = table_->attention_until.load();
  std::uint64_t until = 0;
  do {
    until = now + static_cast<std::uint64_t>(how_long.count());
    // Later than a call that stands, so that its end does not end this one.
    if (before >= until && before - now <= kLongestCall) until = before + 1;
  } while (!table_->attention_until.compare_exchange_weak(before, until));
  return {until, before};
}

void Holders::end_attention(const Call& call) noexcept {
  std::uint64_t expected = call.until;
  if (row_ != nullptr) table_->attention_until.compare_exchange_strong(expected, call.before);
}

bool Holders::attention() const noexcept {
  if (row_ == nullptr) return false;
  const std::uint64_t until = table_->attention_until.load();
  const std::uint64_t now = since_boot();
  return now < until && until - now <= kLongestCall;
}

void Holders::note_unwritten(Unwritten least) noexcept {
  if (row_ == nullptr) return;
  const auto wanted = static_cast<std::uint32_t>(least);
  std::uint32_t now = row_->unwritten.load();
  while (now < wanted && !row_->unwritten.compare_exchange_weak(now, wanted)) continue;
}

void Holders::set_written() noexcept {
  if (row_ != nullptr) row_->unwritten = 0;
}

Result<std::uint32_t> Holders::unwritten(Unwritten least) const {
  if (row_ == nullptr) return std::uint32_t{0};  // who only reads destroys nothing
  std::uint32_t found = 0;
  const bool same_table = table_is_current();
  std::uint64_t next = lock_bytes::kFirstHolder;
  const std::uint64_t end = lock_bytes::kFirstHolder + lock_bytes::kMaxHolders;
  while (next < end) {
    QUIETUS_TRY_AS(const auto locked, eyes_->first_locked(next, end - next));
    if (!locked) break;
    next = *locked + 1;
    const Row* row = same_table ? &table_->rows[*locked - lock_bytes::kFirstHolder] : nullptr;
    const bool known = row != nullptr && row->token.load() != 0;
    if (!known || row->unwritten.load() >= static_cast<std::uint32_t>(least)) ++found;
  }
  return found;
}

Result<std::uint32_t> Holders::await_written(std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    QUIETUS_TRY_AS(const std::uint32_t found, unwritten());
    if (found == 0 || std::chrono::steady_clock::now() >= deadline) return found;
    std::this_thread::sleep_for(kUnwrittenPoll);
  }
}

}  // namespace quietus
