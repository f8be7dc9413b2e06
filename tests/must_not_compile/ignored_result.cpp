// expect: unused-result|nodiscard
// A failure cannot be dropped without saying so.
#include <quietus/result.hpp>

quietus::Result<void> erase();

quietus::Result<void> run() {
#ifdef QUIETUS_MISUSE
  erase();
#else
  QUIETUS_TRY(erase());
#endif
  return {};
}
