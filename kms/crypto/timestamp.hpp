// RFC 3161 messages by the hash they are about, through OpenSSL. What is refused, and with which
// error, stands in <quietus/trust.hpp>.
#pragma once

#include <quietus/result.hpp>
#include <quietus/trust.hpp>

#include <string_view>

#include "crypto/hash.hpp"

namespace quietus {

Bytes timestamp_request(const Sha256& imprint);

// The token of a response that answers `request`; verified.
Result<Bytes> timestamp_token_of(const Sha256& imprint, ByteView request, ByteView response,
                                 std::string_view ca_pem);

Result<VerifiedTimestamp> verify_timestamp_token(const Sha256& imprint, ByteView token,
                                                 std::string_view ca_pem);

}  // namespace quietus
