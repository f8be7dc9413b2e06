// expect: no match for .operator<<
// A key has no text form.
#include <ostream>

#include "crypto/derive.hpp"

void log(std::ostream& out, const quietus::ScopeKey& key) {
#ifdef QUIETUS_MISUSE
  out << key;
#else
  out << quietus::commit_to(key, {}).size();
#endif
}
