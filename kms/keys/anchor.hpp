// The anchor lies beside the slots, outside the vault, and remembers how far the vault had got: an
// older copy of the control store put back beside it is recognised. Two sectors of 512 bytes in one
// file, rewritten in place in turn, so that a torn write leaves the other.
//
//   offset size
//        0    8  "QUIETUSA"
//        8    2  format version (1)
//       10    8  sequence; the higher one of two whole sectors counts
//       18   16  vault id
//       34    8  root generation
//       42    8  log size
//       50   32  log root hash
//       82   32  SHA-256 of bytes 0 to 81: tells a torn sector without a key
//      114   32  HMAC-SHA256 of bytes 0 to 81 under the anchor key
//      146       zero
#pragma once

#include <quietus/result.hpp>

#include <filesystem>

#include "base/ids.hpp"
#include "crypto/hash.hpp"
#include "crypto/labels.hpp"
#include "storage/file.hpp"

namespace quietus {

struct Anchor {
  std::uint64_t sequence = 0;
  VaultId vault{};
  std::uint64_t generation = 0;  // root generation
  std::uint64_t log_size = 0;
  Sha256 log_root{};
  Sha256 mac{};
};

class AnchorFile {
 public:
  AnchorFile(FileSystem& files, std::filesystem::path path)
      : files_(files), path_(std::move(path)) {}

  // Makes the file with both sectors holding `anchor`. Replaces what is there. Durable on return.
  Result<void> create(Anchor anchor, const AnchorKey& key);

  // The newest whole sector; not yet authenticated. kNotFound (no file), kCorrupt (no whole sector
  // of this version, or another vault's), kIo.
  Result<Anchor> read(const VaultId& vault);

  // Whether it was written by somebody who held the key.
  static bool authentic(const Anchor& anchor, const AnchorKey& key);

  // Writes the older sector, with the next sequence. Durable on return; one sync.
  Result<void> write(Anchor anchor, const AnchorKey& key);

 private:
  FileSystem& files_;
  std::filesystem::path path_;
};

}  // namespace quietus
