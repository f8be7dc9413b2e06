// Large objects: contents of any size, sealed as C2SP chunked encryption (cobblestone.hpp) under
// the scope's record key, in rows of their own that the record's metadata refers to.
//
//   context     = label "quietus/v1/object" || 00 || vault id 16 || scope id u64 || object id 16
//   ciphertext  = the chunks one after the other, cut into rows (object_rows.hpp); the 56 bytes of
//                 header are in the record's metadata and not here
//
// Memory is constant. Keys are taken for one piece at a time, so that an erasure never waits for a
// stream; no transaction is open while the caller delivers or takes a piece.
#pragma once

#include "keys/key_store.hpp"
#include "object_rows.hpp"

namespace quietus {

// One piece is written in one transaction: as many chunks as 63 rows hold, so that with what was
// left over from the piece before it never needs more than 64.
inline constexpr std::size_t kObjectPieceChunks =
    (kObjectRowsPerTransaction - 1) * kObjectRowSize / cobblestone::kSealedChunkSize;
inline constexpr std::size_t kObjectPieceSize = kObjectPieceChunks * cobblestone::kChunkSize;

// An object that is written and that no record names yet.
struct WrittenObject {
  ObjectRef ref;
  std::uint64_t size = 0;        // of the content
  std::uint32_t generation = 0;  // of the key it is sealed under
};

class ObjectWriter {
 public:
  // `keys` and `store` are borrowed for its life.
  ObjectWriter(KeyStore& keys, RecordStore& store, const ScopeAccess& access,
               const WriterToken& token, KeyUse wanted = KeyUse::kProtect);

  // Writes one object of what `next` delivers: views of kObjectPieceSize bytes, valid until the
  // next call; the first shorter one, which may be empty, is the last. Durable on return. After an
  // error nothing is left behind that sweep_garbage() would not remove. Errors of `next`,
  // KeyStore::with_scope, RecordStore::update, check_fence and check_announced.
  using Pieces = FunctionRef<Result<ByteView>()>;
  Result<WrittenObject> write(Pieces next);

 private:
  // What one more piece makes of the stream.
  struct Extent {
    std::size_t chunks = 0;
    std::size_t filled = 0;   // bytes of buffer_
    std::size_t rows = 0;     // that are full, and at the end the last one
    std::size_t written = 0;  // bytes in them
  };
  Extent extent_with(ByteView piece, bool last) const noexcept;
  Result<void> write_all(Pieces next);
  Result<void> write_piece(ByteView piece, bool last);
  Result<void> seal_and_commit(const ScopeKeys& keys, const KeyCache::Use& use, ByteView piece,
                               const Extent& extent);
  Result<void> seal_piece(const ScopeKeys& keys, const KeyCache::Use& use, ByteView piece,
                          std::size_t chunks);
  Result<void> put_rows(RecordWriter& writer, const KeyCache::Use& use, ByteView stream);

  KeyStore& keys_;
  RecordStore& store_;
  ScopeAccess access_;
  ScopeId scope_;
  KeyUse wanted_;  // kProtect for a caller's content, kMaintain to re-encrypt
  WriterToken token_;
  WrittenObject object_;
  std::uint64_t next_chunk_ = 0;
  std::uint64_t next_row_ = 0;
  std::size_t carried_ = 0;  // bytes at the front of buffer_ that did not fill a row
  Bytes buffer_;             // ciphertext
};

// An object that a record names.
struct StoredObject {
  ScopeId scope = 0;
  Prf128 row{};  // of the record
  Version version{};
  std::uint32_t generation = 0;
  std::uint64_t size = 0;
  ObjectRef ref;
};

// What a reader works on. kCopied protects a check against somebody who rewrites the file
// meanwhile.
enum class ReadFrom { kMap, kCopied };

// Opens an object group by group. kChanged once the record names something else.
class ObjectReader {
 public:
  static constexpr std::size_t kGroupChunks = 64;
  static constexpr std::size_t kGroupSize = kGroupChunks * cobblestone::kChunkSize;

  // What for, and how. `maintains`: nothing of it leaves the library.
  struct How {
    bool by_exception = false;
    bool maintains = false;
    ReadFrom from = ReadFrom::kMap;
  };
  // All borrowed for its life.
  ObjectReader(KeyStore& keys, RecordStore& store, const StoredObject& object, How how);

  bool done() const noexcept { return next_chunk_ == chunks_; }
  // Where the next group begins, in chunks, and going on from where another reader of the same
  // content was.
  std::uint64_t next_chunk() const noexcept { return next_chunk_; }
  void skip_to(std::uint64_t chunk) noexcept { next_chunk_ = chunk; }
  // Bytes of content in the next group, at most kGroupSize; may be 0 in the last one.
  std::size_t next_size() const noexcept;
  // Requires: !done(), out.size() == next_size(). After an error `out` is zero, and the same group
  // may be tried again.
  Result<void> next(MutableBytes out);

 private:
  Result<void> check_unchanged(RecordReader& reader) const;
  Result<void> explain_missing_key(RecordReader& reader) const;
  Result<void> open_group(RecordReader& reader, const cobblestone::Object& object,
                          GcmContext& context, MutableBytes out) const;
  std::uint64_t group_end() const noexcept;

  KeyStore& keys_;
  RecordStore& store_;
  const StoredObject& object_;
  How how_;
  std::uint64_t chunks_;
  std::uint64_t next_chunk_ = 0;
};

}  // namespace quietus
