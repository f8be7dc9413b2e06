// What the commands about backups share.
#pragma once

#include "input_file.hpp"
#include "json_output.hpp"

#include <quietus/vault.hpp>

#include <optional>
#include <string>
#include <vector>

namespace quietus::cli {

constexpr std::string_view kDamagedBackup =
    "do not rely on it: verify another copy of it, or make a new backup";

Json json_of(const BackupInfo& backup);

using ShownLines = std::vector<std::vector<std::string>>;
void add_base(ShownLines& lines, const std::string& base_id);

// The base of an incremental backup; none when none was named.
Result<std::optional<InputFile>> open_base(const std::string& path);

}  // namespace quietus::cli
