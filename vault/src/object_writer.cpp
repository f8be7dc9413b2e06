#include <algorithm>
#include <limits>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "object_context.hpp"
#include "object_store.hpp"
#include "record_fence.hpp"

namespace quietus {
namespace {

// What is carried over is less than a row, and a piece fits the rows but one.
static_assert(kObjectPieceChunks * cobblestone::kSealedChunkSize + kObjectRowSize <=
              kObjectRowsPerTransaction * kObjectRowSize);

Error key_replaced() {
  return {ErrorCode::kBusy, "the scope's key was replaced while an object was written; try again"};
}

}  // namespace

ObjectWriter::ObjectWriter(KeyStore& keys, RecordStore& store, const ScopeAccess& access,
                           const WriterToken& token, KeyUse wanted)
    : keys_(keys),
      store_(store),
      access_(access),
      scope_(access.scope),
      wanted_(wanted),
      token_(token) {
  random_bytes(object_.ref.id);
}

Result<WrittenObject> ObjectWriter::write(Pieces next) {
  if (Result<void> written = write_all(next); !written) {
    // What cannot be removed now is removed when the vault is opened next.
    static_cast<void>(sweep_object(store_, scope_, object_.ref.id));
    return std::move(written).error();
  }
  object_.ref.sealed_size = cobblestone::sealed_size(object_.size);
  return object_;
}

Result<void> ObjectWriter::write_all(Pieces next) {
  for (bool last = false; !last;) {
    QUIETUS_TRY_AS(const ByteView piece, next());
    last = piece.size() < kObjectPieceSize;
    QUIETUS_TRY(write_piece(piece, last));
  }
  return {};
}

ObjectWriter::Extent ObjectWriter::extent_with(ByteView piece, bool last) const noexcept {
  Extent extent;
  extent.chunks = piece.size() / cobblestone::kChunkSize + (last ? 1 : 0);
  extent.filled = carried_ + piece.size() + extent.chunks * kTagSize;
  extent.rows = (extent.filled + (last ? kObjectRowSize - 1 : 0)) / kObjectRowSize;
  extent.written = std::min(extent.filled, extent.rows * kObjectRowSize);
  return extent;
}

Result<void> ObjectWriter::write_piece(ByteView piece, bool last) {
  const Extent extent = extent_with(piece, last);
  if (next_row_ + extent.rows > std::numeric_limits<std::uint32_t>::max())
    return Error(ErrorCode::kInvalidArgument, "larger than an object can be");
  if (buffer_.size() < extent.filled) buffer_.resize(extent.filled);
  QUIETUS_TRY(
      keys_.with_scope(access_, wanted_, [&](const ScopeKeys& keys, const KeyCache::Use& use) {
        return seal_and_commit(keys, use, piece, extent);
      }));
  const ByteView carry = ByteView(buffer_).first(extent.filled).subspan(extent.written);
  std::copy(carry.begin(), carry.end(), buffer_.begin());
  carried_ = carry.size();
  next_chunk_ += extent.chunks;
  next_row_ += extent.rows;
  object_.size += piece.size();
  return {};
}

Result<void> ObjectWriter::seal_and_commit(const ScopeKeys& keys, const KeyCache::Use& use,
                                           ByteView piece, const Extent& extent) {
  QUIETUS_TRY(seal_piece(keys, use, piece, extent.chunks));
  QUIETUS_FAILPOINT("objects/before-rows");
  QUIETUS_TRY(store_.update([&](RecordWriter& writer) {
    return put_rows(writer, use, ByteView(buffer_).first(extent.written));
  }));
  use.set_committed();
  return {};
}

// May be run again for the same piece: it overwrites what it wrote, and the first piece begins a
// new object.
Result<void> ObjectWriter::seal_piece(const ScopeKeys& keys, const KeyCache::Use& use,
                                      ByteView piece, std::size_t chunks) {
  const Bytes context = object_context(keys_.vault_id(), scope_, object_.ref.id);
  const bool first = next_chunk_ == 0;
  if (!first && keys.generation != object_.generation) return key_replaced();
  QUIETUS_TRY_AS(const cobblestone::Object object,
                 first ? Result(cobblestone::Object::create(keys.records, context))
                       : keys.records.expose([&](ByteView key) {
                           return cobblestone::Object::open(key, context, object_.ref.header);
                         }));
  object_.ref.header = object.header();
  object_.generation = keys.generation;
  MutableBytes out = MutableBytes(buffer_).subspan(carried_);
  for (std::size_t i = 0; i < chunks; ++i) {
    const ByteView plaintext = piece.first(std::min(piece.size(), cobblestone::kChunkSize));
    const std::size_t sealed = plaintext.size() + kTagSize;
    object.seal_chunk(use.context(), next_chunk_ + i, plaintext, out.first(sealed));
    piece = piece.subspan(plaintext.size());
    out = out.subspan(sealed);
  }
  return {};
}

Result<void> ObjectWriter::put_rows(RecordWriter& writer, const KeyCache::Use& use,
                                    ByteView stream) {
  const ObjectId& id = object_.ref.id;
  QUIETUS_TRY(check_fence(writer, scope_, object_.generation, use));
  if (!use.current()) return key_replaced();  // with_scope() begins again
  QUIETUS_TRY(next_row_ == 0 ? announce_object(writer, scope_, id, token_)
                             : check_announced(writer, scope_, id, token_));
  QUIETUS_TRY(raise_fence(writer, scope_, object_.generation));
  for (auto number = static_cast<std::uint32_t>(next_row_); !stream.empty(); ++number) {
    const ByteView row = stream.first(std::min(stream.size(), kObjectRowSize));
    QUIETUS_TRY(writer.put({RecordTable::kChunks, scope_, ChunkKey(id, number).view()}, row));
    stream = stream.subspan(row.size());
  }
  return {};
}

}  // namespace quietus
