// Under a sanitizer a process that is forked and killed costs seconds. What is tried at every point
// of a run without one is tried at every fifth there.
#pragma once

namespace quietus::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kPointStep = 5;
#else
inline constexpr int kPointStep = 1;
#endif

}  // namespace quietus::test
