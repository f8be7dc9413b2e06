// Time stamps of certificates (RFC 3161, RFC 5816): a third party's signed word that a file existed
// at a time. Needs no vault and no network: requests and responses are bytes that somebody carries
// to the authority and back, with any HTTP client.
//
// A token stands beside what it stamps and changes no byte of it. It says that the bytes existed no
// later than a time; it does not say when they were made, nor that what they state is true.
//
// All functions are thread-safe. Authorities are named by CA certificates in PEM, one or several;
// intermediate ones may be among them. A chain ends at one of them that is self-signed.
#pragma once

#include <quietus/export.h>
#include <quietus/bytes.hpp>
#include <quietus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace quietus {

// Bytes; larger input is refused unread.
inline constexpr std::size_t kMaxTimestampMessage = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxTimestampAuthorities = std::size_t{1024} * 1024;

struct VerifiedTimestamp {
  // The authority's time (genTime), in milliseconds since 1970-01-01T00:00:00Z, rounded up.
  std::int64_t time_unix_ms = 0;
  std::int64_t accuracy_ms = 0;  // by how much that may be wrong either way; 0: not stated
  std::string policy;            // what the authority promises: an object identifier, "1.2.3.4"
  std::string serial;            // the authority's number for this token, lower-case hex
  std::string tsa;               // the name in the certificate that signed (RFC 2253), ASCII
};

// A time-stamp request (DER, application/timestamp-query) for the SHA-256 of `file`, with a random
// nonce. It asks for the authority's certificate to be part of the token.
//   kInvalidArgument  `file` is empty
QUIETUS_EXPORT Result<Bytes> request_timestamp(ByteView file);

// The token in a response (DER, application/timestamp-reply) that answers `request`, verified as
// verify_timestamp() does. It is a TimeStampToken in DER, which `openssl ts -token_in` reads too.
//   kInvalidArgument  `request` is no request, has no nonce or is for another file; no certificates
//                     in `ca_pem`
//   kUnverified       everything else; the text says what does not hold
QUIETUS_EXPORT Result<Bytes> import_timestamp(ByteView file, ByteView request, ByteView response,
                                              std::string_view ca_pem);

// Verifies a token against the file it stamps. Certificates are judged as of the time in the token,
// so that it stays valid when they expire. Whether one was revoked is not looked at.
//   kInvalidArgument  no certificates in `ca_pem`
//   kUnverified       everything else; the text says what does not hold
QUIETUS_EXPORT Result<VerifiedTimestamp> verify_timestamp(ByteView file, ByteView token,
                                                          std::string_view ca_pem);

}  // namespace quietus
