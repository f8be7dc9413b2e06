// vault.json: what a vault is and where its root slots lie. No secrets, nothing that is believed
// without being checked against the control store and the slots.
//
//   {"format": 1, "vault_id": "<32 hex>", "instance_id": "<32 hex>", "root": {"provider": "file",
//   "path": "<absolute path>"}}
//
// "instance_id" is there only in a vault that was restored (docs/backup.md).
#pragma once

#include <quietus/result.hpp>

#include <filesystem>
#include <string>

#include "base/ids.hpp"
#include "storage/file.hpp"

namespace quietus {

struct VaultHeader {
  VaultId vault{};
  InstanceId instance{};  // zero: the vault as it was created
  std::string provider = "file";
  std::filesystem::path root_folder;  // this vault's own
};

// The origin of the evidence log of this instance.
std::string log_origin(const VaultHeader& header);
std::string log_origin(const VaultId& vault, const InstanceId& instance);

Bytes encode_header(const VaultHeader& header);
// kNotFound, kCorrupt, kUnsupported (newer format, unknown provider), kIo.
Result<VaultHeader> read_header(FileSystem& files, const std::filesystem::path& path);

}  // namespace quietus
