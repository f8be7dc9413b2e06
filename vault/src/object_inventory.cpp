#include "object_inventory.hpp"

#include <algorithm>
#include <limits>

namespace quietus {
namespace {

constexpr std::size_t kObjectsAtOnce = 4096;  // rows counted, or objects noted, in one snapshot

bool has_garbage_row(const Result<std::optional<ByteView>>& row) {
  return row && *row;
}

// The first row with a key from `from` on, if there is one.
Result<std::optional<ChunkRow>> first_row(RecordReader& reader, ScopeId scope, ByteView from) {
  std::optional<ChunkRow> found;
  QUIETUS_TRY(
      reader.scan({RecordTable::kChunks, scope, from}, [&](ByteView key, ByteView) -> Result<bool> {
        QUIETUS_TRY_AS(found, ChunkRow::parse(key));
        return false;
      }));
  return found;
}

Bytes behind_all_rows_of(const ObjectId& id) {
  const ChunkKey last(id, std::numeric_limits<std::uint32_t>::max());
  Bytes key(last.view().begin(), last.view().end());
  key.push_back(0);
  return key;
}

// Counts an object's rows from `from` on, a page of them; the place to go on from, or nothing.
Result<std::optional<ChunkKey>> count_page(RecordReader& reader, ScopeId scope, const ObjectId& id,
                                           const ChunkKey& from, std::uint64_t& rows) {
  std::optional<ChunkKey> next;
  std::size_t seen = 0;
  QUIETUS_TRY(reader.scan({RecordTable::kChunks, scope, from.view()},
                          [&](ByteView key, ByteView) -> Result<bool> {
                            QUIETUS_TRY_AS(const ChunkRow row, ChunkRow::parse(key));
                            if (row.object != id) return false;
                            if (++seen > kObjectsAtOnce) {
                              next.emplace(id, row.number);
                              return false;
                            }
                            ++rows;
                            return true;
                          }));
  return next;
}

}  // namespace

Result<ObjectInventory> ObjectInventory::take(RecordStore& store, ScopeId scope) {
  ObjectInventory inventory(scope);
  std::optional<Bytes> from = Bytes();
  while (from)
    QUIETUS_TRY(
        store.read([&](RecordReader& reader) { return inventory.note_page(reader, from); }));
  return inventory;
}

// Notes a page of objects from `from` on, which is then where the next page begins, or nothing.
Result<void> ObjectInventory::note_page(RecordReader& reader, std::optional<Bytes>& from) {
  for (std::size_t i = 0; i < kObjectsAtOnce && from; ++i) {
    QUIETUS_TRY_AS(const auto row, first_row(reader, scope_, *from));
    from.reset();
    if (!row) continue;
    const auto garbage = reader.get({RecordTable::kGarbage, scope_, row->object});
    objects_[row->object].garbage = has_garbage_row(garbage);
    from = behind_all_rows_of(row->object);
  }
  return {};
}

void ObjectInventory::mark_referenced(const ObjectId& id) {
  const auto found = objects_.find(id);
  if (found != objects_.end()) found->second.referenced = true;
}

Result<std::uint64_t> ObjectInventory::orphaned_rows(RecordStore& store) const {
  std::uint64_t rows = 0;
  for (const auto& [id, entry] : objects_) {
    if (entry.referenced) continue;
    QUIETUS_TRY_AS(const std::uint64_t own, orphaned_rows_of(store, id, entry));
    rows += own;
  }
  return rows;
}

Result<std::uint64_t> ObjectInventory::orphaned_rows_of(RecordStore& store, const ObjectId& id,
                                                        const Entry& entry) const {
  std::uint64_t rows = 0;
  std::optional<ChunkKey> from(id);
  while (from) {
    QUIETUS_TRY(store.read([&](RecordReader& reader) -> Result<void> {
      const bool garbage = has_garbage_row(reader.get({RecordTable::kGarbage, scope_, id}));
      const bool adopted = entry.garbage && !garbage;
      const ChunkKey begin = *from;
      from.reset();
      if (adopted) return {};
      QUIETUS_TRY_AS(from, count_page(reader, scope_, id, begin, rows));
      return {};
    }));
  }
  return rows;
}

}  // namespace quietus
