// Looks at an LMDB file before LMDB maps it. A file that is shorter than its meta pages say ends
// the process with SIGBUS once it is mapped, and LMDB believes most of what the meta pages hold; so
// what can be checked is checked here, with plain reads.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>

namespace quietus {

struct LmdbFileShape {
  std::uint64_t page_size = 0;
  std::uint64_t pages_named = 0;    // by the newest meta page
  std::uint64_t pages_present = 0;  // whole pages in the file
};

// kCorrupt: not a regular file, not an LMDB file, or meta pages that contradict themselves or each
// other. kUnsupported: another LMDB format. kIo.
//
// pages_present may be smaller than pages_named in a sound file: LMDB does not write pages that one
// transaction both took and freed. The caller decides (see LmdbEnvironment).
Result<LmdbFileShape> check_lmdb_file(int descriptor);

}  // namespace quietus
