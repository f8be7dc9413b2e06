// expect: no match for .operator==
// Keys are not compared; their public commitments are.
#include "crypto/derive.hpp"

bool same(const quietus::ScopeKey& a, const quietus::ScopeKey& b) {
#ifdef QUIETUS_MISUSE
  return a == b;
#else
  return quietus::commit_to(a, {}) == quietus::commit_to(b, {});
#endif
}
