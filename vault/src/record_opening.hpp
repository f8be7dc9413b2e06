// Opening a record only to see that it opens: what checks of a store and of a backup do.
#pragma once

#include <optional>

#include "object_store.hpp"
#include "record_format.hpp"

namespace quietus {

// A row of the record table, taken apart.
struct RecordRow {
  Prf128 row{};
  StoredRecord record;

  static Result<RecordRow> parse(ByteView key, ByteView value);  // kCorrupt
};

// Opens all of a record, compares its name with where it lies, and wipes what was opened. Of a
// large object the content is left: it is named. kCorrupt.
Result<std::optional<StoredObject>> open_whole(const RecordSeal& seal, const NamePrfKey& names,
                                               const RecordRow& row);

}  // namespace quietus
