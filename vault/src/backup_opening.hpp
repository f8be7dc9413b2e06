// Opens what is in a backup with the keys that the vault has now, in one pass over its rows, and
// keeps nothing of what it opened.
#pragma once

#include <quietus/backup.hpp>

#include <map>
#include <optional>

#include "backup_format.hpp"
#include "keys/key_store.hpp"
#include "object_store.hpp"
#include "plaintext_buffer.hpp"

namespace quietus {

class BackupOpening {
 public:
  // Both are borrowed. Counts into `report`.
  BackupOpening(KeyStore& keys, OpenedBackup& report);

  // The rows of the record store of a complete backup, in their order. Errors of
  // KeyStore::with_scope that say nothing about one scope.
  Result<void> add(const BackupReader::Row& row);
  // After the last one.
  Result<void> finish();

 private:
  struct HeldRow {
    Bytes key;
    Bytes value;
  };
  // What a page of records showed. Made anew when the keys changed while it was looked at.
  struct Findings {
    std::uint64_t opened = 0;
    std::uint64_t bytes = 0;
    std::uint64_t purged = 0;
    std::uint64_t missing = 0;
    std::vector<Damage> damages;
    std::vector<StoredObject> objects;
  };
  // The content of one large object on its way: its rows follow one another.
  struct Stream {
    StoredObject object;
    std::uint32_t next_row = 0;
    std::uint64_t next_chunk = 0;
    std::uint64_t received = 0;  // bytes of ciphertext
    bool broken = false;         // and noted
  };
  using Place = std::pair<ScopeId, ObjectId>;

  Result<void> flush_records();
  void take_over(Findings found);
  void look_at_record(const ScopeKeys& keys, const KeyCache::Use& use, const HeldRow& row,
                      Findings& found) const;
  Result<void> open_record(const ScopeKeys& keys, const KeyCache::Use& use, const HeldRow& held,
                           Findings& found) const;
  Result<void> add_chunk(const BackupReader::Row& row);
  Result<void> end_stream();
  Result<void> flush_stream();
  // How much of the ciphertext that is held makes whole chunks, and opening them.
  std::size_t whole_chunks() const;
  Result<void> open_chunks(const ScopeKeys& keys, const KeyCache::Use& use, std::size_t size);
  Result<void> note_stream(const Error& error);
  void note_damage(ScopeId scope, ByteView row, const Error& error);

  KeyStore& keys_;
  OpenedBackup& report_;
  ScopeId scope_ = 0;  // of the rows that are held
  std::vector<HeldRow> held_;
  std::size_t held_bytes_ = 0;
  std::map<Place, StoredObject> expected_;  // objects whose rows are still to come
  std::optional<Stream> stream_;
  Bytes sealed_;  // of stream_, not opened yet
  PlaintextBuffer plaintext_;
};

}  // namespace quietus
