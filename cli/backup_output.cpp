#include "backup_output.hpp"

#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {

Json json_of(const BackupInfo& backup) {
  const bool signed_one = backup.manifest_sha256.find_first_not_of('0') != std::string::npos;
  return {{"id", backup.id},
          {"begun", timestamp(backup.begun_unix_ms)},
          {"made", backup.made_unix_ms == 0 ? Json(nullptr) : Json(timestamp(backup.made_unix_ms))},
          {"expires", timestamp(backup.expires_unix_ms)},
          {"needed_until", timestamp(backup.needed_until_unix_ms)},
          {"base", backup.base_id.empty() ? Json(nullptr) : Json(backup.base_id)},
          {"records", backup.records},
          {"bytes", backup.bytes},
          {"manifest_hash", signed_one ? Json(backup.manifest_sha256) : Json(nullptr)}};
}

void add_base(ShownLines& lines, const std::string& base_id) {
  if (!base_id.empty()) lines.push_back({"changes since", base_id});
}

Result<std::optional<InputFile>> open_base(const std::string& path) {
  if (path.empty()) return std::optional<InputFile>();
  QUIETUS_TRY_AS(InputFile file, InputFile::open(path));
  return std::optional(std::move(file));
}

}  // namespace quietus::cli
