#include "keys/batch_rows.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "keys/row_codec.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

Bytes list_prefix(char table, const ErasureId& batch) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).raw(batch).take();
}
Bytes list_key(char table, const ErasureId& batch, std::uint64_t of) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).raw(batch).u64(of).take();
}
Bytes generation_key(char table, std::uint64_t generation, std::uint64_t leaf) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(generation).u64(leaf).take();
}

std::optional<std::uint64_t> decode_number(ByteView content) {
  ByteReader in(content);
  const std::uint64_t number = in.u64();
  return in.done() ? std::optional(number) : std::nullopt;
}

// The last number of a row's key.
std::uint64_t number_in(ByteView key) {
  return ByteReader(key.last(8)).u64();
}

Result<std::vector<Bytes>> keys_below(ControlReader& reader, ByteView prefix, ByteView from,
                                      std::size_t limit) {
  std::vector<Bytes> keys;
  QUIETUS_TRY(reader.scan(prefix, from, [&](ByteView key, ByteView) -> Result<bool> {
    if (keys.size() == limit) return false;
    keys.emplace_back(key.begin(), key.end());
    return true;
  }));
  return keys;
}

Result<bool> remove_below(ControlWriter& writer, ByteView prefix, std::size_t limit) {
  QUIETUS_TRY_AS(const auto keys, keys_below(writer, prefix, {}, limit));
  for (const Bytes& key : keys) QUIETUS_TRY(writer.remove(key));
  return keys.size() < limit;
}

Result<bool> exists(ControlReader& reader, ByteView key) {
  QUIETUS_TRY_AS(const auto row, reader.get(key));
  return row.has_value();
}

// Leaves in a table that ends in a leaf's index and holds key ids.
Result<std::vector<LeafRef>> leaves_in(ControlReader& reader, const RowSeal& seal, ByteView prefix,
                                       ByteView from, FunctionRef<bool(std::uint64_t)> wanted) {
  std::vector<LeafRef> leaves;
  QUIETUS_TRY(reader.scan(prefix, from, [&](ByteView key, ByteView value) -> Result<bool> {
    if (key.size() != prefix.size() + 8) return damaged(static_cast<char>(key[0]));
    const std::uint64_t index = number_in(key);
    if (!wanted(index)) return false;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto id = content ? decode_number(*content) : std::nullopt;
    if (!id) return damaged(static_cast<char>(key[0]));
    leaves.push_back({*id, index});
    return true;
  }));
  return leaves;
}

}  // namespace

Result<std::optional<BatchRow>> batch(ControlReader& reader, const RowSeal& seal,
                                      const ErasureId& id) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('Q', id), codec::decode_batch_row));
  if (row) row->intent.id = id;
  return row;
}
Result<void> put_batch(ControlWriter& writer, const RowSeal& seal, const ErasureId& id,
                       const BatchRow& row) {
  return put_sealed(writer, seal, row_key('Q', id), codec::encode(row));
}

Result<std::optional<BatchStatement>> statement(ControlReader& reader, const RowSeal& seal,
                                                const ErasureId& batch, ScopeId scope) {
  QUIETUS_TRY_AS(auto row,
                 get_row(reader, seal, list_key('q', batch, scope), codec::decode_batch_statement));
  if (row) row->target.scope = scope;
  return row;
}
Result<void> put_statement(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                           const BatchStatement& row) {
  return put_sealed(writer, seal, list_key('q', batch, row.target.scope), codec::encode(row));
}
Result<bool> is_listed(ControlReader& reader, const ErasureId& batch, ScopeId scope) {
  return exists(reader, list_key('q', batch, scope));
}

Result<std::vector<BatchStatement>> statements(ControlReader& reader, const RowSeal& seal,
                                               const ErasureId& batch, ScopeId from,
                                               std::size_t limit) {
  std::vector<BatchStatement> found;
  const auto visit = [&](ByteView key, ByteView value) -> Result<bool> {
    if (found.size() == limit) return false;
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? codec::decode_batch_statement(*content) : std::nullopt;
    if (!row) return damaged('q');
    row->target.scope = number_in(key);
    found.push_back(std::move(*row));
    return true;
  };
  QUIETUS_TRY(reader.scan(list_prefix('q', batch), list_key('q', batch, from), visit));
  return found;
}

Result<void> remove_statement(ControlWriter& writer, const ErasureId& batch,
                              const BatchStatement& row) {
  for (const std::uint64_t leaf : row.leaves) QUIETUS_TRY(remove_doomed_leaf(writer, batch, leaf));
  return writer.remove(list_key('q', batch, row.target.scope));
}

Result<std::vector<BatchBlock>> blocks(ControlReader& reader, const RowSeal& seal,
                                       const ErasureId& batch) {
  QUIETUS_TRY_AS(auto found,
                 all_rows(reader, seal, list_prefix('b', batch), codec::decode_batch_block));
  std::vector<BatchBlock> blocks;
  blocks.reserve(found.size());
  for (const auto& [key, block] : found) {
    if (number_in(key) != blocks.size()) return damaged('b');
    blocks.push_back(block);
  }
  return blocks;
}
Result<void> put_block(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                       std::uint64_t number, const BatchBlock& row) {
  return put_sealed(writer, seal, list_key('b', batch, number), codec::encode(row));
}
Result<void> remove_blocks(ControlWriter& writer, const ErasureId& batch, std::uint64_t from) {
  QUIETUS_TRY_AS(const auto keys, keys_below(writer, list_prefix('b', batch),
                                             list_key('b', batch, from), std::size_t{1} << 20));
  for (const Bytes& key : keys) QUIETUS_TRY(writer.remove(key));
  return {};
}

