// The erasure of one scope.
#pragma once

#include <quietus/vault.hpp>

#include <string>

namespace quietus::test {

inline Result<void> erase(Vault& vault, const std::string& path) {
  const std::string paths[] = {path};
  QUIETUS_TRY(vault.erase(paths, "test"));
  return {};
}

}  // namespace quietus::test
