#include "base/text_encoding.hpp"

#include <sodium.h>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace quietus {
namespace {

std::string encode_base64(ByteView bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.pop_back();  // the terminating NUL that libsodium counts
  return text;
}

// libsodium accepts bits set behind the last byte; encoding again finds every non-canonical form.
std::optional<Bytes> decode_base64(std::string_view text, int variant) {
  Bytes bytes(text.size() / 4 * 3 + 3);
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, &end,
                        variant) != 0 ||
      end != text.data() + text.size())
    return std::nullopt;
  bytes.resize(size);
  if (encode_base64(bytes, variant) != text) return std::nullopt;
  return bytes;
}

// What the second byte of a sequence may be: narrower after four of the first bytes, which keeps
// out overlong forms, surrogates and what lies above U+10FFFF (RFC 3629 section 4).
bool is_second_byte(unsigned first, unsigned second) noexcept {
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

// The length of the well-formed sequence at the start of `text`, or 0.
std::size_t utf8_sequence(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < size || !is_second_byte(first, byte(1))) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return size;
}

// One character: a control character but the tab (C0, DEL, C1), U+00AD, U+061C, U+200B to U+200F,
// U+2028 to U+202E, U+2060 to U+206F, U+FEFF.
bool is_deceptive(std::string_view character) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(character[i]); };
  const auto within = [](std::uint8_t value, std::uint8_t low, std::uint8_t high) {
    return value >= low && value <= high;
  };
  switch (character.size()) {
    case 1: return (byte(0) < 0x20 && byte(0) != '\t') || byte(0) == 0x7F;
    case 2:
      return (byte(0) == 0xC2 && (byte(1) < 0xA0 || byte(1) == 0xAD)) || character == "\u061C";
    case 3:
      return (character.starts_with("\xE2\x80") &&
              (within(byte(2), 0x8B, 0x8F) || within(byte(2), 0xA8, 0xAE))) ||
             (character.starts_with("\xE2\x81") && within(byte(2), 0xA0, 0xAF)) ||
             character == "\uFEFF";
    default: return false;
  }
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.empty()) return Bytes{};  // libsodium takes no null pointer
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes(text.size() / 2);
  std::size_t size = 0;
  if (sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size,
                     nullptr) != 0 ||
      size != bytes.size() || to_hex(bytes) != text)
    return std::nullopt;
  return bytes;
}

std::string hex_id(std::uint64_t id) {
  return to_hex(ByteWriter().u64(id).view());
}
std::optional<std::uint64_t> parse_hex_id(std::string_view text) {
  const std::optional<Bytes> bytes = from_hex(text);
  if (!bytes || bytes->size() != sizeof(std::uint64_t)) return std::nullopt;
  return ByteReader(*bytes).u64();
}

std::string to_base64(ByteView bytes) {
  return encode_base64(bytes, sodium_base64_VARIANT_ORIGINAL);
}
std::optional<Bytes> from_base64(std::string_view text) {
  return decode_base64(text, sodium_base64_VARIANT_ORIGINAL);
}
std::string to_base64url(ByteView bytes) {
  return encode_base64(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
std::optional<Bytes> from_base64url(std::string_view text) {
  return decode_base64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string visible(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t size = utf8_sequence(text);
    const std::string_view piece = text.substr(0, std::max<std::size_t>(size, 1));
    text.remove_prefix(piece.size());
    if (size != 0 && !is_deceptive(piece)) {
      shown += piece;
      continue;
    }
    for (const std::uint8_t byte : as_bytes(piece)) shown.append("\\x").append(to_hex({&byte, 1}));
  }
  return shown;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace quietus
