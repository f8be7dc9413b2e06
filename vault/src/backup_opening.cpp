#include "backup_opening.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "object_context.hpp"
#include "record_keys.hpp"

namespace quietus {
namespace {

using cobblestone::kChunkSize;
using cobblestone::kSealedChunkSize;

// One page of records is held at a time: at most so many, or about so many bytes.
constexpr std::size_t kHeldRecords = 256;
constexpr std::size_t kHeldBytes = std::size_t{4} << 20;
// Ciphertext of an object that is opened at a time.
constexpr std::size_t kSealedBytes = std::size_t{1} << 20;
// Large objects whose rows come later are remembered, about 250 bytes each.
constexpr std::size_t kExpectedObjects = 200'000;
constexpr std::size_t kToldDamages = 100;

std::uint64_t stream_size(const StoredObject& object) {
  return object.ref.sealed_size - cobblestone::kHeaderSize;
}

Error object_error(const char* what) {
  return {ErrorCode::kCorrupt, std::string("object: ") + what};
}

}  // namespace

BackupOpening::BackupOpening(KeyStore& keys, OpenedBackup& report)
    : keys_(keys), report_(report), plaintext_(kChunkSize) {}

Result<void> BackupOpening::add(const BackupReader::Row& row) {
  if (row.table == RecordTable::kChunks) {
    QUIETUS_TRY(flush_records());
    return add_chunk(row);
  }
  if (row.table != RecordTable::kRecords) return {};
  if (row.scope != scope_) QUIETUS_TRY(flush_records());
  scope_ = row.scope;
  ++report_.records;
  held_.push_back(
      {Bytes(row.key.begin(), row.key.end()), Bytes(row.value.begin(), row.value.end())});
  held_bytes_ += row.value.size();
  return held_.size() < kHeldRecords && held_bytes_ < kHeldBytes ? Result<void>() : flush_records();
}

Result<void> BackupOpening::finish() {
  QUIETUS_TRY(flush_records());
  QUIETUS_TRY(end_stream());
  for (const auto& [place, object] : expected_)
    note_damage(object.scope, object.row, object_error("its rows are missing"));
  return {};
}

Result<void> BackupOpening::flush_records() {
  if (held_.empty()) return {};
  Findings found;
  Result<void> looked =
      keys_.with_scope(scope_, KeyUse::kMaintain,
                       [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
                         found = {};
                         for (const HeldRow& row : held_) look_at_record(keys, use, row, found);
                         return {};
                       });
  if (looked)
    take_over(std::move(found));
  else if (looked.error().code() == ErrorCode::kErased)
    report_.erased += held_.size();
  else if (looked.error().code() == ErrorCode::kNotFound ||
           looked.error().code() == ErrorCode::kCorrupt)
    report_.missing += held_.size();
  else
    return looked;
  held_.clear();
  held_bytes_ = 0;
  return {};
}

void BackupOpening::take_over(Findings found) {
  report_.opened += found.opened;
  report_.bytes += found.bytes;
  report_.purged += found.purged;
  report_.missing += found.missing;
  report_.damaged += found.damages.size();
  for (Damage& damage : found.damages)
    if (report_.damages.size() < kToldDamages) report_.damages.push_back(std::move(damage));
  for (const StoredObject& object : found.objects) {
    if (expected_.size() < kExpectedObjects)
      expected_.emplace(Place{object.scope, object.ref.id}, object);
    else
      ++report_.contents_not_opened;
  }
}

void BackupOpening::look_at_record(const ScopeKeys& keys, const KeyCache::Use& use,
                                   const HeldRow& row, Findings& found) const {
  const Result<void> opened = open_record(keys, use, row, found);
  if (!opened)
    found.damages.push_back(
        {"scope " + hex_id(scope_) + ", row " + to_hex(row.key), opened.error().context()});
}

Result<void> BackupOpening::open_record(const ScopeKeys& keys, const KeyCache::Use& use,
                                        const HeldRow& held, Findings& found) const {
  Prf128 row{};
  if (held.key.size() != row.size()) return Error(ErrorCode::kCorrupt, "record: malformed key");
  std::ranges::copy(held.key, row.begin());
  QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(held.value));
  const auto seal = seal_of_generation(keys_.vault_id(), keys, use, record.generation());
  if (!seal) {
    ++(record.generation() > keys.generation ? found.missing : found.purged);
    return {};
  }
  RecordOpener opener(*seal, row, record);
  MetadataRoom room;
  QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
  const GenerationKeys& of = *keys.of_generation(record.generation());
  if (prf128(of.names, as_bytes(metadata.name)) != row)
    return Error(ErrorCode::kCorrupt, "record: under another record's key");
  if (metadata.object) {
    found.objects.push_back(
        {scope_, row, record.version(), record.generation(), metadata.size, *metadata.object});
    return {};
  }
  PlaintextBuffer content(record.inline_size());
  QUIETUS_TRY(opener.open_content(content.bytes()));
  ++found.opened;
  found.bytes += content.size();
  return {};
}

