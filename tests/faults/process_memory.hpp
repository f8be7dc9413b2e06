// Looks for keys in the memory and the registers of another process, as a core of it would show
// them, and in the guarded memory that a core leaves out too.
#pragma once

#include <quietus/result.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace quietus::test {

struct WantedKey {
  std::string what;
  Bytes bytes;  // 32
};

// Where halves of keys were seen: "record key, second half, in [stack]". No value when this process
// may not look. The other process stands still meanwhile. Requires: it is a child of this one.
std::optional<std::vector<std::string>> find_in_process(pid_t process,
                                                        const std::vector<WantedKey>& keys);

}  // namespace quietus::test
