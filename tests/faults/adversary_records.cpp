// What the adversary does with the record store, and with keys that were made for something else.
#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/cobblestone.hpp"
#include "crypto/key_wrap.hpp"
#include "faults/adversary.hpp"
#include "faults/adversary_keys.hpp"
#include "keys/row_codec.hpp"

namespace quietus::test {
namespace {

// The key by which one record was sealed (format.md 6.1).
RawKey message_key(GcmContext& context, const RawKey& record_key, const Version& version) {
  XaesSubkey subkey;
  xaes_derive(context, record_key, std::span(version).first<12>(), subkey);
  return raw(ByteView(subkey.key.bytes()));
}

// Puts the rows of a large object together (format.md 6.2).
class ChunkStream {
 public:
  ChunkStream(const cobblestone::Object& object, GcmContext& context, std::uint64_t sealed_size)
      : object_(object), context_(context), left_(sealed_size) {}

  bool done() const noexcept { return left_ == 0; }
  Bytes take() noexcept { return std::move(content_); }

  // Takes the next row if the chunks that it completes open.
  bool accept(ByteView row) {
    Bytes sealed = pending_;
    sealed.insert(sealed.end(), row.begin(), row.end());
    Bytes content;
    std::uint64_t left = left_;
    std::uint64_t chunk = next_chunk_;
    std::size_t at = 0;
    for (std::size_t size = next_size(left); left > 0 && at + size <= sealed.size();
         size = next_size(left)) {
      content.resize(content.size() + size - kTagSize);
      if (!object_.open_chunk(context_, chunk++, ByteView(sealed).subspan(at, size),
                              MutableBytes(content).last(size - kTagSize)))
        return false;
      at += size;
      left -= size;
    }
    pending_.assign(sealed.begin() + static_cast<std::ptrdiff_t>(at), sealed.end());
    content_.insert(content_.end(), content.begin(), content.end());
    left_ = left;
    next_chunk_ = chunk;
    return true;
  }

 private:
  static std::size_t next_size(std::uint64_t left) {
    return std::min<std::uint64_t>(left, cobblestone::kSealedChunkSize);
  }

  const cobblestone::Object& object_;
  GcmContext& context_;
  std::uint64_t left_;  // sealed bytes that are not opened yet
  std::uint64_t next_chunk_ = 0;
  Bytes pending_;
  Bytes content_;
};

}  // namespace

void Adversary::open_records() {
  for (const auto& [key, values] : record_rows_) {
    if (key.size() != 8 + 16) continue;
    ByteReader in(key);
    const ScopeId scope = in.u64();
    const Prf128 row = in.array<16>();
    for (const Bytes& value : values) open_record(scope, row, value);
  }
}

void Adversary::open_record(ScopeId scope, const Prf128& row, ByteView value) {
  const auto known = scopes_.find(scope);
  const auto record = StoredRecord::parse(value);
  if (known == scopes_.end() || !record) return;
  for (const ScopeSecret& secret : known->second) {
    const RawKey record_key = expanded(secret.key, edges::kRecords.label);
    const RecordKey sealing = made<RecordKey>(record_key);
    const RecordSeal seal{*context_, sealing, record->generation(), loot_.vault, scope};
    RecordOpener opener(seal, row, *record);
    MetadataRoom room;
    const auto metadata = opener.open_metadata(room);
    if (!metadata) continue;
    message_keys_[scope].insert(message_key(*context_, record_key, record->version()));
    if (metadata->object) {
      open_object(scope, record_key, *metadata);
      continue;
    }
    Bytes content(record->inline_size());
    if (opener.open_content(content))
      opened_.insert({scope, std::string(metadata->name), std::move(content)});
  }
}

// A page may have held rows of several objects, so each of its contents is tried.
void Adversary::open_object(ScopeId scope, const RawKey& record_key,
                            const RecordMetadata& metadata) {
  const ObjectRef& ref = *metadata.object;
  ByteWriter bound;
  bound.raw(as_bytes(labels::kObject)).u8(0).raw(loot_.vault).u64(scope).raw(ref.id);
  const auto object = cobblestone::Object::open(record_key, bound.view(), ref.header);
  if (!object) return;
  ChunkStream stream(*object, *context_, ref.sealed_size - cobblestone::kHeaderSize);
  for (std::uint32_t number = 0; !stream.done(); ++number) {
    const auto row = record_rows_.find(ByteWriter().u64(scope).raw(ref.id).u32(number).take());
    if (row == record_rows_.end()) return;
    if (std::none_of(row->second.begin(), row->second.end(),
                     [&](const Bytes& value) { return stream.accept(value); }))
      return;
  }
  opened_.insert({scope, std::string(metadata.name), stream.take()});
}

std::size_t Adversary::opened_by(const RawKey& key, ScopeId scope) const {
  std::size_t opened = 0;
  for (const char table : {'I', 'U'}) {
    const auto number = static_cast<std::uint8_t>(table);
    const auto first = control_rows_.lower_bound(ByteWriter().u8(number).u64(scope).take());
    const auto last = control_rows_.lower_bound(ByteWriter().u8(number).u64(scope + 1).take());
    for (auto row = first; row != last; ++row)
      for (const Bytes& value : row->second) opened += opens_row(key, row->first, value) ? 1 : 0;
  }
  const auto first = record_rows_.lower_bound(ByteWriter().u64(scope).take());
  const auto last = record_rows_.lower_bound(ByteWriter().u64(scope + 1).take());
  const RecordKey sealing = made<RecordKey>(key);
  for (auto row = first; row != last; ++row)
    for (const Bytes& value : row->second) {
      const auto record = StoredRecord::parse(value);
      if (row->first.size() != 8 + 16 || !record) continue;
      Prf128 name{};
      std::copy_n(row->first.begin() + 8, name.size(), name.begin());
      RecordOpener opener({*context_, sealing, record->generation(), loot_.vault, scope}, name,
                          *record);
      MetadataRoom room;
      opened += opener.open_metadata(room) ? 1 : 0;
    }
  return opened;
}

std::size_t Adversary::brute_force(ScopeId scope) const {
  std::size_t opened = 0;
  const auto versions = key_rows_.find(scope);
  for (const RawKey& key : all_secrets()) {
    opened += opened_by(key, scope);
    if (versions == key_rows_.end()) continue;
    for (const Bytes& version : versions->second) {
      KeyRow row = codec::decode_key_row(version).value_or(KeyRow{});
      row.id = scope;
      for (const KeyRecord& record : row.keys) {
        const Bytes data = labelled(labels::kWrapData, binding(loot_.vault, row, record));
        if (record.wrapped.size() == kWrappedKeySize &&
            unwrap_key<ScopeRole>(*context_, made<WrapKey>(key), data, record.wrapped))
          ++opened;
      }
    }
  }
  return opened;
}

}  // namespace quietus::test
