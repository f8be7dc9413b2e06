// Puts the records of a backup into the empty store of another instance of its vault, past the
// gate: what is put back is what the keys of now still open.
#pragma once

#include <optional>
#include <vector>

#include "backup_format.hpp"
#include "restore.hpp"
#include "vault_core.hpp"

namespace quietus {

class RecordLoader {
 public:
  // Both are borrowed. Counts into `report`: erased, purged, missing.
  RecordLoader(VaultCore& instance, RestoreReport& report) : core_(instance), report_(report) {}

  // A row of the record store.
  Result<void> add(const BackupReader::Row& row);
  // Writes what is still held; durable on return.
  Result<void> flush();

 private:
  // What can be done with the rows of a scope.
  enum class Standing { kLiving, kErased, kPurged, kUnknown };
  struct Place {
    RecordTable table = RecordTable::kRecords;
    ScopeId scope = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Held {
    Place place;
    Bytes key;
    Bytes value;
  };
  Result<void> look_at_scope(ScopeId scope);
  Result<Standing> standing_of_erased(ScopeId scope);
  bool is_wanted(const BackupReader::Row& row);
  bool counts_as_restored(ByteView value);

  VaultCore& core_;
  RestoreReport& report_;
  std::optional<Place> at_;
  Standing standing_ = Standing::kUnknown;
  std::vector<std::uint32_t> generations_;  // that open, of the scope's data line
  std::uint32_t newest_ = 0;
  std::vector<Held> held_;
  std::size_t bytes_ = 0;
};

}  // namespace quietus
