// How a row of the control store is read and written: sealed, with its own key in the associated
// data. For the files that own tables.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_writer.hpp"
#include "crypto/row_seal.hpp"
#include "keys/control_rows.hpp"

namespace quietus::rows {

inline Bytes row_key(char table, std::uint64_t id) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(id).take();
}
inline Bytes row_key(char table, ByteView id) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).raw(id).take();
}

inline Error damaged(char table) {
  return Error(ErrorCode::kCorrupt,
               std::string("control store: a row of table ") + table + " is damaged");
}

inline Result<std::optional<Bytes>> get_sealed(ControlReader& reader, const RowSeal& seal,
                                               ByteView key) {
  QUIETUS_TRY_AS(const auto stored, reader.get(key));
  if (!stored) return std::optional<Bytes>();
  auto opened = open_row(seal.context, seal.key, seal.vault, key, *stored);
  if (!opened) return damaged(static_cast<char>(key[0]));
  return std::optional(std::move(opened).value());
}

inline Result<void> put_sealed(ControlWriter& writer, const RowSeal& seal, ByteView key,
                               ByteView content) {
  return writer.put(key, seal_row(seal.context, seal.key, seal.vault, key, content));
}

// A row decoded by `decode`, which returns an empty optional for what it does not understand.
template <class T>
Result<std::optional<T>> get_row(ControlReader& reader, const RowSeal& seal, ByteView key,
                                 std::optional<T> (*decode)(ByteView)) {
  QUIETUS_TRY_AS(const auto content, get_sealed(reader, seal, key));
  if (!content) return std::optional<T>();
  auto row = decode(*content);
  if (!row) return damaged(static_cast<char>(key[0]));
  return row;
}

// Every row of a table, opened and decoded: (row key without the table letter, row).
template <class T>
Result<std::vector<std::pair<Bytes, T>>> all_rows(ControlReader& reader, const RowSeal& seal,
                                                  ByteView prefix,
                                                  std::optional<T> (*decode)(ByteView)) {
  std::vector<std::pair<Bytes, T>> found;
  QUIETUS_TRY(reader.scan(prefix, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? decode(*content) : std::nullopt;
    if (!row) return damaged(static_cast<char>(prefix[0]));
    found.emplace_back(Bytes(key.begin() + 1, key.end()), std::move(*row));
    return true;
  }));
  return found;
}

}  // namespace quietus::rows
