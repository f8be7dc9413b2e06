#include "backup_output.hpp"

#include "output_file.hpp"
#include "printable_text.hpp"

#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

Result<void> refuse_existing(const std::filesystem::path& path) {
  std::error_code unknown;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, unknown)))
    return Error(ErrorCode::kAlreadyExists,
                 path.string() + " is there already; a backup replaces no file");
  return {};
}

}  // namespace

std::filesystem::path new_file_for(const std::string& place, const std::string& ending) {
  std::filesystem::path path(place);
  std::error_code unknown;
  if (!std::filesystem::is_directory(path, unknown) && !place.ends_with('/')) return path;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string time =
      timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()).substr(0, 23);
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == '.'; });
  return path / ("quietus-" + time + "Z-" + std::to_string(::getpid()) + ending);
}

Result<BackupInfo> create_new_file(
    const std::filesystem::path& path,
    const std::function<Result<BackupInfo>(const ByteSink& sink)>& make) {
  QUIETUS_TRY(refuse_existing(path));
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  QUIETUS_TRY_AS(const BackupInfo made, make([&](ByteView piece) { return file.write(piece); }));
  QUIETUS_TRY(file.commit_new());  // somebody else may have been faster
  return made;
}

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
          {"epoch", backup.epoch_id.empty() ? Json(nullptr) : Json(backup.epoch_id)},
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
