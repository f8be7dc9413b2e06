// The writing side of an incremental backup: of the rows of a store, those that its base does not
// have like that, and what the base has and the store no longer. Both come in the same order, so it
// takes one pass and the memory of a block.
#pragma once

#include "backup_format.hpp"

namespace quietus {

class BackupChanges {
 public:
  // Both are borrowed. Begin, then row() for every row in their order, then finish().
  BackupChanges(const ByteSource& base, BackupWriter& writer) : base_(base), writer_(writer) {}

  // What the base says of itself. Nothing of it counts yet.
  Result<BackupHead> begin();
  Result<void> row(const RecordKeyRef& row, ByteView value);
  // After the last row. Reads the base to its end; it is whole and signed by that key. Errors of
  // BackupReader::finish().
  Result<BackupBase> finish(const NoteKey& log);

 private:
  Result<void> step();

  BackupReader base_;
  BackupWriter& writer_;
  std::optional<BackupReader::Row> row_;  // of the base's record store; none at their end
};

}  // namespace quietus
