// The verifier's parsers on hostile bytes: a verdict each, never a crash. What decodes encodes back
// to the same bytes, since every form is the only one of its content.
#include <cstdint>
#include <cstdlib>

#include "evidence/certificate.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/jws.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/signed_note.hpp"
#include "evidence/tlog_proof.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quietus;
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto claims = decode_claims(input))
        require(encode_claims(*claims) == as_text(input));
      break;
    case 1: require(!verify_jws(input, kCertificateType, Ed25519PublicKey{}).ok()); break;
    case 2: static_cast<void>(parse_note(as_text(input)).ok()); break;
    case 3:
      if (const auto proof = parse_tlog_proof(as_text(input)))
        require(parse_tlog_proof(format_tlog_proof(*proof)).ok());
      break;
    case 4: static_cast<void>(LogEntry::parse(input).ok()); break;
    default:
      if (const auto checkpoint = parse_checkpoint(as_text(input)))
        require(parse_checkpoint(format_checkpoint(*checkpoint)).ok());
  }
  return 0;
}
