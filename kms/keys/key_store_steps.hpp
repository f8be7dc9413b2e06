// What the parts of KeyStore share.
#pragma once

#include <string_view>
#include <utility>

#include "crypto/derive.hpp"
#include "keys/key_cache.hpp"

namespace quietus {

inline constexpr std::string_view kIssuingKey = "issuing-key";
inline constexpr std::string_view kLogKey = "log-key";

inline VaultKeys derive_vault_keys(std::uint64_t generation, RootKey root, const LeafKey& control) {
  return {generation, std::move(root), derive(edges::kControlRows, control),
          derive(edges::kAnchor, control)};
}

// The snapshot is of another root generation than the keys: not an error to anybody but the loops
// here, which load the keys again.
inline Error moved_on() {
  return Error(ErrorCode::kChanged, "the root key was changed meanwhile");
}

inline Error keeps_changing() {
  return {ErrorCode::kBusy, "the root key keeps changing; try again"};
}

inline bool is_moved_on(const Result<void>& result) {
  return !result.ok() && result.error().code() == ErrorCode::kChanged;
}

}  // namespace quietus
