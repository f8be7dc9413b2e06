#include "evidence/log_continuity.hpp"

namespace quietus {

Result<void> check_not_rolled_back(const Checkpoint& older, const Checkpoint& newest) {
  if (older.origin != newest.origin)
    return Error(ErrorCode::kUnverified, "older checkpoint is of another log, " + older.origin);
  if (newest.head.size < older.head.size)
    return Error(ErrorCode::kRolledBack,
                 "rolled back: the log has " + std::to_string(newest.head.size) +
                     " entries, the older checkpoint " + std::to_string(older.head.size));
  return {};
}

Result<void> check_not_forked(const Checkpoint& older, const Hash& root) {
  if (root == older.head.root) return {};
  return Error(ErrorCode::kUnverified,
               "fork: the first " + std::to_string(older.head.size) +
                   " entries hash to another root than the older checkpoint states; the log does "
                   "not go on from it");
}

}  // namespace quietus
