#include <algorithm>

#include "plaintext_buffer.hpp"
#include "record_fence.hpp"
#include "record_keys.hpp"
#include "records.hpp"

namespace quietus {
namespace {

constexpr int kMaxReadTries = 16;  // of reading an object that keeps being replaced

Error misplaced() {
  return {ErrorCode::kCorrupt, "record: under another record's key"};
}

// Room for `size` bytes, wiping what a smaller one held.
Result<MutableBytes> make_room(Bytes& bytes, std::uint64_t size) {
  if (size > bytes.max_size())
    return Error(ErrorCode::kUnsupported, "larger than this machine's memory can be");
  if (size > bytes.capacity()) {
    wipe(bytes);
    bytes = Bytes();
  }
  bytes.resize(static_cast<std::size_t>(size));
  return MutableBytes(bytes);
}

}  // namespace

Result<bool> Records::open_record(const ScopeAccess& scope, std::string_view name, Open open) {
  QUIETUS_TRY(validate_record_name(name));
  bool found = false;
  const auto look = [&](const ScopeKeys& keys, const KeyCache::Use& use) {
    Prf128 row = prf128(keys.names, as_bytes(name));
    return store_.read([&](RecordReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(auto value, reader.get({RecordTable::kRecords, keys.id, row}));
      // While the scope's key is being replaced, it may lie under its name of an older one.
      for (std::size_t i = 0; i < keys.older.size() && !value; ++i) {
        row = prf128(keys.older[i].names, as_bytes(name));
        QUIETUS_TRY_AS(value, reader.get({RecordTable::kRecords, keys.id, row}));
      }
      found = value.has_value();
      if (found) return open_row(*value, row, {keys, use}, open);
      return check_fence(reader, keys.id, keys.generation, use);
    });
  };
  QUIETUS_TRY(keys_.with_scope(scope, KeyUse::kProcess, look));
  return found;
}

Result<void> Records::open_row(ByteView value, const Prf128& row, const HeldKeys& held, Open open) {
  QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
  QUIETUS_TRY_AS(const RecordSeal seal,
                 seal_of_generation(keys_.vault_id(), held.keys, held.use, record.generation()));
  RecordOpener opener(seal, row, record);
  return open(record, row, opener);
}

Result<std::optional<RecordInfo>> Records::stat(const ScopeAccess& scope, std::string_view name) {
  RecordInfo info;
  QUIETUS_TRY_AS(
      const bool found,
      open_record(
          scope, name,
          [&](const StoredRecord& record, const Prf128&, RecordOpener& opener) -> Result<void> {
            MetadataRoom room;
            QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
            if (metadata.name != name) return misplaced();
            fill_info(metadata, public_version(metadata, record), info);
            return {};
          }));
  if (!found) return std::optional<RecordInfo>();
  return std::optional(std::move(info));
}

// Opens an inline content; of a large object, says where it is.
Result<Records::Content> Records::find_content(const ScopeAccess& scope, std::string_view name,
                                               Room room_for_inline) {
  Content content;
  QUIETUS_TRY_AS(
      const bool found,
      open_record(
          scope, name,
          [&](const StoredRecord& record, const Prf128& row, RecordOpener& opener) -> Result<void> {
            if (!record.is_object()) {
              content.kind = Content::Kind::kInline;
              QUIETUS_TRY_AS(const MutableBytes out, room_for_inline(record.inline_size()));
              return opener.open_content(out);
            }
            MetadataRoom room;
            QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
            if (metadata.name != name) return misplaced();
            content.kind = Content::Kind::kObject;
            content.object = {scope.scope,         row,           record.version(),
                              record.generation(), metadata.size, *metadata.object};
            return {};
          }));
  if (!found) content.kind = Content::Kind::kNone;
  return content;
}

Result<bool> Records::fetch_once(const ScopeAccess& scope, std::string_view name, Room room) {
  QUIETUS_TRY_AS(const Content content, find_content(scope, name, room));
  if (content.kind == Content::Kind::kNone) return false;
  if (content.kind == Content::Kind::kInline) return true;
  QUIETUS_TRY_AS(MutableBytes rest, room(content.object.size));
  for (ObjectReader reader(keys_, store_, content.object, {scope.by_exception}); !reader.done();) {
    const std::size_t size = reader.next_size();
    QUIETUS_TRY(reader.next(rest.first(size)));
    rest = rest.subspan(size);
  }
  return true;
}

// A content as a whole; false when there is no such record. What `room` gave may hold a part of it
// after an error.
Result<bool> Records::fetch(const ScopeAccess& scope, std::string_view name, Room room) {
  for (int tries = 1;; ++tries) {
    Result<bool> fetched = fetch_once(scope, name, room);
    const bool changed = !fetched && fetched.error().code() == ErrorCode::kChanged;
    if (!changed || tries == kMaxReadTries) return fetched;
  }
}

Result<std::optional<Bytes>> Records::get(const ScopeAccess& scope, std::string_view name) {
  Bytes content;
  Result<bool> found =
      fetch(scope, name, [&](std::uint64_t size) { return make_room(content, size); });
  if (found && *found) return std::optional(std::move(content));
  wipe(content);
  if (!found) return std::move(found).error();
  return std::optional<Bytes>();
}

Result<std::optional<std::size_t>> Records::get_into(const ScopeAccess& scope,
                                                     std::string_view name, MutableBytes out) {
  std::size_t size = 0;
  bool touched = false;
  bool too_small = false;
  Result<bool> found = fetch(scope, name, [&](std::uint64_t needed) -> Result<MutableBytes> {
    too_small = needed > out.size();
    if (too_small) return Error(ErrorCode::kInvalidArgument, "the buffer is too small");
    touched = true;
    size = static_cast<std::size_t>(needed);
    return out.first(size);
  });
  if (found && *found) return std::optional(size);
  if (touched || (!found && !too_small)) wipe(out);
  if (!found) return std::move(found).error();
  return std::optional<std::size_t>();
}

Result<bool> Records::get_stream(const ScopeAccess& scope, std::string_view name,
                                 const ByteSink& sink) {
  PlaintextBuffer buffer;
  QUIETUS_TRY_AS(const Content content,
                 find_content(scope, name, [&](std::uint64_t size) -> Result<MutableBytes> {
                   buffer = PlaintextBuffer(static_cast<std::size_t>(size));
                   return buffer.bytes();
                 }));
  if (content.kind == Content::Kind::kNone) return false;
  if (content.kind == Content::Kind::kObject) {
    QUIETUS_TRY(stream_object(scope, name, content.object, sink));
  } else if (buffer.size() > 0) {
    QUIETUS_TRY(sink(buffer.bytes()));
  }
  return true;
}

// Whether the record holds what it held, re-encrypted under a newer key: then `object` says where.
Result<bool> Records::find_again(const ScopeAccess& scope, std::string_view name,
                                 StoredObject& object) {
  auto content = find_content(scope, name, [](std::uint64_t) -> Result<MutableBytes> {
    return Error(ErrorCode::kChanged, "the object was replaced while it was read; read again");
  });
  if (!content && content.error().code() == ErrorCode::kChanged) return false;
  QUIETUS_TRY(content);
  if (content->kind != Content::Kind::kObject || content->object.ref.origin != object.ref.origin)
    return false;
  if (content->object.ref.id == object.ref.id) return false;
  object = content->object;
  return true;
}

// The caller's sink is never called inside a snapshot or with keys in use: it may take hours.
Result<void> Records::stream_object(const ScopeAccess& scope, std::string_view name,
                                    StoredObject object, const ByteSink& sink) {
  PlaintextBuffer buffer(ObjectReader::kGroupSize);
  std::optional<ObjectReader> reader;
  reader.emplace(keys_, store_, object, ObjectReader::How{scope.by_exception});
  while (!reader->done()) {
    const MutableBytes piece = buffer.bytes().first(reader->next_size());
    Result<void> got = reader->next(piece);
    if (!got && got.error().code() == ErrorCode::kChanged) {
      QUIETUS_TRY_AS(const bool moved, find_again(scope, name, object));
      if (!moved) return got;
      const std::uint64_t at = reader->next_chunk();
      reader.emplace(keys_, store_, object, ObjectReader::How{scope.by_exception});
      reader->skip_to(at);
      continue;
    }
    QUIETUS_TRY(got);
    if (!piece.empty()) QUIETUS_TRY(sink(piece));
  }
  return {};
}

}  // namespace quietus
