// Who reads a store, as far as its engine keeps a table of them.
#pragma once

#include <cstdint>

namespace quietus {

struct StoreReaders {
  std::uint32_t places = 0;   // that can be taken at a time; 0: there is no such table
  std::uint32_t taken = 0;    // by processes that live
  std::uint32_t cleared = 0;  // that processes had which ended without giving them back
  // Of who reads the oldest snapshot: how many commits came after it. Their pages are not used
  // again.
  std::uint64_t oldest_age = 0;
  std::int64_t oldest_process = 0;
};

}  // namespace quietus
