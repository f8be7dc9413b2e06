// The closed lists of reason codes; docs/erasure.md and docs/lifecycle.md explain them. A name that
// happens to look like a code must not get into logs and certificates.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

#include "evidence/code.hpp"

namespace quietus {

// Of an erasure: a code, or free text, whose code is "other". kInvalidArgument.
struct ErasureReason {
  std::string code;
  std::string text;
};
Result<ErasureReason> parse_erasure_reason(std::string_view reason);
// Of a request: a code, because it is on the plan and the certificate. `of_erasure`: it ends in
// one.
Result<Code> parse_request_reason(std::string_view reason, bool of_erasure);

// Of a change of state, and of a hold. kInvalidArgument names the codes.
Result<Code> parse_state_reason(std::string_view reason);
Result<Code> parse_hold_reason(std::string_view reason);

}  // namespace quietus
