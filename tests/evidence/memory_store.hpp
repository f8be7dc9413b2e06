// A control store's rows in memory: what the log reads and writes, and what a test can damage.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "storage/control_store.hpp"

namespace quietus::test {

class MemoryStore final : public ControlWriter {
 public:
  using Rows = std::map<Bytes, Bytes>;

  Result<std::optional<ByteView>> get(ByteView key) override {
    ++reads_;
    const auto found = rows_.find(Bytes(key.begin(), key.end()));
    if (found == rows_.end()) return std::optional<ByteView>();
    return std::optional<ByteView>(found->second);
  }

  Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
    const ByteView start = from.empty() ? prefix : from;
    for (auto row = rows_.lower_bound(Bytes(start.begin(), start.end())); row != rows_.end();
         ++row) {
      if (!std::ranges::equal(
              ByteView(row->first).first(std::min(prefix.size(), row->first.size())), prefix))
        break;
      QUIETUS_TRY_AS(const bool go_on, visit(row->first, row->second));
      if (!go_on) break;
    }
    return {};
  }

  Result<void> put(ByteView key, ByteView value) override {
    ++writes_;
    rows_[Bytes(key.begin(), key.end())] = Bytes(value.begin(), value.end());
    return {};
  }

  Result<void> remove(ByteView key) override {
    rows_.erase(Bytes(key.begin(), key.end()));
    return {};
  }

  Rows& rows() noexcept { return rows_; }
  std::size_t reads() const noexcept { return reads_; }
  std::size_t writes() const noexcept { return writes_; }

 private:
  Rows rows_;
  std::size_t reads_ = 0;
  std::size_t writes_ = 0;
};

}  // namespace quietus::test
