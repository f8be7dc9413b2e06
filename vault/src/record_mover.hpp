// Moves the records of one scope to the newest generation of its key: opens what an older one
// sealed and seals it again, in bounded transactions, beside readers and writers. A record's
// version for callers stays what it was.
#pragma once

#include <quietus/vault.hpp>

#include <span>

#include "object_store.hpp"

namespace quietus {

struct MovedRecords {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;     // of content
  std::uint64_t damaged = 0;   // that do not open: left where they are
  std::uint64_t given_up = 0;  // that did not open: removed
};

class RecordMover {
 public:
  // All borrowed for its life. `generation`: the newest one, which is to be the only one.
  RecordMover(KeyStore& keys, RecordStore& store, ScopeId scope, std::uint32_t generation,
              const WriterToken& token)
      : keys_(keys), store_(store), scope_(scope), generation_(generation), token_(token) {}

  // Raises the fence and moves everything; returns when one whole pass found nothing that an older
  // generation sealed, but damaged records. kBusy when the key is replaced again meanwhile.
  // `progress` gets the number of records moved and those in the scope; kRefused when it returns
  // false. What was moved stays moved. Errors of KeyStore::with_scope, RecordStore and
  // ObjectWriter.
  //
  // With `give_up`, records that do not open are removed after all others were moved; it is told
  // their keys (the PRFs of their names) before they are, and its error ends the move. kHeld when a
  // legal hold covers the scope by then.
  using GiveUp = std::function<Result<void>(std::span<const Bytes> keys)>;
  Result<MovedRecords> run(const Progress& progress, const GiveUp& give_up = {});

 private:
  struct Row {
    Bytes key;
    Bytes value;
  };
  struct Page {
    std::vector<Row> rows;  // of older generations
    std::optional<Bytes> next;
  };
  Result<Page> read_page(const Bytes& from);
  Result<bool> pass(const Progress& progress, std::uint64_t total);
  using Rows = std::vector<const Row*>;
  Result<void> move_page(const Page& page);
  Result<void> move_inline(const Rows& rows, Rows& unreadable);
  struct ObjectMove {
    StoredObject old;
    std::string name;
    std::string content_type;
    UnixMillis modified = 0;
    WrittenObject written;
    bool done = false;  // the record names what was written
    ObjectMove() = default;
    ObjectMove(const ObjectMove&) = delete;
    ObjectMove& operator=(const ObjectMove&) = delete;
    ~ObjectMove();
  };
  Result<void> move_object(const Row& row);
  Result<bool> settle_object(const Row& row, const Result<void>& moved);
  Result<void> read_through(const Row& row);
  Result<void> look_at_object(const Row& row, ObjectMove& move);
  Result<void> copy_object(ObjectMove& move);
  Result<void> flip(ObjectMove& move);
  struct Resealed {
    Prf128 from{};
    Prf128 to{};
    Version version{};  // that the row must still have
    Bytes sealed;
    std::uint64_t size = 0;
  };
  Result<void> check_newest(const ScopeKeys& keys) const;
  Result<Resealed> reseal(const ScopeKeys& keys, const KeyCache::Use& use, const Row& row);
  Result<void> flip_in(RecordWriter& writer, const KeyCache::Use& use, const Resealed& to,
                       ObjectMove& move);
  Result<bool> put_in_place(RecordWriter& writer, const Resealed& moved);
  Result<bool> still_there(RecordReader& reader, const Resealed& moved);
  Result<void> give_up_rows(const Rows& rows);
  std::vector<std::optional<ObjectId>> objects_of(const ScopeKeys& keys, const KeyCache::Use& use,
                                                  const Rows& rows);
  Result<bool> remove_unchanged(RecordWriter& writer, const Row& row,
                                const std::optional<ObjectId>& object);

  KeyStore& keys_;
  RecordStore& store_;
  ScopeId scope_;
  std::uint32_t generation_;
  WriterToken token_;
  MovedRecords moved_;
  bool found_ = false;               // something to be moved, in this pass
  const GiveUp* give_up_ = nullptr;  // in passes that remove what does not open
};

}  // namespace quietus
