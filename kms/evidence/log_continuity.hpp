// Whether a log that is at hand whole goes on from a checkpoint that somebody kept.
#pragma once

#include <quietus/result.hpp>

#include "evidence/checkpoint.hpp"

namespace quietus {

// kUnverified for the checkpoint of another log; kRolledBack when the log is shorter.
Result<void> check_not_rolled_back(const Checkpoint& older, const Checkpoint& newest);
// `root`: of the log when it had as many entries as the older checkpoint. kUnverified.
Result<void> check_not_forked(const Checkpoint& older, const Hash& root);

}  // namespace quietus
