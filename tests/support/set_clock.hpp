// A clock that is set by hand.
#pragma once

#include <atomic>
#include <string_view>

#include "governance/calendar.hpp"

namespace quietus::test {

class SetClock final : public Clock {
 public:
  explicit SetClock(UnixMillis now = *parse_day("2027-03-01")) : now_(now) {}

  UnixMillis now() const override {
    const UnixMillis shown = now_;
    if (jump_after_ > 0 && --jump_after_ == 0) now_ += jump_;
    return shown;
  }
  void set(UnixMillis now) { now_ = now; }
  void set(std::string_view day) { now_ = *parse_day(day); }
  // After so many more looks at it.
  void jump_after(int looks, UnixMillis by) {
    jump_after_ = looks;
    jump_ = by;
  }

 private:
  mutable std::atomic<UnixMillis> now_;
  mutable std::atomic<int> jump_after_{0};
  UnixMillis jump_ = 0;
};

}  // namespace quietus::test
