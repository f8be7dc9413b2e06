// Contents that come and go in pieces.
#pragma once

#include <quietus/scope.hpp>

#include <algorithm>
#include <functional>
#include <memory>

namespace quietus::test {

// Odd pieces, so that none ends where a chunk does. `at_end` runs before the end is told.
inline ByteSource source_of(const Bytes& content,
                            const std::function<Result<void>()>& at_end = {}) {
  auto offset = std::make_shared<std::size_t>(0);
  return [&content, offset, at_end](MutableBytes to) -> Result<std::size_t> {
    const std::size_t size = std::min({to.size(), content.size() - *offset, std::size_t{100'003}});
    if (size == 0 && at_end) QUIETUS_TRY(at_end());
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(*offset), size, to.begin());
    *offset += size;
    return size;
  };
}

inline ByteSink sink_into(Bytes& content) {
  return [&content](ByteView piece) -> Result<void> {
    content.insert(content.end(), piece.begin(), piece.end());
    return {};
  };
}

}  // namespace quietus::test
