// Takes a text of newline-terminated lines apart.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quietus {

class LineReader {
 public:
  explicit LineReader(std::string_view text) noexcept : rest_(text) {}

  // The next line without its newline; nothing when no complete line is left.
  std::optional<std::string_view> next() noexcept {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }
  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

// ASCII decimal, no sign, no leading zeros.
inline std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace quietus
