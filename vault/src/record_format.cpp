#include "record_format.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "crypto/precondition.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kObjectFlag = 1;
constexpr std::size_t kNonceOffset = 8;
constexpr std::size_t kObjectRefSize = 16 + 8 + cobblestone::kHeaderSize + sizeof(Version);
static_assert(kNonceOffset + kXaesNonceSize == kRecordHeaderSize);
static_assert(kMaxMetadata <= 0xFFFF);

using HeaderBytes = std::span<const std::uint8_t, kRecordHeaderSize>;

// Numbers reach the disk, in the associated data.
enum class Part : std::uint8_t { kContent = 0, kMetadata = 1 };

// Writes into memory that is large enough, big-endian as ByteWriter does: metadata is laid out
// where it is then sealed, so that no copy of a name stays behind.
class Filler {
 public:
  explicit Filler(MutableBytes to) noexcept : rest_(to) {}

  Filler& number(std::uint64_t value, std::size_t width) {
    require(width <= rest_.size());
    for (std::size_t i = 0; i < width; ++i)
      rest_[i] = static_cast<std::uint8_t>(value >> 8 * (width - 1 - i));
    rest_ = rest_.subspan(width);
    return *this;
  }
  Filler& raw(ByteView bytes) {
    require(bytes.size() <= rest_.size());
    std::ranges::copy(bytes, rest_.begin());
    rest_ = rest_.subspan(bytes.size());
    return *this;
  }
  bool full() const noexcept { return rest_.empty(); }

 private:
  MutableBytes rest_;
};

constexpr std::size_t kAssociatedSize =
    labels::kRecordData.size() + 1 + 16 + 8 + 16 + 1 + kRecordHeaderSize;
using AssociatedData = std::array<std::uint8_t, kAssociatedSize>;

struct Place {
  const VaultId& vault;
  ScopeId scope;
  const Prf128& row;
};

AssociatedData associated_data(const Place& place, Part part, HeaderBytes header) {
  AssociatedData data{};
  Filler filler(data);
  filler.raw(as_bytes(labels::kRecordData)).number(0, 1).raw(place.vault).number(place.scope, 8);
  filler.raw(place.row).number(static_cast<std::uint8_t>(part), 1).raw(header);
  require(filler.full());
  return data;
}

using GcmNonce = std::array<std::uint8_t, kGcmNonceSize>;

GcmNonce nonce_of(Part part, HeaderBytes header) {
  GcmNonce nonce{};
  std::ranges::copy(header.last<kGcmNonceSize>(), nonce.begin());
  if (part == Part::kMetadata) nonce.back() ^= 1;
  return nonce;
}

void derive_subkey(GcmContext& context, const RecordKey& key, HeaderBytes header, XaesSubkey& out) {
  key.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    xaes_derive(context, bytes, header.subspan<kNonceOffset, 12>(), out);
  });
}

std::size_t metadata_size(const RecordMetadata& metadata) {
  return 8 + 8 + 2 + metadata.name.size() + 1 + metadata.content_type.size() +
         (metadata.object ? kObjectRefSize : 0);
}

void write_metadata(const RecordMetadata& metadata, MutableBytes to) {
  Filler filler(to);
  filler.number(static_cast<std::uint64_t>(metadata.modified), 8).number(metadata.size, 8);
  filler.number(metadata.name.size(), 2).raw(as_bytes(metadata.name));
  filler.number(metadata.content_type.size(), 1).raw(as_bytes(metadata.content_type));
  if (metadata.object)
    filler.raw(metadata.object->id)
        .number(metadata.object->sealed_size, 8)
        .raw(metadata.object->header)
        .raw(metadata.object->origin);
  require(filler.full());
}

Error malformed() {
  return {ErrorCode::kCorrupt, "record: malformed"};
}

Result<RecordMetadata> parse_metadata(ByteView plaintext, bool is_object) {
  ByteReader in(plaintext);
  RecordMetadata metadata;
  metadata.modified = static_cast<UnixMillis>(in.u64());
  metadata.size = in.u64();
  metadata.name = as_text(in.raw(in.u16()));
  metadata.content_type = as_text(in.raw(in.u8()));
  if (is_object) {
    ObjectRef object;
    object.id = in.array<16>();
    object.sealed_size = in.u64();
    object.header = in.array<cobblestone::kHeaderSize>();
    object.origin = in.array<sizeof(Version)>();
    metadata.object = object;
  }
  if (!in.done()) return malformed();
  return metadata;
}

