// Keys that tests may know.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/text_encoding.hpp"
#include "crypto/hash.hpp"
#include "crypto/labels.hpp"

namespace quietus::test {

template <class Role>
Key<Role> key_from(ByteView bytes) {
  return Key<Role>::make(
      [&](MutableBytes out) { std::copy(bytes.begin(), bytes.end(), out.begin()); });
}

inline SigningKey signing_key(std::string_view name) {
  return key_from<SigningRole>(sha256(as_bytes(name)));
}

}  // namespace quietus::test
