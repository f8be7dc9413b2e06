// The conditions that a header states with "Requires:". Breaking one in this room would reveal data
// or overrun memory, so it ends the process in release builds too.
#pragma once

#include <cstdlib>

namespace quietus {

inline void require(bool condition) noexcept {
  if (!condition) std::abort();
}

}  // namespace quietus
