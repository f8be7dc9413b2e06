// Builds a binary row: fixed-width big-endian numbers and length-prefixed fields, nothing else, so
// that one content has one encoding.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <cstdint>

namespace quietus {

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value) { return number(value, 1); }
  ByteWriter& u16(std::uint16_t value) { return number(value, 2); }
  ByteWriter& u32(std::uint32_t value) { return number(value, 4); }
  ByteWriter& u64(std::uint64_t value) { return number(value, 8); }

  // The bytes alone; for fields of fixed size.
  ByteWriter& raw(ByteView bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  // A 4-byte length, then the bytes. Requires: fewer than 2^32 bytes.
  ByteWriter& field(ByteView bytes) {
    return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
  }
  ByteWriter& text(std::string_view value) { return field(as_bytes(value)); }

  ByteView view() const noexcept { return out_; }
  Bytes take() noexcept { return std::move(out_); }

 private:
  ByteWriter& number(std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
      out_.push_back(static_cast<std::uint8_t>(value >> shift));
    return *this;
  }

  Bytes out_;
};

}  // namespace quietus
