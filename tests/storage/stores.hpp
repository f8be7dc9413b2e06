// Short ways to open stores and to write and read single rows.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "storage/lmdb_store.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

inline LmdbOptions lmdb_options(std::uint64_t map_size, bool create) {
  LmdbOptions options;
  options.map_size = map_size;
  options.create = create;
  return options;
}
inline LmdbOptions making(std::uint64_t map_size = 64 * kMiB) {
  return lmdb_options(map_size, true);
}
inline LmdbOptions opening(std::uint64_t map_size = 64 * kMiB) {
  return lmdb_options(map_size, false);
}
inline LmdbOptions reading_only() {
  LmdbOptions options = opening();
  options.read_only = true;
  return options;
}

inline std::string text_of(ByteView bytes) {
  return std::string(as_text(bytes));
}

inline Result<void> put(ControlStore& store, const std::string& key, const std::string& value,
                        WriteClass write_class = WriteClass::kOrdinary) {
  return store.update(
      write_class, [&](ControlWriter& rows) { return rows.put(as_bytes(key), as_bytes(value)); });
}

inline std::optional<std::string> value_of(ControlStore& store, const std::string& key) {
  std::optional<std::string> found;
  must(store.read([&](ControlReader& rows) -> Result<void> {
    QUIETUS_TRY_AS(const auto value, rows.get(as_bytes(key)));
    if (value) found = text_of(*value);
    return {};
  }));
  return found;
}

inline std::map<std::string, std::string> rows_in(ControlReader& reader,
                                                  const std::string& prefix = "",
                                                  const std::string& from = "") {
  std::map<std::string, std::string> rows;
  must(reader.scan(as_bytes(prefix), as_bytes(from),
                   [&](ByteView key, ByteView value) -> Result<bool> {
                     rows[text_of(key)] = text_of(value);
                     return true;
                   }));
  return rows;
}

inline std::map<std::string, std::string> all_rows(ControlStore& store) {
  std::map<std::string, std::string> rows;
  must(store.read([&](ControlReader& reader) -> Result<void> {
    rows = rows_in(reader);
    return {};
  }));
  return rows;
}

inline RecordKeyRef record_key(ScopeId scope, const std::string& key,
                               RecordTable table = RecordTable::kRecords) {
  return {table, scope, as_bytes(key)};
}

inline Result<void> put(RecordStore& store, const RecordKeyRef& row, const std::string& value) {
  return store.update([&](RecordWriter& rows) { return rows.put(row, as_bytes(value)); });
}

inline std::optional<std::string> value_of(RecordStore& store, const RecordKeyRef& row) {
  std::optional<std::string> found;
  must(store.read([&](RecordReader& rows) -> Result<void> {
    QUIETUS_TRY_AS(const auto value, rows.get(row));
    if (value) found = text_of(*value);
    return {};
  }));
  return found;
}

inline Bytes content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void set_content(const std::filesystem::path& path, const Bytes& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()),
             static_cast<std::streamsize>(content.size()));
  REQUIRE(file.good());
}

// How many transactions LMDB has ever committed to the file, as its meta pages say.
inline std::uint64_t transactions_of(const std::filesystem::path& path) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kNumber = 144;
  const Bytes file = content_of(path);
  REQUIRE(file.size() >= 2 * kPage);
  std::uint64_t even = 0;
  std::uint64_t odd = 0;
  std::memcpy(&even, file.data() + kNumber, sizeof even);
  std::memcpy(&odd, file.data() + kPage + kNumber, sizeof odd);
  return std::max(even, odd);
}

}  // namespace quietus::test
