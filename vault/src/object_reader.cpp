#include <algorithm>

#include "crypto/precondition.hpp"
#include "object_context.hpp"
#include "object_store.hpp"

namespace quietus {
namespace {

using cobblestone::kChunkSize;
using cobblestone::kSealedChunkSize;

// The ciphertext of one object, as one snapshot shows it.
class CipherStream {
 public:
  CipherStream(RecordReader& reader, const StoredObject& object, ReadFrom from)
      : reader_(reader),
        object_(object),
        from_(from),
        size_(object.ref.sealed_size - cobblestone::kHeaderSize) {}

  // A sealed chunk: in place where it lies within one row, else pieced together. Valid until the
  // next call. kCorrupt.
  Result<ByteView> chunk(std::uint64_t index) {
    const std::uint64_t begin = index * kSealedChunkSize;
    const std::size_t size = std::min<std::uint64_t>(size_ - begin, kSealedChunkSize);
    QUIETUS_TRY_AS(const ByteView first, from_offset(begin));
    if (first.size() >= size && from_ == ReadFrom::kMap) return first.first(size);
    MutableBytes to = MutableBytes(assembled_).first(size);
    for (std::uint64_t offset = begin; !to.empty();) {
      QUIETUS_TRY_AS(const ByteView row, from_offset(offset));
      const ByteView part = row.first(std::min(row.size(), to.size()));
      std::ranges::copy(part, to.begin());
      to = to.subspan(part.size());
      offset += part.size();
    }
    return ByteView(assembled_).first(size);
  }

 private:
  // The rest of the row in which a byte of the stream lies.
  Result<ByteView> from_offset(std::uint64_t offset) {
    const auto number = static_cast<std::uint32_t>(offset / kObjectRowSize);
    if (row_.empty() || number != number_) QUIETUS_TRY(load(number));
    return row_.subspan(offset % kObjectRowSize);
  }

  Result<void> load(std::uint32_t number) {
    const ChunkKey key(object_.ref.id, number);
    QUIETUS_TRY_AS(const auto row, reader_.get({RecordTable::kChunks, object_.scope, key.view()}));
    if (!row) return Error(ErrorCode::kCorrupt, "object: a row is missing");
    const std::uint64_t begin = std::uint64_t{number} * kObjectRowSize;
    if (row->size() != std::min<std::uint64_t>(size_ - begin, kObjectRowSize))
      return Error(ErrorCode::kCorrupt, "object: a row of the wrong size");
    row_ = *row;
    number_ = number;
    return {};
  }

  RecordReader& reader_;
  const StoredObject& object_;
  ReadFrom from_;
  std::uint64_t size_;
  std::uint32_t number_ = 0;
  ByteView row_;
  std::array<std::uint8_t, kSealedChunkSize> assembled_{};
};

}  // namespace

ObjectReader::ObjectReader(KeyStore& keys, RecordStore& store, const StoredObject& object, How how)
    : keys_(keys),
      store_(store),
      object_(object),
      how_(how),
      chunks_(object.size / kChunkSize + 1) {}

std::uint64_t ObjectReader::group_end() const noexcept {
  return std::min<std::uint64_t>(chunks_, next_chunk_ + kGroupChunks);
}

std::size_t ObjectReader::next_size() const noexcept {
  const std::uint64_t end = std::min(object_.size, group_end() * kChunkSize);
  return static_cast<std::size_t>(end - next_chunk_ * kChunkSize);
}

Result<void> ObjectReader::next(MutableBytes out) {
  require(!done() && out.size() == next_size());
  const Bytes context = object_context(keys_.vault_id(), object_.scope, object_.ref.id);
  Result<void> opened = keys_.with_scope(
      {object_.scope, how_.by_exception}, how_.maintains ? KeyUse::kMaintain : KeyUse::kProcess,
      [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
        const GenerationKeys* of = keys.of_generation(object_.generation);
        if (of == nullptr)
          return store_.read([&](RecordReader& reader) { return explain_missing_key(reader); });
        QUIETUS_TRY_AS(const cobblestone::Object object, of->records.expose([&](ByteView key) {
          return cobblestone::Object::open(key, context, object_.ref.header);
        }));
        return store_.read([&](RecordReader& reader) -> Result<void> {
          QUIETUS_TRY(check_unchanged(reader));
          return open_group(reader, object, use.context(), out);
        });
      });
  if (opened)
    next_chunk_ = group_end();
  else
    wipe(out);
  return opened;
}

// As long as the record names the object its rows are there, in every snapshot.
Result<void> ObjectReader::check_unchanged(RecordReader& reader) const {
  QUIETUS_TRY_AS(const auto value, reader.get({RecordTable::kRecords, object_.scope, object_.row}));
  if (value) {
    QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(*value));
    if (record.version() == object_.version) return {};
  }
  return Error(ErrorCode::kChanged, "the object was replaced while it was read; read again");
}

// A key that is gone was replaced, and the object re-encrypted, or something is wrong.
Result<void> ObjectReader::explain_missing_key(RecordReader& reader) const {
  QUIETUS_TRY(check_unchanged(reader));
  return Error(ErrorCode::kCorrupt, "object: of a key generation that is gone");
}

Result<void> ObjectReader::open_group(RecordReader& reader, const cobblestone::Object& object,
                                      GcmContext& context, MutableBytes out) const {
  CipherStream stream(reader, object_, how_.from);
  for (std::uint64_t index = next_chunk_; index < group_end(); ++index) {
    QUIETUS_TRY_AS(const ByteView sealed, stream.chunk(index));
    const MutableBytes plaintext = out.first(sealed.size() - kTagSize);
    QUIETUS_TRY(object.open_chunk(context, index, sealed, plaintext));
    out = out.subspan(plaintext.size());
  }
  return {};
}

}  // namespace quietus
