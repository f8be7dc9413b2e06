// A record as it is stored, under the key scope id || PRF-128 of its name:
//
//   offset size
//        0    1  format version (1)
//        1    1  flags: bit 0 large object; the others are zero
//        2    4  generation of the scope's key
//        6    2  length of the metadata before sealing: m
//        8   24  nonce N: random, new with every write; also the version for compare-and-set
//       32 m+16  sealed metadata
//     48+m       sealed content: the content and a tag of 16; of a large object, nothing at all
//
// Both seals are XAES-256-GCM under the scope's record key: content under N, metadata under N with
// its last bit flipped. The key of a message depends on the first half of N alone, so it is derived
// once. Associated data of both:
//
//   label "quietus/v1/ad/record" || 00 || vault id 16 || scope id u64 || PRF-128 of the name ||
//   part u8 (0 content, 1 metadata) || the 32 bytes above
//
// Metadata: modified u64 (ms since 1970) || size u64 || name u16 + bytes || content type u8 +
// bytes; of a large object (object_store.hpp) also: object id 16 || sealed size u64 || Cobblestone
// header 56 || origin 24.
//
// When a scope's key is replaced, a record is sealed again under the same N: the key is another
// one, and what is sealed is the same. A large object gets a new id and header then, so it gets a
// new N, and its origin says under which N the content was first stored: callers know it by that
// one.
#pragma once

#include <quietus/scope.hpp>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/cobblestone.hpp"
#include "crypto/derive.hpp"
#include "names.hpp"

namespace quietus {

using ObjectId = std::array<std::uint8_t, 16>;  // random, never reused

inline constexpr std::size_t kRecordHeaderSize = 32;
// Larger values become large objects.
inline constexpr std::size_t kMaxInlineContent = std::size_t{256} * 1024;

// Where the content of a large object is, and what it must open with.
struct ObjectRef {
  ObjectId id{};
  std::uint64_t sealed_size = 0;  // Cobblestone header and chunks
  cobblestone::Header header{};
  Version origin{};  // of the record when this content was first stored
};

// Contents of the sealed metadata. The texts are borrowed.
struct RecordMetadata {
  UnixMillis modified = 0;
  std::uint64_t size = 0;  // of the content, in bytes
  std::string_view name;
  std::string_view content_type;
  std::optional<ObjectRef> object;
};

// What one scope's records of one key generation are sealed with. Borrowed for an operation.
struct RecordSeal {
  GcmContext& context;
  const RecordKey& key;
  std::uint32_t generation;
  const VaultId& vault;
  ScopeId scope;
};

// Bytes of the stored form; `inline_size` bytes of content beside the metadata unless it is an
// object.
std::size_t stored_record_size(const RecordMetadata& metadata, std::size_t inline_size);

// Writes the stored form. `version` is random and used for nothing else. Requires: name and content
// type within their limits, at most kMaxGcmPlaintext bytes of content and none with an object;
// out.size() == stored_record_size(...).
void seal_record(const RecordSeal& seal, const Prf128& row, const Version& version,
                 const RecordMetadata& metadata, ByteView content, MutableBytes out);

// Room for opened metadata, wiped at the end of its life.
inline constexpr std::size_t kMaxMetadata = 8 + 8 + 2 + kMaxRecordName + 1 + kMaxContentType + 16 +
                                            8 + cobblestone::kHeaderSize + sizeof(Version);
using MetadataRoom = StackSecret<kMaxMetadata>;

// A stored record, taken apart. The header is copied; the rest is borrowed.
class StoredRecord {
 public:
  // kCorrupt. Nothing is authenticated yet.
  static Result<StoredRecord> parse(ByteView value);

  bool is_object() const noexcept;
  std::uint32_t generation() const noexcept;
  Version version() const noexcept;
  std::size_t inline_size() const noexcept;  // of the content; 0 for an object

 private:
  friend class RecordOpener;
  std::array<std::uint8_t, kRecordHeaderSize> header_{};
  ByteView sealed_metadata_;
  ByteView sealed_content_;
};

// What callers know a record by.
inline Version public_version(const RecordMetadata& metadata, const StoredRecord& record) {
  return metadata.object ? metadata.object->origin : record.version();
}

// Opens the parts of one record.
class RecordOpener {
 public:
  // Borrows both. Requires: record.generation() == seal.generation.
  RecordOpener(const RecordSeal& seal, const Prf128& row, const StoredRecord& record);

  // kCorrupt; `out` is zero then. Requires: not an object, out.size() == record.inline_size().
  Result<void> open_content(MutableBytes out);
  // The texts lie in `room`. kCorrupt.
  Result<RecordMetadata> open_metadata(MetadataRoom& room);

 private:
  GcmContext& context_;
  const StoredRecord& record_;
  Prf128 row_;
  const VaultId& vault_;
  ScopeId scope_;
  XaesSubkey subkey_;
};

}  // namespace quietus
