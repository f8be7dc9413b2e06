// expect: deleted
// A key is moved or duplicated on purpose, never copied by accident.
#include "crypto/labels.hpp"

quietus::ScopeKey take(quietus::ScopeKey& key) {
#ifdef QUIETUS_MISUSE
  return quietus::ScopeKey(key);
#else
  return quietus::ScopeKey(std::move(key));
#endif
}
