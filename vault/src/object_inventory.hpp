// The large objects of one scope, as a check counts them.
#pragma once

#include <map>
#include <optional>

#include "object_rows.hpp"

namespace quietus {

// Seen before the records are looked at, and compared with what they refer to afterwards. In
// between, others may write and remove.
class ObjectInventory {
 public:
  // Of no objects.
  explicit ObjectInventory(ScopeId scope) : scope_(scope) {}
  // Notes every object that has rows. kCorrupt.
  static Result<ObjectInventory> take(RecordStore& store, ScopeId scope);

  void mark_referenced(const ObjectId& id);

  // Rows that are still there and that no record names: of objects that were noted, not marked, and
  // not given to a record since.
  Result<std::uint64_t> orphaned_rows(RecordStore& store) const;

 private:
  struct Entry {
    bool garbage = false;  // had a garbage row
    bool referenced = false;
  };
  Result<void> note_page(RecordReader& reader, std::optional<Bytes>& from);
  Result<std::uint64_t> orphaned_rows_of(RecordStore& store, const ObjectId& id,
                                         const Entry& entry) const;
  ScopeId scope_;
  std::map<ObjectId, Entry> objects_;
};

}  // namespace quietus
