// Requests, responses, tokens and certificates for time stamps, from strangers: a verdict each,
// never a crash. One authority has stamped one text, once; whatever else is taken for a time stamp
// of it has to say the same.
#include <cstdint>
#include <cstdlib>

#include "crypto/timestamp.hpp"

namespace {

using namespace quietus;

constexpr std::string_view kStamped = "fuzz";
// The authority's key was thrown away.
constexpr std::string_view kAuthority =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfTCCASOgAwIBAgIUUTsU9nLoIybix+mX5Thc8470fVowCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJVGVzdCBSb290MB4XDTI2MTEyNzA3MzU1MloXDTI2MTIwNjA3\n"
    "MzU1MlowFDESMBAGA1UEAwwJVGVzdCBSb290MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
    "AQcDQgAEjrb8i4TLdE14Jd8JVlHyLMg/Ume+wNT2pcvm4UlJnWDC6oF8enBnDNls\n"
    "6V/5uK1XnXzFnLNts7z+jUvEhtSM0KNTMFEwHQYDVR0OBBYEFA2HX8IJaHRhe5qm\n"
    "tOPSrhwP8VBUMB8GA1UdIwQYMBaAFA2HX8IJaHRhe5qmtOPSrhwP8VBUMA8GA1Ud\n"
    "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIvcHvmJGWqs1o74WIKSgSV3\n"
    "C/jr/9Cjm5Y5WHSKHFR/AiAuR8jPdRU1r4+EkE+ln20zXzE7A2TstsiFMsoKRiY/\n"
    "QQ==\n"
    "-----END CERTIFICATE-----\n";
constexpr std::uint8_t kRequest[] = {
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20, 0x93, 0x85, 0x0b, 0x70,
    0x75, 0x85, 0xe4, 0x04, 0xe4, 0x95, 0x1a, 0x3d, 0xdc, 0x1f, 0x05, 0xa3, 0x4b, 0x3d,
    0x4f, 0x5f, 0xc0, 0x81, 0xd6, 0x16, 0xf4, 0x6d, 0x8a, 0x2e, 0x8f, 0x1c, 0x8e, 0x68,
    0x02, 0x08, 0x5a, 0x10, 0x3a, 0x11, 0xc1, 0x00, 0x1f, 0x37, 0x01, 0x01, 0xff};

void require(bool holds) {
  if (!holds) std::abort();
}

void must_be_the_one(const Result<VerifiedTimestamp>& stamp) {
  require(stamp.ok() && stamp->time_unix_ms == 1795764952000LL && stamp->accuracy_ms == 1000 &&
          stamp->serial == "02" && stamp->tsa == "CN=Test TSA,O=Stamps Inc.");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Sha256 imprint = sha256(as_bytes(kStamped));
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      if (const auto stamp = verify_timestamp_token(imprint, input, kAuthority))
        must_be_the_one(stamp);
      break;
    case 1:
      if (const auto token = timestamp_token_of(imprint, kRequest, input, kAuthority))
        must_be_the_one(verify_timestamp_token(imprint, *token, kAuthority));
      break;
    case 2: require(!timestamp_token_of(imprint, input, kRequest, kAuthority).ok()); break;
    default: require(!verify_timestamp_token(imprint, kRequest, as_text(input)).ok());
  }
  return 0;
}
