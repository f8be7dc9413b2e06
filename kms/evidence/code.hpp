// A word from a closed vocabulary: 1 to 64 of a-z, 0-9 and the hyphen. It stands where text would
// otherwise stand in things that last (log, certificates), so that no name or free text gets there.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quietus {

class Code {
 public:
  static constexpr std::size_t kMaxSize = 64;

  // A literal; one that is not a code does not compile.
  template <std::size_t N>
  consteval Code(const char (&literal)[N]) {  // NOLINT: implicit
    const std::optional<Code> code = parse(std::string_view(literal, N - 1));
    *this = code.value();
  }

  static constexpr std::optional<Code> parse(std::string_view text) noexcept {
    if (text.empty() || text.size() > kMaxSize) return std::nullopt;
    Code code;
    for (const char c : text) {
      if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return std::nullopt;
      code.text_[code.size_++] = c;
    }
    return code;
  }

  constexpr std::string_view text() const noexcept { return {text_.data(), size_}; }
  constexpr bool operator==(const Code& other) const noexcept { return text() == other.text(); }

 private:
  constexpr Code() noexcept = default;

  std::array<char, kMaxSize> text_{};
  std::uint8_t size_ = 0;
};

}  // namespace quietus
