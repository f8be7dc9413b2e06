#include <catch2/catch.hpp>
#include <limits>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"

using namespace quietus;

TEST_CASE("what was written reads back") {
  const Bytes row = ByteWriter()
                        .u8(0xFE)
                        .u16(0x0102)
                        .u32(0x03040506)
                        .u64(0x0708090A0B0C0D0E)
                        .raw(Bytes{1, 2, 3})
                        .field(Bytes{9})
                        .text("äh")
                        .field({})
                        .take();
  ByteReader reader(row);
  CHECK(reader.u8() == 0xFE);
  CHECK(reader.u16() == 0x0102);
  CHECK(reader.u32() == 0x03040506);
  CHECK(reader.u64() == 0x0708090A0B0C0D0E);
  CHECK(reader.array<3>() == std::array<std::uint8_t, 3>{1, 2, 3});
  CHECK(to_hex(reader.field(1)) == "09");
  CHECK(reader.text(3) == "äh");
  CHECK_FALSE(reader.done());  // the empty field is still to come
  CHECK(reader.field(0).empty());
  CHECK(reader.done());
}

TEST_CASE("the binary form is big-endian and frozen") {
  const ByteWriter writer = ByteWriter().u8(1).u16(2).u32(3).u64(4).text("ab");
  CHECK(to_hex(writer.view()) ==
        "01"
        "0002"
        "00000003"
        "0000000000000004"
        "00000002"
        "6162");
}

TEST_CASE("extreme numbers survive") {
  const auto max64 = std::numeric_limits<std::uint64_t>::max();
  const Bytes row = ByteWriter().u64(max64).u64(0).u32(0xFFFFFFFF).u16(0xFFFF).u8(0xFF).take();
  ByteReader reader(row);
  CHECK(reader.u64() == max64);
  CHECK(reader.u64() == 0);
  CHECK(reader.u32() == 0xFFFFFFFF);
  CHECK(reader.u16() == 0xFFFF);
  CHECK(reader.u8() == 0xFF);
  CHECK(reader.done());
}

TEST_CASE("a row cut anywhere fails and is never done") {
  const Bytes row = ByteWriter().u16(7).field(Bytes(5, 1)).u64(9).take();
  for (std::size_t size = 0; size < row.size(); ++size) {
    ByteReader reader(ByteView(row).first(size));
    reader.u16();
    reader.field(100);
    reader.u64();
    CHECK(reader.failed());
    CHECK_FALSE(reader.done());
  }
}

TEST_CASE("bytes left over are not done, and not failed") {
  const Bytes row = {1, 2};
  ByteReader reader(row);
  reader.u8();
  CHECK_FALSE(reader.done());
  CHECK_FALSE(reader.failed());
  CHECK(reader.rest().size() == 1);
}

TEST_CASE("after a failure everything reads as nothing, for ever") {
  const Bytes row = {1, 2, 3, 4};
  ByteReader reader(row);
  CHECK(reader.u64() == 0);
  CHECK(reader.failed());
  CHECK(reader.u8() == 0);  // though there would be bytes
  CHECK(reader.raw(0).empty());
  CHECK(reader.array<2>() == std::array<std::uint8_t, 2>{});
  CHECK(reader.text(10).empty());
  CHECK(reader.rest().empty());
  CHECK_FALSE(reader.done());
}

TEST_CASE("a length beyond its limit or beyond the row fails before it is used") {
  const Bytes fits = ByteWriter().field(Bytes(8, 1)).take();
  CHECK(ByteReader(fits).field(8).size() == 8);
  ByteReader above_limit(fits);
  CHECK(above_limit.field(7).empty());
  CHECK(above_limit.failed());

  const Bytes lying = ByteWriter().u32(0xFFFFFFFF).raw(Bytes(16)).take();
  ByteReader reader(lying);
  CHECK(reader.field(std::numeric_limits<std::size_t>::max()).empty());
  CHECK(reader.failed());
}

TEST_CASE("an impossible size of raw bytes fails") {
  const Bytes row(4);
  ByteReader reader(row);
  CHECK(reader.raw(std::numeric_limits<std::size_t>::max()).empty());
  CHECK(reader.failed());
}

TEST_CASE("a parser can fail a reader itself") {
  ByteReader reader({});
  CHECK(reader.done());
  reader.fail();
  CHECK(reader.failed());
  CHECK_FALSE(reader.done());
}
