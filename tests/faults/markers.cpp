#include "faults/markers.hpp"

#include <algorithm>
#include <cctype>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"

namespace quietus::test {
namespace {

constexpr std::size_t kHalf = 16;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return text;
}

// The base64 digits that `bytes` alone decide when `before` unknown bytes stand in front.
std::string inner_base64(ByteView bytes, std::size_t before) {
  std::string digits;
  const std::size_t bits = 8 * (before + bytes.size());
  for (std::size_t at = 0; at + 6 <= bits; at += 6) {
    if (at < 8 * before) continue;
    unsigned value = 0;
    for (std::size_t bit = at - 8 * before; bit < at - 8 * before + 6; ++bit)
      value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1U);
    digits += kDigits[value];
  }
  return digits;
}

std::string url_alphabet(std::string digits) {
  std::replace(digits.begin(), digits.end(), '+', '-');
  std::replace(digits.begin(), digits.end(), '/', '_');
  return digits;
}

}  // namespace

std::string Markers::plant(const std::string& what) {
  Bytes random(2 * kHalf);
  random_bytes(random);
  std::string marker;
  for (const std::uint8_t byte : random) marker += kDigits[byte % 62];
  watch_for(what, as_bytes(marker));
  return marker;
}

void Markers::watch_for(const std::string& what, ByteView bytes) {
  add_half(what, bytes.first(kHalf));
  add_half(what, bytes.last(kHalf));
}

void Markers::add_half(const std::string& what, ByteView half) {
  needles_.push_back({what, std::string(as_text(half))});
  needles_.push_back({what + " (hex)", to_hex(half)});
  needles_.push_back({what + " (hex)", upper(to_hex(half))});
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string digits = inner_base64(half, before);
    needles_.push_back({what + " (base64)", digits});
    if (url_alphabet(digits) != digits)
      needles_.push_back({what + " (base64url)", url_alphabet(digits)});
  }
}

std::vector<std::string> Markers::found_in(ByteView bytes) const {
  std::vector<std::string> found;
  for (const Needle& needle : needles_)
    if (as_text(bytes).find(needle.text) != std::string_view::npos) found.push_back(needle.what);
  return found;
}

}  // namespace quietus::test
