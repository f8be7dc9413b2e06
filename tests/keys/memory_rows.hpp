// Rows of a control store in memory, with every version that was ever written.
#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "storage/control_store.hpp"

namespace quietus::test {

class MemoryRows final : public ControlWriter {
 public:
  std::map<Bytes, Bytes> rows;
  std::vector<std::pair<Bytes, Bytes>> written;

  Result<std::optional<ByteView>> get(ByteView key) override {
    const auto found = rows.find(Bytes(key.begin(), key.end()));
    if (found == rows.end()) return std::optional<ByteView>();
    return std::optional<ByteView>(found->second);
  }
  Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
    const ByteView start = from.empty() ? prefix : from;
    for (auto row = rows.lower_bound(Bytes(start.begin(), start.end())); row != rows.end(); ++row) {
      const bool inside = row->first.size() >= prefix.size() &&
                          std::equal(prefix.begin(), prefix.end(), row->first.begin());
      if (!inside) break;
      QUIETUS_TRY_AS(const bool more, visit(row->first, row->second));
      if (!more) break;
    }
    return {};
  }
  Result<void> put(ByteView key, ByteView value) override {
    Bytes row(key.begin(), key.end());
    Bytes content(value.begin(), value.end());
    written.emplace_back(row, content);
    rows[std::move(row)] = std::move(content);
    return {};
  }
  Result<void> remove(ByteView key) override {
    rows.erase(Bytes(key.begin(), key.end()));
    return {};
  }
};

// They as a store: every update is committed at once.
class MemoryControlStore final : public ControlStore {
 public:
  explicit MemoryControlStore(MemoryRows& rows) : rows_(rows) {}
  std::uint64_t updates = 0;

  Result<void> read(ReadFunction read) override { return read(rows_); }
  Result<void> update(WriteClass, WriteFunction write) override {
    const auto before = rows_.rows;
    auto done = write(rows_);
    if (done)
      ++updates;
    else
      rows_.rows = before;
    return done;
  }

 private:
  MemoryRows& rows_;
};

}  // namespace quietus::test
