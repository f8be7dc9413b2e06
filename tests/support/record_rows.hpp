// The rows of the record store, looked at and tampered with as a thief of the file could.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "storage/record_store.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {

using RawRow = std::pair<Bytes, Bytes>;  // key without table and scope, value

inline std::vector<RawRow> rows_of(RecordStore& store, RecordTable table, ScopeId scope) {
  std::vector<RawRow> rows;
  must(store.read([&](RecordReader& reader) {
    return reader.scan({table, scope, {}}, [&](ByteView key, ByteView value) -> Result<bool> {
      rows.emplace_back(Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
      return true;
    });
  }));
  return rows;
}

inline void put_row(RecordStore& store, RecordTable table, ScopeId scope, const RawRow& row) {
  must(store.update([&](RecordWriter& writer) {
    return writer.put({table, scope, row.first}, row.second);
  }));
}

inline void remove_row(RecordStore& store, RecordTable table, ScopeId scope, ByteView key) {
  must(store.update([&](RecordWriter& writer) { return writer.remove({table, scope, key}); }));
}

}  // namespace quietus::test
