#include "record_opening.hpp"

#include <algorithm>

#include "plaintext_buffer.hpp"

namespace quietus {

Result<RecordRow> RecordRow::parse(ByteView key, ByteView value) {
  Prf128 row{};
  if (key.size() != row.size()) return Error(ErrorCode::kCorrupt, "record: malformed key");
  std::ranges::copy(key, row.begin());
  QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
  return RecordRow{row, record};
}

Result<std::optional<StoredObject>> open_whole(const RecordSeal& seal, const NamePrfKey& names,
                                               const RecordRow& row) {
  RecordOpener opener(seal, row.row, row.record);
  MetadataRoom room;
  QUIETUS_TRY_AS(const RecordMetadata metadata, opener.open_metadata(room));
  if (prf128(names, as_bytes(metadata.name)) != row.row)
    return Error(ErrorCode::kCorrupt, "record: under another record's key");
  if (metadata.object)
    return std::optional(StoredObject{seal.scope, row.row, row.record.version(),
                                      row.record.generation(), metadata.size, *metadata.object});
  PlaintextBuffer content(row.record.inline_size());
  QUIETUS_TRY(opener.open_content(content.bytes()));
  return std::optional<StoredObject>();
}

}  // namespace quietus
