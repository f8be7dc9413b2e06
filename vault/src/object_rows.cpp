#include "object_rows.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/failpoint.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kBeingWritten = 0;
constexpr std::uint8_t kDead = 1;
constexpr std::size_t kGarbagePage = 256;  // rows looked at in one snapshot

using GarbageValue = std::array<std::uint8_t, sizeof(WriterToken) + 1>;

RecordKeyRef garbage_row(ScopeId scope, const ObjectId& id) {
  return {RecordTable::kGarbage, scope, id};
}

GarbageValue garbage_value(const WriterToken& token, std::uint8_t state) {
  GarbageValue value{};
  std::ranges::copy(token, value.begin());
  value.back() = state;
  return value;
}

// The numbers of the first rows of an object, at most as many as a transaction may touch.
Result<std::vector<std::uint32_t>> first_rows(RecordReader& reader, ScopeId scope,
                                              const ObjectId& id) {
  std::vector<std::uint32_t> numbers;
  const ChunkKey from(id);
  QUIETUS_TRY(reader.scan({RecordTable::kChunks, scope, from.view()},
                          [&](ByteView key, ByteView) -> Result<bool> {
                            QUIETUS_TRY_AS(const ChunkRow row, ChunkRow::parse(key));
                            if (row.object != id) return false;
                            numbers.push_back(row.number);
                            return numbers.size() < kObjectRowsPerTransaction;
                          }));
  return numbers;
}

// One step of a sweep; true when there may be more to do.
Result<bool> sweep_some(RecordWriter& writer, ScopeId scope, const ObjectId& id) {
  QUIETUS_TRY_AS(const auto garbage, writer.get(garbage_row(scope, id)));
  if (!garbage) return false;
  QUIETUS_TRY_AS(const auto numbers, first_rows(writer, scope, id));
  const bool more = numbers.size() == kObjectRowsPerTransaction;
  // Dead first, so that a writer that lives after all does not name what is half gone.
  QUIETUS_TRY(more ? abandon_object(writer, scope, id) : adopt_object(writer, scope, id));
  for (const std::uint32_t number : numbers)
    QUIETUS_TRY(writer.remove({RecordTable::kChunks, scope, ChunkKey(id, number).view()}));
  return more;
}

struct Garbage {
  ObjectId object{};
  WriterToken token{};
  std::uint8_t state = 0;
};

// The next page of garbage rows of a scope from `from` on. Rows that are no garbage rows are left
// alone.
Result<std::vector<Garbage>> garbage_page(RecordStore& store, ScopeId scope, Bytes& from) {
  std::vector<Garbage> page;
  std::size_t rows = 0;
  Bytes last;
  QUIETUS_TRY(store.read([&](RecordReader& reader) {
    page.clear();
    rows = 0;
    last.clear();
    return reader.scan({RecordTable::kGarbage, scope, from},
                       [&](ByteView key, ByteView value) -> Result<bool> {
                         ByteReader id(key);
                         ByteReader content(value);
                         const Garbage row{id.array<16>(), content.array<16>(), content.u8()};
                         if (id.done() && content.done()) page.push_back(row);
                         last.assign(key.begin(), key.end());
                         return ++rows < kGarbagePage;
                       });
  }));
  if (!last.empty()) last.push_back(0);
  from = std::move(last);
  return page;
}

Result<void> sweep_scope(RecordStore& store, ScopeId scope, WriterAlive alive) {
  Bytes from;
  do {
    QUIETUS_TRY_AS(const auto page, garbage_page(store, scope, from));
    for (const Garbage& row : page)
      if (row.state != kBeingWritten || !alive(row.token))
        QUIETUS_TRY(sweep_object(store, scope, row.object));
  } while (!from.empty());
  return {};
}

}  // namespace

ChunkKey::ChunkKey(const ObjectId& id, std::uint32_t number) noexcept {
  std::ranges::copy(id, bytes_.begin());
  for (std::size_t i = 0; i < 4; ++i)
    bytes_[id.size() + i] = static_cast<std::uint8_t>(number >> (8 * (3 - i)));
}

Result<ChunkRow> ChunkRow::parse(ByteView key) {
  ByteReader in(key);
  const ChunkRow row{in.array<16>(), in.u32()};
  if (!in.done()) return Error(ErrorCode::kCorrupt, "object: a row with a malformed key");
  return row;
}

Result<void> announce_object(RecordWriter& writer, ScopeId scope, const ObjectId& id,
                             const WriterToken& token) {
  return writer.put(garbage_row(scope, id), garbage_value(token, kBeingWritten));
}

Result<void> check_announced(RecordReader& reader, ScopeId scope, const ObjectId& id,
                             const WriterToken& token) {
  QUIETUS_TRY_AS(const auto row, reader.get(garbage_row(scope, id)));
  if (row && std::ranges::equal(*row, garbage_value(token, kBeingWritten))) return {};
  return Error(ErrorCode::kUnavailable, "the object being written was cleaned up; try again");
}

Result<void> adopt_object(RecordWriter& writer, ScopeId scope, const ObjectId& id) {
  return writer.remove(garbage_row(scope, id));
}

Result<void> abandon_object(RecordWriter& writer, ScopeId scope, const ObjectId& id) {
  return writer.put(garbage_row(scope, id), garbage_value({}, kDead));
}

Result<void> sweep_object(RecordStore& store, ScopeId scope, const ObjectId& id) {
  for (bool more = true; more;) {
    QUIETUS_FAILPOINT("objects/before-sweep");
    QUIETUS_TRY(store.update([&](RecordWriter& writer) -> Result<void> {
      QUIETUS_TRY_AS(more, sweep_some(writer, scope, id));
      return {};
    }));
  }
  return {};
}

Result<void> sweep_garbage(RecordStore& store, WriterAlive alive) {
  std::vector<ScopeId> scopes;
  QUIETUS_TRY(store.scopes(RecordTable::kGarbage, [&](ScopeId scope) -> Result<bool> {
    scopes.push_back(scope);
    return true;
  }));
  for (const ScopeId scope : scopes) QUIETUS_TRY(sweep_scope(store, scope, alive));
  return {};
}

}  // namespace quietus
