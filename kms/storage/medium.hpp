// What is known of file systems by the number that statfs() reports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <string>

#include "storage/file.hpp"

namespace quietus {

// `rotational` is left unknown. Numbers that are not known make all answers unknown.
MediumDescription describe_file_system(std::uint64_t magic);

// Whether a table of mounts (proc(5), mountinfo) says of the device "major:minor" that contents of
// files go through its journal too, where a copy stays for a while.
bool mount_journals_data(std::istream& mounts, const std::string& device);

// The file system under `path`, or, where nothing is there yet, under its nearest folder that is.
MediumDescription describe_medium(const std::filesystem::path& path);

}  // namespace quietus