Result<void> BackupOpening::add_chunk(const BackupReader::Row& row) {
  const auto key = ChunkRow::parse(row.key);
  if (!key) {
    note_damage(row.scope, row.key, key.error());
    return {};
  }
  const Place place{row.scope, key->object};
  if (!stream_ || stream_->object.scope != row.scope || stream_->object.ref.id != key->object) {
    QUIETUS_TRY(end_stream());
    const auto expected = expected_.find(place);
    if (expected == expected_.end()) return {};  // of nothing that opened
    Stream begun;
    begun.object = expected->second;
    stream_.emplace(begun);
    expected_.erase(expected);
  }
  if (stream_->broken) return {};
  const std::uint64_t rest = stream_size(stream_->object) - stream_->received;
  if (key->number != stream_->next_row ||
      row.value.size() != std::min<std::uint64_t>(rest, kObjectRowSize) || rest == 0)
    return note_stream(object_error("a row is missing or of the wrong size"));
  ++stream_->next_row;
  stream_->received += row.value.size();
  sealed_.insert(sealed_.end(), row.value.begin(), row.value.end());
  return sealed_.size() < kSealedBytes ? Result<void>() : flush_stream();
}

Result<void> BackupOpening::end_stream() {
  if (!stream_) return {};
  if (!stream_->broken) QUIETUS_TRY(flush_stream());
  if (!stream_->broken && stream_->received < stream_size(stream_->object))
    QUIETUS_TRY(note_stream(object_error("its last rows are missing")));
  if (!stream_->broken) {
    ++report_.opened;
    report_.bytes += stream_->object.size;
  }
  stream_.reset();
  sealed_.clear();
  return {};
}

std::size_t BackupOpening::whole_chunks() const {
  if (stream_->received == stream_size(stream_->object)) return sealed_.size();
  return sealed_.size() - sealed_.size() % kSealedChunkSize;
}

Result<void> BackupOpening::flush_stream() {
  const std::size_t size = whole_chunks();
  const Result<void> opened =
      keys_.with_scope(stream_->object.scope, KeyUse::kMaintain,
                       [&](const ScopeKeys& keys, const KeyCache::Use& use) {
                         return open_chunks(keys, use, size);
                       });
  wipe(plaintext_.bytes());
  if (!opened) return note_stream(opened.error());
  stream_->next_chunk += size / kSealedChunkSize;
  sealed_.erase(sealed_.begin(), sealed_.begin() + static_cast<std::ptrdiff_t>(size));
  return {};
}

// May run twice, so it changes nothing.
Result<void> BackupOpening::open_chunks(const ScopeKeys& keys, const KeyCache::Use& use,
                                        std::size_t size) {
  const StoredObject& object = stream_->object;
  const GenerationKeys* of = keys.of_generation(object.generation);
  if (of == nullptr) return Error(ErrorCode::kChanged, "object: its key was destroyed meanwhile");
  const Bytes context = object_context(keys_.vault_id(), object.scope, object.ref.id);
  QUIETUS_TRY_AS(const cobblestone::Object opener, of->records.expose([&](ByteView key) {
    return cobblestone::Object::open(key, context, object.ref.header);
  }));
  ByteView rest = ByteView(sealed_).first(size);
  for (std::uint64_t chunk = stream_->next_chunk; !rest.empty(); ++chunk) {
    const ByteView sealed = rest.first(std::min(rest.size(), kSealedChunkSize));
    if (sealed.size() < kTagSize) return object_error("a chunk of the wrong size");
    const MutableBytes to = plaintext_.bytes().first(sealed.size() - kTagSize);
    QUIETUS_TRY(opener.open_chunk(use.context(), chunk, sealed, to));
    rest = rest.subspan(sealed.size());
  }
  return {};
}

// Nothing more of the object is opened.
Result<void> BackupOpening::note_stream(const Error& error) {
  stream_->broken = true;
  sealed_.clear();
  switch (error.code()) {
    case ErrorCode::kErased: ++report_.erased; return {};
    case ErrorCode::kChanged: ++report_.purged; return {};
    case ErrorCode::kCorrupt:
      note_damage(stream_->object.scope, stream_->object.row, error);
      return {};
    default: return error;
  }
}

void BackupOpening::note_damage(ScopeId scope, ByteView row, const Error& error) {
  ++report_.damaged;
  if (report_.damages.size() < kToldDamages)
    report_.damages.push_back({"scope " + hex_id(scope) + ", row " + to_hex(row), error.context()});
}

}  // namespace quietus
