// What the commands about backups share.
#pragma once

#include "input_file.hpp"
#include "json_output.hpp"

#include <quietus/vault.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quietus::cli {

constexpr std::string_view kDamagedBackup =
    "do not rely on it: verify another copy of it, or make a new backup";

// A name of its own in a folder, also beside one that is made there in the same second; the path
// itself when it names no folder.
std::filesystem::path new_file_for(const std::string& place, const std::string& ending);
// Hands `make` where to write; the file appears whole or not at all, and none is replaced.
Result<BackupInfo> create_new_file(
    const std::filesystem::path& path,
    const std::function<Result<BackupInfo>(const ByteSink& sink)>& make);

Json json_of(const BackupInfo& backup);

using ShownLines = std::vector<std::vector<std::string>>;
void add_base(ShownLines& lines, const std::string& base_id);

// The base of an incremental backup; none when none was named.
Result<std::optional<InputFile>> open_base(const std::string& path);

}  // namespace quietus::cli
