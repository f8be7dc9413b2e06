// Strict decoding: what is accepted encodes back to the same text, every encoding is accepted, and
// UTF-8 is judged as a decoder written from the definition (RFC 3629 section 3) would.
#include <cstdint>
#include <cstdlib>

#include "base/text_encoding.hpp"

namespace {

using quietus::Bytes;
using quietus::ByteView;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Encode, class Decode>
void check_codec(ByteView input, Encode encode, Decode decode) {
  const auto decoded = decode(quietus::as_text(input));
  if (decoded) require(encode(*decoded) == quietus::as_text(input));
  const auto again = decode(encode(input));
  require(again && *again == Bytes(input.begin(), input.end()));
}

// Decodes to code points and asks whether each was written in the fewest bytes.
bool is_utf8_by_value(ByteView input) {
  std::size_t i = 0;
  while (i < input.size()) {
    const std::uint32_t first = input[i];
    const std::size_t size = first < 0x80           ? 1
                             : (first >> 5) == 0x06 ? 2
                             : (first >> 4) == 0x0E ? 3
                             : (first >> 3) == 0x1E ? 4
                                                    : 0;
    if (size == 0 || size > input.size() - i) return false;
    std::uint32_t point = size == 1 ? first : first & (0xFFU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      if ((input[i + k] & 0xC0) != 0x80) return false;
      point = point << 6 | (input[i + k] & 0x3FU);
    }
    const std::size_t fewest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (size != fewest || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += size;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_codec(input, quietus::to_hex, quietus::from_hex);
  check_codec(input, quietus::to_base64, quietus::from_base64);
  check_codec(input, quietus::to_base64url, quietus::from_base64url);
  require(quietus::is_utf8(quietus::as_text(input)) == is_utf8_by_value(input));
  return 0;
}
