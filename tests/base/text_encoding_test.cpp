#include "base/text_encoding.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

using namespace quietus;
using namespace std::string_literals;

namespace {

std::string decoded(const std::optional<Bytes>& bytes) {
  return bytes ? std::string(as_text(*bytes)) : "(refused)";
}

struct Example {
  std::string_view plain, base64, base64url, base16;
};

// RFC 4648 section 10; base 16 in lower case, base64url without padding.
constexpr Example kExamples[] = {
    {"", "", "", ""},
    {"f", "Zg==", "Zg", "66"},
    {"fo", "Zm8=", "Zm8", "666f"},
    {"foo", "Zm9v", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "Zm9vYg", "666f6f62"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
};

std::string utf8_of(char32_t point) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  const auto tail = [&](int shift) { return byte(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), tail(0)};
  if (point < 0x10000) return {byte(0xE0 | point >> 12), tail(6), tail(0)};
  return {byte(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("encodings agree with RFC 4648") {
  for (const Example& example : kExamples) {
    INFO(example.plain);
    const ByteView bytes = as_bytes(example.plain);
    CHECK(to_base64(bytes) == example.base64);
    CHECK(to_base64url(bytes) == example.base64url);
    CHECK(to_hex(bytes) == example.base16);
    CHECK(decoded(from_base64(example.base64)) == example.plain);
    CHECK(decoded(from_base64url(example.base64url)) == example.plain);
    CHECK(decoded(from_hex(example.base16)) == example.plain);
  }
}

TEST_CASE("every byte value survives at every length") {
  for (std::size_t size = 0; size <= 256; ++size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(255 - i);
    CHECK(from_hex(to_hex(bytes)) == bytes);
    CHECK(from_base64(to_base64(bytes)) == bytes);
    CHECK(from_base64url(to_base64url(bytes)) == bytes);
  }
}

TEST_CASE("the two alphabets of base64 are kept apart") {
  const Bytes bytes = {0xFB, 0xFF};
  CHECK(to_base64(bytes) == "+/8=");
  CHECK(to_base64url(bytes) == "-_8");
  CHECK_FALSE(from_base64("-_8="));
  CHECK_FALSE(from_base64url("+/8"));
}

TEST_CASE("hex has one form only") {
  for (const std::string& text : {"6"s, "666"s, "6F"s, "0x66"s, " 66"s, "66 "s, "6g"s, "66\n"s,
                                  "6\0"s, "\0\0"s, "66:66"s, "-1"s}) {
    INFO(text);
    CHECK_FALSE(from_hex(text));
  }
}

TEST_CASE("base64 has one form only") {
  for (const std::string& text : {"Zg"s, "Zg="s, "Zg==="s,
                                  "Zg=="
                                  "Zg=="s,
                                  "Zh=="s,  // bits set behind the last byte
                                  "Zm9="s, "Z"s, "Z==="s, "===="s, "Zm9v\n"s, "Zm 9v"s, "Zm9v="s,
                                  "Zm9v===="s, "Zm9\0"s, "Zm9vY\0=="s, "Zg\xC3\xA4="s}) {
    INFO(text);
    CHECK_FALSE(from_base64(text));
  }
}

TEST_CASE("base64url has one form only") {
  for (const std::string& text :
       {"Zg=="s, "Zg="s, "Zh"s, "Zm9"s, "Z"s, "Zm9v\n"s, " Zm9v"s, "Zm9v="s, "Zm\0"s}) {
    INFO(text);
    CHECK_FALSE(from_base64url(text));
  }
}

// As many texts are accepted as there are values, so no value has two of them.
TEST_CASE("of all short texts exactly one is accepted for each value") {
  int one_byte = 0;
  int one_byte_url = 0;
  for (unsigned i = 0; i < 1U << 16; ++i) {
    const std::string text = {static_cast<char>(i >> 8), static_cast<char>(i)};
    one_byte += from_base64(text + "==") ? 1 : 0;
    one_byte_url += from_base64url(text) ? 1 : 0;
  }
  CHECK(one_byte == 1 << 8);
  CHECK(one_byte_url == 1 << 8);

  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int two_bytes = 0;
  for (unsigned i = 0; i < 1U << 18; ++i) {
    const std::string text = {alphabet[i >> 12], alphabet[i >> 6 & 63], alphabet[i & 63], '='};
    two_bytes += from_base64(text) ? 1 : 0;
  }
  CHECK(two_bytes == 1 << 16);
}

TEST_CASE("every Unicode scalar value is UTF-8, and no surrogate is") {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (is_utf8(utf8_of(point)) == surrogate) FAIL("code point " << static_cast<unsigned>(point));
  }
}

// The count is known without a decoder: sequences of one, two and three bytes put together.
TEST_CASE("exactly the well-formed strings of three bytes are UTF-8") {
  const int one = 0x80;
  const int two = 0x800 - 0x80;
  const int three = 0x10000 - 0x800 - 0x800;
  int count = 0;
  std::array<char, 3> text{};
  for (unsigned i = 0; i < 1U << 24; ++i) {
    text = {static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)};
    count += is_utf8({text.data(), text.size()}) ? 1 : 0;
  }
  CHECK(count == one * one * one + 2 * one * two + three);
}

TEST_CASE("malformed UTF-8 is refused wherever it stands") {
  for (const std::string& bad : {"\x80"s,
                                 "\xBF"s,
                                 "\xC0\x80"s,
                                 "\xC1\xBF"s,
                                 "\xE0\x80\x80"s,
                                 "\xE0\x9F\xBF"s,
                                 "\xED\xA0\x80"s,
                                 "\xED\xBF\xBF"s,
                                 "\xF0\x80\x80\x80"s,
                                 "\xF0\x8F\xBF\xBF"s,
                                 "\xF4\x90\x80\x80"s,
                                 "\xF5\x80\x80\x80"s,
                                 "\xF8\x88\x80\x80\x80"s,
                                 "\xFE"s,
                                 "\xFF"s,
                                 "\xC3"s,
                                 "\xE2\x82"s,
                                 "\xF0\x9F\x98"s,
                                 "\xC3("s,
                                 "\xF0\x9F\x98("s}) {
    INFO(to_hex(as_bytes(bad)));
    CHECK_FALSE(is_utf8(bad));
    CHECK_FALSE(is_utf8("abc" + bad));
    CHECK_FALSE(is_utf8(bad + "abc"));
  }
  CHECK(is_utf8(""));
  CHECK(is_utf8("a\0b"s));
  CHECK(is_utf8("\xEF\xBF\xBF"));  // a noncharacter is a scalar value all the same
}
