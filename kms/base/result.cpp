#include <quietus/result.hpp>

namespace quietus {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid argument";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kErased: return "erased";
    case ErrorCode::kRestricted: return "restricted";
    case ErrorCode::kHeld: return "held";
    case ErrorCode::kRefused: return "refused";
    case ErrorCode::kAlreadyExists: return "already exists";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kWrongKey: return "wrong key";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kRolledBack: return "rolled back";
    case ErrorCode::kUnverified: return "does not verify";
    case ErrorCode::kBusy: return "busy";
    case ErrorCode::kFull: return "full";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kErasureIncomplete: return "erasure incomplete";
    case ErrorCode::kIo: return "input/output error";
    case ErrorCode::kInternal: return "internal error";
    case ErrorCode::kChanged: return "changed while being read";
  }
  return "unknown error";
}

}  // namespace quietus
