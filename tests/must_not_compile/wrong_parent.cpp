// expect: no matching function for call to .derive|deduced conflicting
// An edge of the derivation tree starts at one role: record keys come from a scope key only.
#include "crypto/derive.hpp"

quietus::RecordKey records(const quietus::ScopeKey& scope, const quietus::LastingKey& lasting) {
#ifdef QUIETUS_MISUSE
  return quietus::derive(quietus::edges::kRecords, lasting);
#else
  static_cast<void>(lasting);
  return quietus::derive(quietus::edges::kRecords, scope);
#endif
}
