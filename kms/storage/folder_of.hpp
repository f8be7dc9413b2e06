// The folder that a path's last name stands in.
#pragma once

#include <filesystem>

namespace quietus {

inline std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace quietus
