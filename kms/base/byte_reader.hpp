// Takes apart what ByteWriter made. Input is hostile: every step is bounded, and a reader that has
// once failed keeps failing, so a parser reads all its fields first and asks done() once.
#pragma once

#include <quietus/result.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace quietus {

class ByteReader {
 public:
  explicit ByteReader(ByteView input) noexcept : rest_(input) {}

  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() noexcept { return number(8); }

  // One byte that is 0 or 1.
  bool flag() noexcept {
    const std::uint8_t value = u8();
    if (value > 1) failed_ = true;
    return value == 1;
  }

  // A view of the next n bytes; empty after a failure.
  ByteView raw(std::size_t n) noexcept {
    if (failed_ || n > rest_.size()) {
      failed_ = true;
      return {};
    }
    const ByteView taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }

  template <std::size_t N>
  std::array<std::uint8_t, N> array() noexcept {
    std::array<std::uint8_t, N> out{};
    const ByteView taken = raw(N);
    std::copy(taken.begin(), taken.end(), out.begin());
    return out;
  }

  // A length-prefixed field of at most `limit` bytes.
  ByteView field(std::size_t limit) noexcept {
    const std::size_t n = u32();
    if (n > limit) failed_ = true;
    return raw(n);
  }
  std::string_view text(std::size_t limit) noexcept { return as_text(field(limit)); }

  // For counts that a parser bounds itself.
  void fail() noexcept { failed_ = true; }
  bool failed() const noexcept { return failed_; }

  // True when nothing failed and nothing is left over.
  bool done() const noexcept { return !failed_ && rest_.empty(); }
  ByteView rest() const noexcept { return failed_ ? ByteView{} : rest_; }

 private:
  std::uint64_t number(std::size_t width) noexcept {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : raw(width)) value = value << 8 | byte;
    return value;
  }

  ByteView rest_;
  bool failed_ = false;
};

}  // namespace quietus
