// A control store's rows in memory: what the log reads and writes, and what a test can damage.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "storage/control_store.hpp"

namespace quietus::test {

class MemoryStore final : public ControlWriter {
 public:
  using Rows = std::map<std::string, Bytes>;

  Result<std::optional<ByteView>> get(ByteView key) override {
    ++reads_;
    const auto found = rows_.find(std::string(as_text(key)));
    if (found == rows_.end()) return std::optional<ByteView>();
    return std::optional<ByteView>(found->second);
  }

  Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
    const std::string_view start = as_text(from.empty() ? prefix : from);
    for (auto row = rows_.lower_bound(std::string(start)); row != rows_.end(); ++row) {
      if (!row->first.starts_with(as_text(prefix))) break;
      QUIETUS_TRY_AS(const bool go_on, visit(as_bytes(row->first), row->second));
      if (!go_on) break;
    }
    return {};
  }

  Result<void> put(ByteView key, ByteView value) override {
    ++writes_;
    rows_[std::string(as_text(key))] = Bytes(value.begin(), value.end());
    return {};
  }

  Result<void> remove(ByteView key) override {
    rows_.erase(std::string(as_text(key)));
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
