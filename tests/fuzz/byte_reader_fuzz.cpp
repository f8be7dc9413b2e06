// The first byte of the input says how many bytes of program follow; each byte of the program is
// one call on a reader of the rest. What the reader returned is written again: as long as no call
// failed, that must give back exactly what was consumed.
#include <cstdint>
#include <cstdlib>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace {

using quietus::ByteReader;
using quietus::ByteView;
using quietus::ByteWriter;

void require(bool holds) {
  if (!holds) std::abort();
}

void step(std::uint8_t call, ByteReader& reader, ByteWriter& writer) {
  const std::size_t size = call >> 3;
  switch (call & 7) {
    case 0: writer.u8(reader.u8()); break;
    case 1: writer.u16(reader.u16()); break;
    case 2: writer.u32(reader.u32()); break;
    case 3: writer.u64(reader.u64()); break;
    case 4: writer.raw(reader.raw(size)); break;
    case 5: writer.raw(reader.array<7>()); break;
    case 6: writer.field(reader.field(size)); break;
    default: writer.text(reader.text(size)); break;
  }
}

void run(ByteView program, ByteView input) {
  ByteReader reader(input);
  ByteWriter writer;
  for (const std::uint8_t call : program) {
    const bool failed_before = reader.failed();
    step(call, reader, writer);
    require(!failed_before || reader.failed());
    if (reader.failed()) break;
  }
  if (reader.failed()) {
    require(!reader.done() && reader.rest().empty() && reader.raw(0).empty() && reader.u64() == 0);
    return;
  }
  const ByteView written = writer.view();
  require(written.size() + reader.rest().size() == input.size());
  require(quietus::as_text(written) == quietus::as_text(input.first(written.size())));
  require(reader.done() == reader.rest().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] >= size) return -1;
  const ByteView all(data, size);
  run(all.subspan(1, data[0]), all.subspan(1 + std::size_t{data[0]}));
  return 0;
}
