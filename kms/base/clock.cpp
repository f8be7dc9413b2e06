#include "base/clock.hpp"

#include <array>
#include <chrono>
#include <ctime>

namespace quietus {
namespace {

class SystemClock final : public Clock {
 public:
  UnixMillis now() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  }
};

}  // namespace

const Clock& system_clock() noexcept {
  static const SystemClock clock;
  return clock;
}

std::string format_utc(UnixMillis time) {
  const std::time_t seconds = time / 1000 - (time % 1000 < 0 ? 1 : 0);  // rounds down
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text.data(), size};
}

}  // namespace quietus
