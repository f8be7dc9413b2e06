// The rows of large objects, and how they are done away with.
//
//   RecordTable::kChunks   object id 16 || row number u32 -> 65,520 bytes of the object's
//   ciphertext,
//                          of the last row fewer
//   RecordTable::kGarbage  object id 16 -> token of the writer 16 || state u8: 0 being written, 1
//   dead
//
// A garbage row is there from before the first chunk row until the record names the object, and
// again from when the record no longer does until the last chunk row is gone. Chunk rows without a
// record and without a garbage row do not come about.
#pragma once

#include <quietus/result.hpp>

#include "base/function_ref.hpp"
#include "record_format.hpp"
#include "storage/record_store.hpp"

namespace quietus {

// 16 LMDB pages without the header of the first.
inline constexpr std::size_t kObjectRowSize = 65520;
// No transaction touches more chunk rows than this.
inline constexpr std::size_t kObjectRowsPerTransaction = 64;

// Tells writers apart; random, made once per open vault.
using WriterToken = std::array<std::uint8_t, 16>;

// The key of a chunk row or, without a number, of an object's first possible row.
class ChunkKey {
 public:
  explicit ChunkKey(const ObjectId& id, std::uint32_t number = 0) noexcept;
  ByteView view() const noexcept { return bytes_; }

 private:
  std::array<std::uint8_t, sizeof(ObjectId) + 4> bytes_{};
};

struct ChunkRow {
  ObjectId object{};
  std::uint32_t number = 0;
  static Result<ChunkRow> parse(ByteView key);  // kCorrupt
};

// For the transaction that writes an object's first rows.
Result<void> announce_object(RecordWriter& writer, ScopeId scope, const ObjectId& id,
                             const WriterToken& token);
// kUnavailable when the object is not, or no longer, this writer's: its rows were cleaned up.
Result<void> check_announced(RecordReader& reader, ScopeId scope, const ObjectId& id,
                             const WriterToken& token);
// For the transaction in which a record begins, or ceases, to name the object.
Result<void> adopt_object(RecordWriter& writer, ScopeId scope, const ObjectId& id);
Result<void> abandon_object(RecordWriter& writer, ScopeId scope, const ObjectId& id);

// Removes the rows of an object that has a garbage row, in bounded transactions, the garbage row
// last. Does nothing to one that has none.
Result<void> sweep_object(RecordStore& store, ScopeId scope, const ObjectId& id);

// Sweeps every dead object and those whose writer is gone. Scopes need not be readable for it.
using WriterAlive = FunctionRef<bool(const WriterToken&)>;
Result<void> sweep_garbage(RecordStore& store, WriterAlive alive);

}  // namespace quietus
