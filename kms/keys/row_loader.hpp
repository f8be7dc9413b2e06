// Rows on their way into a control store that nobody sees yet, in bounded transactions: it need not
// be atomic.
#pragma once

#include <utility>
#include <vector>

#include "storage/control_store.hpp"

namespace quietus {

class RowLoader {
 public:
  explicit RowLoader(ControlStore& to) : to_(to) {}

  Result<void> add(ByteView key, ByteView value) {
    rows_.emplace_back(Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
    bytes_ += key.size() + value.size();
    if (rows_.size() < kRowsAtOnce && bytes_ < kBytesAtOnce) return {};
    return flush();
  }

  Result<void> flush() {
    if (rows_.empty()) return {};
    QUIETUS_TRY(to_.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
      for (const auto& [key, value] : rows_) QUIETUS_TRY(writer.put(key, value));
      return {};
    }));
    rows_.clear();
    bytes_ = 0;
    return {};
  }

 private:
  static constexpr std::size_t kRowsAtOnce = 2000;
  static constexpr std::size_t kBytesAtOnce = std::size_t{4} << 20;

  ControlStore& to_;
  std::vector<std::pair<Bytes, Bytes>> rows_;
  std::size_t bytes_ = 0;
};

}  // namespace quietus
