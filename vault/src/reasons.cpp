#include "reasons.hpp"

#include <algorithm>
#include <span>

#include "base/text_encoding.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxReasonText = 4096;

constexpr std::array<std::string_view, 9> kErasure = {"contract-ended",
                                                      "deletion-request",
                                                      "consent-withdrawn",
                                                      "objection",
                                                      "retention-expired",
                                                      "incident",
                                                      "migration",
                                                      "test",
                                                      "other"};
constexpr std::array<std::string_view, 9> kState = {"accuracy-contested",
                                                    "unlawful-processing",
                                                    "legal-claims",
                                                    "objection",
                                                    "contract-ended",
                                                    "incident",
                                                    "resolved",
                                                    "test",
                                                    "other"};
constexpr std::array<std::string_view, 6> kHold = {"litigation", "investigation", "audit",
                                                   "tax",        "test",          "other"};

constexpr std::array<std::string_view, 8> kRequest = {"access",
                                                      "portability",
                                                      "accuracy-contested",
                                                      "unlawful-processing",
                                                      "objection",
                                                      "legal-claims",
                                                      "test",
                                                      "other"};

Result<Code> parse_among(std::span<const std::string_view> codes, std::string_view reason) {
  if (std::find(codes.begin(), codes.end(), reason) != codes.end()) return *Code::parse(reason);
  std::string known;
  for (const std::string_view code : codes) known.append(known.empty() ? "" : ", ").append(code);
  return Error(ErrorCode::kInvalidArgument, "the reason is a code, one of: " + known);
}

}  // namespace

Result<ErasureReason> parse_erasure_reason(std::string_view reason) {
  if (reason.empty()) return Error(ErrorCode::kInvalidArgument, "an erasure needs a reason");
  if (reason.size() > kMaxReasonText || !is_utf8(reason))
    return Error(ErrorCode::kInvalidArgument, "reason: at most 4096 bytes of UTF-8");
  const bool is_code = std::find(kErasure.begin(), kErasure.end(), reason) != kErasure.end();
  if (is_code) return ErasureReason{std::string(reason), {}};
  return ErasureReason{"other", std::string(reason)};
}

Result<Code> parse_request_reason(std::string_view reason, bool of_erasure) {
  return of_erasure ? parse_among(kErasure, reason) : parse_among(kRequest, reason);
}

Result<Code> parse_state_reason(std::string_view reason) {
  return parse_among(kState, reason);
}

Result<Code> parse_hold_reason(std::string_view reason) {
  return parse_among(kHold, reason);
}

}  // namespace quietus
