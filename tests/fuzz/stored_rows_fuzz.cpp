// The decoders of what is stored, on hostile bytes: slot files, rows of the control store, record
// values. What a row decodes to encodes back to the same bytes.
#include <cstdint>
#include <cstdlib>

#include "keys/row_codec.hpp"
#include "keys/slot_file.hpp"
#include "record_format.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Row>
void check_row(const std::optional<Row>& row, quietus::ByteView input) {
  if (row) require(quietus::codec::encode(*row) == quietus::Bytes(input.begin(), input.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quietus;
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 16) {
    case 0: check_row(codec::decode_key_row(input), input); break;
    case 1: check_row(codec::decode_info_row(input), input); break;
    case 2: check_row(codec::decode_tombstone(input), input); break;
    case 3: check_row(codec::decode_intent(input), input); break;
    case 4: check_row(codec::decode_certificate_row(input), input); break;
    case 5: check_row(codec::decode_export_row(input), input); break;
    case 8: check_row(codec::decode_batch_row(input), input); break;
    case 9: check_row(codec::decode_batch_statement(input), input); break;
    case 10: check_row(codec::decode_batch_block(input), input); break;
    case 6: static_cast<void>(decode_slot_parameters({}, input).ok()); break;
    default: static_cast<void>(StoredRecord::parse(input).ok());
  }
  return 0;
}
