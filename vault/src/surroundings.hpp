// What surrounds a vault and may weaken it: memory, swap, core files, file systems, permissions.
// Each says what was seen and what to do; none changes anything.
#pragma once

#include <quietus/report.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "storage/file.hpp"

namespace quietus {

using Findings = std::vector<Finding>;

// Where the kernel tells of itself; tests put something else in its place.
struct KernelFolders {
  std::filesystem::path proc = "/proc";
  std::filesystem::path sys = "/sys";
};

void look_at_key_memory(Findings& out);
void look_at_core_files(const KernelFolders& kernel, Findings& out);
void look_at_swap(const KernelFolders& kernel, Findings& out);

// `what` lies there: "records", "root slots".
void look_at_file_system(const std::string& what, const std::filesystem::path& path,
                         const MediumDescription& medium, Findings& out);
void look_at_space(const std::filesystem::path& path, Findings& out);

// Snapshots of the device "major:minor", on which the root slots lie: what is overwritten lives on
// in them.
void look_at_snapshots(const std::string& device, const MediumDescription& medium,
                       const KernelFolders& kernel, Findings& out);
std::string device_of(const std::filesystem::path& path);  // "8:1"

// Whether others than the owner may read or replace what lies in the folders, or the file with the
// secret (empty: there is none).
struct Places {
  std::vector<std::filesystem::path> folders;
  std::filesystem::path secret;
};
void look_at_permissions(const Places& places, Findings& out);

}  // namespace quietus
