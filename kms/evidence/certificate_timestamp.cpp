// Time stamps of certificate files, and what a reader may conclude from one.
#include <quietus/trust.hpp>

#include "base/clock.hpp"
#include "crypto/timestamp.hpp"
#include "evidence/certificate.hpp"

namespace quietus {
namespace {

// The latest time at which the token can have been made, in whole seconds, rounded up.
UnixMillis latest_time(const VerifiedTimestamp& stamp) {
  return (stamp.time_unix_ms + stamp.accuracy_ms + 999) / 1000 * 1000;
}

std::string existed_line(const VerifiedTimestamp& stamp) {
  return "Time stamp: the certificate existed no later than " + format_utc(latest_time(stamp)) +
         " according to " + stamp.tsa + " (policy " + stamp.policy + ", serial " + stamp.serial +
         ").";
}

// A file that was stamped before it says that it was made: one of the two clocks is wrong.
std::string clock_line(const VerifiedTimestamp& stamp, UnixMillis issued) {
  if (issued > latest_time(stamp))
    return "The clock: the certificate says that it was issued at " + format_utc(issued) +
           ", which is after its time stamp; one of the two clocks is wrong.";
  return "The clock: times are the issuer's own; the time stamp shows only by when they had been "
         "stated.";
}

}  // namespace

Result<Bytes> request_timestamp(ByteView file) {
  if (file.empty())
    return Error(ErrorCode::kInvalidArgument, "nothing to stamp: the file is empty");
  return timestamp_request(sha256(file));
}

Result<Bytes> import_timestamp(ByteView file, ByteView request, ByteView response,
                               std::string_view ca_pem) {
  return timestamp_token_of(sha256(file), request, response, ca_pem);
}

Result<VerifiedTimestamp> verify_timestamp(ByteView file, ByteView token, std::string_view ca_pem) {
  return verify_timestamp_token(sha256(file), token, ca_pem);
}

Result<void> VerifiedCertificate::add_timestamp(ByteView token, std::string_view tsa_ca_pem) {
  if (timestamp_)
    return Error(ErrorCode::kInvalidArgument, "the certificate has a time stamp already");
  QUIETUS_TRY_AS(timestamp_, verify_timestamp_token(file_hash_, token, tsa_ca_pem));
  report_.checked.push_back(existed_line(*timestamp_));
  std::erase(report_.not_checked, kNoTimestampLine);
  report_.not_checked.push_back(clock_line(*timestamp_, times_.issued_unix_ms));
  report_.not_checked.emplace_back(
      "Whether the certificate of the time-stamping authority was revoked.");
  return {};
}

}  // namespace quietus