Result<void> put_doomed_leaf(ControlWriter& writer, const RowSeal& seal, const ErasureId& batch,
                             const LeafRef& leaf) {
  return put_sealed(writer, seal, list_key('l', batch, leaf.index),
                    ByteWriter().u64(leaf.owner).take());
}
Result<void> remove_doomed_leaf(ControlWriter& writer, const ErasureId& batch,
                                std::uint64_t index) {
  return writer.remove(list_key('l', batch, index));
}
Result<bool> is_doomed(ControlReader& reader, const ErasureId& batch, std::uint64_t index) {
  return exists(reader, list_key('l', batch, index));
}

Result<void> note_added_leaf(ControlWriter& writer, const RowSeal& seal, std::uint64_t generation,
                             const LeafRef& leaf) {
  return put_sealed(writer, seal, generation_key('a', generation, leaf.index),
                    ByteWriter().u64(leaf.owner).take());
}
Result<std::vector<LeafRef>> added_leaves(ControlReader& reader, const RowSeal& seal,
                                          std::uint64_t generation, std::size_t limit) {
  std::size_t left = limit;
  return leaves_in(reader, seal, row_key('a', generation), {},
                   [&](std::uint64_t) { return left-- > 0; });
}
Result<void> forget_added_leaf(ControlWriter& writer, std::uint64_t generation,
                               std::uint64_t index) {
  return writer.remove(generation_key('a', generation, index));
}

Result<void> mark_changed(ControlWriter& writer, const RowSeal& seal, std::uint64_t generation) {
  return put_sealed(writer, seal, row_key('w', generation), {});
}
Result<bool> is_marked(ControlReader& reader, std::uint64_t generation) {
  return exists(reader, row_key('w', generation));
}
Result<void> clear_mark(ControlWriter& writer, std::uint64_t generation) {
  return writer.remove(row_key('w', generation));
}

Result<std::optional<Tombstone>> burial_in_batch(ControlReader& reader, const RowSeal& seal,
                                                 ScopeId scope) {
  if (seal.batch == ErasureId{}) return std::optional<Tombstone>();
  QUIETUS_TRY_AS(const auto listed, statement(reader, seal, seal.batch, scope));
  if (!listed) return std::optional<Tombstone>();
  QUIETUS_TRY_AS(const auto row, batch(reader, seal, seal.batch));
  if (!row) return damaged('Q');
  return std::optional(Tombstone{seal.batch, row->intent.committed, listed->reason});
}

Result<std::optional<std::uint64_t>> stale_generation(ControlReader& reader, char table,
                                                      const std::vector<std::uint64_t>& kept) {
  std::uint64_t from = 0;
  while (true) {
    std::optional<std::uint64_t> found;
    const Bytes prefix{static_cast<std::uint8_t>(table)};
    QUIETUS_TRY(reader.scan(prefix, row_key(table, from), [&](ByteView key, ByteView) {
      found = ByteReader(key.subspan(1)).u64();
      return Result<bool>(false);
    }));
    if (!found || std::find(kept.begin(), kept.end(), *found) == kept.end()) return found;
    from = *found + 1;
  }
}

Result<bool> remove_generation(ControlWriter& writer, char table, std::uint64_t generation,
                               std::size_t limit) {
  return remove_below(writer, row_key(table, generation), limit);
}

Result<std::optional<ErasureId>> next_list(ControlReader& reader, char table,
                                           const ErasureId& from) {
  std::optional<ErasureId> found;
  const Bytes prefix{static_cast<std::uint8_t>(table)};
  QUIETUS_TRY(reader.scan(prefix, list_prefix(table, from), [&](ByteView key, ByteView) {
    found = ByteReader(key.subspan(1)).array<sizeof(ErasureId)>();
    return Result<bool>(false);
  }));
  return found;
}

Result<bool> remove_list(ControlWriter& writer, char table, const ErasureId& batch,
                         std::size_t limit) {
  return remove_below(writer, list_prefix(table, batch), limit);
}

}  // namespace rows

Result<std::optional<std::uint64_t>> ListedLeaves::next(ControlReader& reader, std::uint64_t from) {
  std::optional<std::uint64_t> found;
  QUIETUS_TRY(reader.scan(rows::list_prefix('l', batch_), rows::list_key('l', batch_, from),
                          [&](ByteView key, ByteView) {
                            found = rows::number_in(key);
                            return Result<bool>(false);
                          }));
  return found;
}

Result<std::vector<LeafRef>> ListedLeaves::between(ControlReader& reader, std::uint64_t from,
                                                   std::uint64_t to) {
  return rows::leaves_in(reader, seal_, rows::list_prefix('l', batch_),
                         rows::list_key('l', batch_, from),
                         [&](std::uint64_t index) { return index < to; });
}

}  // namespace quietus
