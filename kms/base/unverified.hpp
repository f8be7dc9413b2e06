// The refusal of what does not prove what it claims.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <utility>

namespace quietus {

inline Error unverified(std::string reason) {
  return {ErrorCode::kUnverified, std::move(reason)};
}

}  // namespace quietus
