// In the place of a record store that is missing or damaged: the vault opens all the same, because
// keys can be destroyed without it, and whatever needs records is told why there are none.
#pragma once

#include "storage/record_store.hpp"

namespace quietus {

class UnreadableRecordStore final : public RecordStore {
 public:
  explicit UnreadableRecordStore(Error why) : why_(std::move(why)) {}

  Result<void> read(ReadFunction) override { return why_; }
  Result<void> update(WriteFunction) override { return why_; }
  Result<ScopeUsage> usage(ScopeId) override { return why_; }
  Result<void> scopes(RecordTable, FunctionRef<Result<bool>(ScopeId)>) override { return why_; }
  Result<void> all_rows(std::span<const RecordTable>, RowVisitor) override { return why_; }

 private:
  Error why_;
};

}  // namespace quietus
