// Reading from what a caller delivers.
#pragma once

#include <quietus/scope.hpp>

namespace quietus {

// As much of `room` as there is to come: less than all of it only at the end.
inline Result<std::size_t> fill_from(const ByteSource& source, MutableBytes room) {
  std::size_t filled = 0;
  while (filled < room.size()) {
    const MutableBytes rest = room.subspan(filled);
    QUIETUS_TRY_AS(const std::size_t got, source(rest));
    if (got > rest.size())
      return Error(ErrorCode::kInvalidArgument,
                   "the source delivered more than there was room for");
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

}  // namespace quietus
