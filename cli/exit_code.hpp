// What the command answers to its caller: one number, and one word in JSON. Both are frozen;
// scripts depend on them. docs/cli.md has the same table.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <string_view>

namespace quietus::cli {

enum class ExitCode : int {
  kDone = 0,
  kFailure = 1,            // input/output or internal failure; nothing half done
  kUsage = 2,              // the command line or the input is wrong
  kNotFound = 3,           // no such vault, scope, record or certificate
  kErased = 4,             // it existed and is gone for good
  kRefused = 5,            // a state, a guard or a missing confirmation
  kLocked = 6,             // cannot unlock
  kIntegrity = 7,          // corrupt, tampered, rolled back, does not verify
  kUnavailable = 8,        // busy, full, not offered
  kErasureIncomplete = 9,  // begun, recorded, will resume
};

struct ExitRow {
  ErrorCode error;
  ExitCode exit;
  std::string_view word;
};

inline constexpr std::array kExitTable{
    ExitRow{ErrorCode::kInvalidArgument, ExitCode::kUsage, "invalid_argument"},
    ExitRow{ErrorCode::kNotFound, ExitCode::kNotFound, "not_found"},
    ExitRow{ErrorCode::kErased, ExitCode::kErased, "erased"},
    ExitRow{ErrorCode::kRestricted, ExitCode::kRefused, "restricted"},
    ExitRow{ErrorCode::kHeld, ExitCode::kRefused, "held"},
    ExitRow{ErrorCode::kRefused, ExitCode::kRefused, "refused"},
    ExitRow{ErrorCode::kAlreadyExists, ExitCode::kRefused, "already_exists"},
    ExitRow{ErrorCode::kConflict, ExitCode::kRefused, "conflict"},
    ExitRow{ErrorCode::kWrongKey, ExitCode::kLocked, "wrong_key"},
    ExitRow{ErrorCode::kCorrupt, ExitCode::kIntegrity, "corrupt"},
    ExitRow{ErrorCode::kRolledBack, ExitCode::kIntegrity, "rolled_back"},
    ExitRow{ErrorCode::kUnverified, ExitCode::kIntegrity, "unverified"},
    ExitRow{ErrorCode::kBusy, ExitCode::kUnavailable, "busy"},
    ExitRow{ErrorCode::kFull, ExitCode::kUnavailable, "full"},
    ExitRow{ErrorCode::kUnavailable, ExitCode::kUnavailable, "unavailable"},
    ExitRow{ErrorCode::kUnsupported, ExitCode::kUnavailable, "unsupported"},
    ExitRow{ErrorCode::kChanged, ExitCode::kUnavailable, "changed"},
    ExitRow{ErrorCode::kErasureIncomplete, ExitCode::kErasureIncomplete, "erasure_incomplete"},
    ExitRow{ErrorCode::kIo, ExitCode::kFailure, "io"},
    ExitRow{ErrorCode::kInternal, ExitCode::kFailure, "internal"},
};

// The row of a code; that of kInternal for a code this build does not know.
constexpr const ExitRow& exit_row(ErrorCode code) noexcept {
  for (const ExitRow& row : kExitTable)
    if (row.error == code) return row;
  return kExitTable.back();
}

constexpr ExitCode exit_code(ErrorCode code) noexcept {
  return exit_row(code).exit;
}

}  // namespace quietus::cli
