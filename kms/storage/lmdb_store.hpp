// Both store seams on LMDB, each in one file of its own. Everything LMDB must be handled with care
// for is in this room: map size, full disk, stale readers, fork, close-on-exec, one environment per
// process and file.
#pragma once

#include <filesystem>
#include <memory>

#include "base/ids.hpp"
#include "storage/control_store.hpp"
#include "storage/record_store.hpp"

namespace quietus {

struct LmdbOptions {
  // Bytes; sparse, so it costs address space only. A process that is not given so much maps
  // less, an eighth of what it may have, and has less room for rows. The control store keeps 1 MiB
  // of it for erasures.
  std::uint64_t map_size = std::uint64_t{64} << 30;
  VaultId vault{};         // whose store it is; that of another vault is kCorrupt
  bool create = false;     // make the file (kAlreadyExists if there); else kNotFound if absent
  bool read_only = false;  // no lock file is needed where the file system is read-only
};

// Errors of opening: kNotFound, kAlreadyExists, kBusy (already open in this process), kCorrupt (not
// an LMDB file, damaged, or another vault's), kUnsupported (written by another LMDB format), kIo,
// kFull.
Result<std::unique_ptr<ControlStore>> open_lmdb_control(const std::filesystem::path& path,
                                                        const LmdbOptions& options);
Result<std::unique_ptr<RecordStore>> open_lmdb_records(const std::filesystem::path& path,
                                                       const LmdbOptions& options);

}  // namespace quietus