// The sizes that are said in several places agree.
Result<void> check_sizes(const RecordMetadata& metadata, const StoredRecord& record) {
  std::uint64_t size = record.inline_size();
  if (metadata.object) {
    QUIETUS_TRY_AS(size, cobblestone::plaintext_size(metadata.object->sealed_size));
  }
  if (size != metadata.size) return malformed();
  return {};
}

}  // namespace

std::size_t stored_record_size(const RecordMetadata& metadata, std::size_t inline_size) {
  const std::size_t content = metadata.object ? 0 : inline_size + kTagSize;
  return kRecordHeaderSize + metadata_size(metadata) + kTagSize + content;
}

void seal_record(const RecordSeal& seal, const Prf128& row, const Version& version,
                 const RecordMetadata& metadata, ByteView content, MutableBytes out) {
  const std::size_t plain = metadata_size(metadata);
  require(plain <= kMaxMetadata && out.size() == stored_record_size(metadata, content.size()));
  Filler(out)
      .number(kVersion, 1)
      .number(metadata.object ? kObjectFlag : 0, 1)
      .number(seal.generation, 4)
      .number(plain, 2)
      .raw(version);
  const HeaderBytes header = out.first<kRecordHeaderSize>();
  XaesSubkey subkey;
  derive_subkey(seal.context, seal.key, header, subkey);
  const Place place{seal.vault, seal.scope, row};
  const auto seal_part = [&](Part part, ByteView plaintext, MutableBytes to) {
    seal.context.seal(subkey.key.bytes(), nonce_of(part, header),
                      associated_data(place, part, header), plaintext, to);
  };
  const MutableBytes sealed_metadata = out.subspan(kRecordHeaderSize, plain + kTagSize);
  write_metadata(metadata, sealed_metadata.first(plain));
  seal_part(Part::kMetadata, sealed_metadata.first(plain), sealed_metadata);
  if (!metadata.object)
    seal_part(Part::kContent, content, out.subspan(kRecordHeaderSize + plain + kTagSize));
}

Result<StoredRecord> StoredRecord::parse(ByteView value) {
  if (value.size() < kRecordHeaderSize) return malformed();
  StoredRecord record;
  std::copy_n(value.begin(), kRecordHeaderSize, record.header_.begin());
  ByteReader in(record.header_);
  const std::uint8_t version = in.u8();
  const std::uint8_t flags = in.u8();
  in.u32();
  const std::size_t metadata = in.u16() + kTagSize;
  const ByteView rest = value.subspan(kRecordHeaderSize);
  if (version != kVersion || flags > kObjectFlag || metadata > kMaxMetadata + kTagSize ||
      metadata > rest.size())
    return malformed();
  record.sealed_metadata_ = rest.first(metadata);
  record.sealed_content_ = rest.subspan(metadata);
  const bool fits = record.is_object() ? record.sealed_content_.empty()
                                       : record.sealed_content_.size() >= kTagSize;
  if (!fits) return malformed();
  return record;
}

bool StoredRecord::is_object() const noexcept {
  return header_[1] == kObjectFlag;
}

std::uint32_t StoredRecord::generation() const noexcept {
  return ByteReader(ByteView(header_).subspan(2)).u32();
}

Version StoredRecord::version() const noexcept {
  Version version{};
  std::copy_n(header_.begin() + kNonceOffset, version.size(), version.begin());
  return version;
}

std::size_t StoredRecord::inline_size() const noexcept {
  return is_object() ? 0 : sealed_content_.size() - kTagSize;
}

RecordOpener::RecordOpener(const RecordSeal& seal, const Prf128& row, const StoredRecord& record)
    : context_(seal.context), record_(record), row_(row), vault_(seal.vault), scope_(seal.scope) {
  derive_subkey(seal.context, seal.key, record.header_, subkey_);
}

Result<void> RecordOpener::open_content(MutableBytes out) {
  const HeaderBytes header(record_.header_);
  return context_.open(subkey_.key.bytes(), nonce_of(Part::kContent, header),
                       associated_data({vault_, scope_, row_}, Part::kContent, header),
                       record_.sealed_content_, out);
}

Result<RecordMetadata> RecordOpener::open_metadata(MetadataRoom& room) {
  const HeaderBytes header(record_.header_);
  const MutableBytes out = room.bytes().first(record_.sealed_metadata_.size() - kTagSize);
  QUIETUS_TRY(context_.open(subkey_.key.bytes(), nonce_of(Part::kMetadata, header),
                            associated_data({vault_, scope_, row_}, Part::kMetadata, header),
                            record_.sealed_metadata_, out));
  QUIETUS_TRY_AS(const RecordMetadata metadata, parse_metadata(out, record_.is_object()));
  QUIETUS_TRY(check_sizes(metadata, record_));
  return metadata;
}

}  // namespace quietus
