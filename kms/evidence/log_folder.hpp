// The entries of an exported log, for who has verified it (quietus/trust.hpp, verify_log_folder).
#pragma once

#include <quietus/result.hpp>

#include <filesystem>

#include "base/function_ref.hpp"
#include "evidence/merkle_tree.hpp"

namespace quietus {

// Visits every entry in order, with the tree of those before it. kUnverified, also when `head` is
// not what they hash to: nothing that was visited counts then.
using VisitEntry = FunctionRef<Result<void>(ByteView entry, const GrowingTree& before)>;
Result<void> read_log_folder(const std::filesystem::path& folder, std::uint64_t size,
                             const Hash& root, VisitEntry visit);

}  // namespace quietus
