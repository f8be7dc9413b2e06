// Planted texts and keys, and the search for them in any form in which they could leak.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <vector>

namespace quietus::test {

class Markers {
 public:
  // 32 random letters and digits; `what` is said when one is found.
  std::string plant(const std::string& what);
  // Looks for bytes that are there already, at least 32 of them.
  void watch_for(const std::string& what, ByteView bytes);

  // The markers of which a half of 16 bytes occurs: raw, in hex of either case, or in base64 of
  // either alphabet and any alignment.
  std::vector<std::string> found_in(ByteView bytes) const;

 private:
  struct Needle {
    std::string what;
    std::string text;
  };
  void add_half(const std::string& what, ByteView half);
  std::vector<Needle> needles_;
};

}  // namespace quietus::test
