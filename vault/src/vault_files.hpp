// Every file of a vault, in one place.
#pragma once

#include <filesystem>

namespace quietus {

struct VaultFiles {
  explicit VaultFiles(std::filesystem::path vault_folder) : folder(std::move(vault_folder)) {}

  std::filesystem::path folder;

  std::filesystem::path header() const { return folder / "vault.json"; }
  std::filesystem::path unfinished_header() const { return folder / "vault.json.new"; }
  std::filesystem::path control() const { return folder / "control.mdb"; }
  std::filesystem::path control_lock() const { return folder / "control.mdb-lock"; }
  std::filesystem::path records() const { return folder / "records.mdb"; }
  std::filesystem::path records_lock() const { return folder / "records.mdb-lock"; }
  std::filesystem::path runtime() const { return folder / "runtime"; }
  std::filesystem::path drill() const { return runtime() / "drill"; }
  std::filesystem::path making() const { return runtime() / "making"; }
  std::filesystem::path holders() const { return runtime() / "holders"; }
};

// Beside the root slots.
inline std::filesystem::path anchor_path(const std::filesystem::path& root_folder) {
  return root_folder / "anchor";
}

// Beside the root slots: locked while one of them is made or destroyed.
inline std::filesystem::path root_lock_path(const std::filesystem::path& root_folder) {
  return root_folder / "lock";
}

// Beside the root slots while their vault is being made.
inline std::filesystem::path unfinished_mark(const std::filesystem::path& root_folder) {
  return root_folder / "unfinished";
}

}  // namespace quietus
