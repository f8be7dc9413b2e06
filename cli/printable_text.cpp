#include "printable_text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace quietus::cli {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;  // 0: not UTF-8
};

std::size_t sequence_size(unsigned char lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

// The character at the start of `text`, which is not empty.
CodePoint decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t size = sequence_size(byte(0));
  if (size == 0 || text.size() < size) return {};
  static constexpr std::array<unsigned, 5> kLeadBits{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t value = byte(0) & kLeadBits[size];
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = value << 6U | (byte(i) & 0x3FU);
  }
  static constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[size] || value > 0x10FFFF || surrogate) return {};
  return {value, size};
}

bool is_control(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

// Line and paragraph separators, and the marks that make a terminal show text in another order.
bool reorders(char32_t c) noexcept {
  return (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x061C || c == 0xFEFF;
}

template <class... Numbers>
std::string formatted(const char* format, Numbers... numbers) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), format, numbers...);
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

std::string escaped_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += formatted("\\x%02x", static_cast<unsigned char>(c));
  return out;
}

std::size_t width(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

}  // namespace

std::string printable(std::string_view text, std::string_view keep) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(c.size, 1));
    const bool kept = keep.find(text.front()) != std::string_view::npos;
    if (!kept && (c.size == 0 || is_control(c.value)))
      out += escaped_bytes(piece);
    else if (reorders(c.value))
      out += formatted("\\u{%x}", static_cast<unsigned>(c.value));
    else
      out += piece;
    text.remove_prefix(piece.size());
  }
  return out;
}

std::size_t unfinished_tail(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80) continue;
    return sequence_size(byte) > back ? back : 0;
  }
  return 0;
}

std::string timestamp(std::int64_t unix_ms) {
  if (unix_ms == 0) return {};
  namespace time = std::chrono;
  const time::sys_time<time::milliseconds> moment{time::milliseconds(unix_ms)};
  const auto day = time::floor<time::days>(moment);
  const time::year_month_day date{day};
  const time::hh_mm_ss clock{moment - day};
  return formatted(
      "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string byte_size(std::uint64_t bytes) {
  static constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return formatted("%.1f %s", value, kUnits[unit]);
}

std::string hex16(std::uint64_t id) {
  return formatted("%016llx", static_cast<unsigned long long>(id));
}

std::string hex(ByteView bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) out += formatted("%02x", byte);
  return out;
}

std::string counted(std::uint64_t number, std::string_view noun) {
  std::string text = grouped(number) + " ";
  text += noun;
  if (number != 1) text += 's';
  return text;
}

std::string columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> shown;
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    auto& cells = shown.emplace_back();
    for (const std::string& cell : row) {
      cells.push_back(printable(cell));
      if (widths.size() < cells.size()) widths.push_back(0);
      widths[cells.size() - 1] = std::max(widths[cells.size() - 1], width(cells.back()));
    }
  }
  std::string out;
  for (const auto& cells : shown) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out.append(widths[i] - width(cells[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : std::move(text);
}

}  // namespace quietus::cli
