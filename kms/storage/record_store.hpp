// The seam to the engine that holds the bulk: ciphertext rows, ordered within one scope, atomic
// within one scope. An object store that shards by scope fits behind it.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <optional>
#include <span>

#include "base/function_ref.hpp"
#include "base/ids.hpp"
#include "storage/store_readers.hpp"

namespace quietus {

// Numbers reach the disk: do not change them.
enum class RecordTable : std::uint8_t {
  kRecords = 0,  // PRF-128 of the name -> sealed record
  kChunks = 1,   // object id (16) || row number (4, big-endian) -> ciphertext of a large object
  kGarbage = 2,  // object id (16) -> who is writing it, or that its chunks are to be removed
  kFence = 3,    // empty key -> least key generation that may still be written (design section 8)
};

// Where a row lives. `key` is at most 64 bytes.
struct RecordKeyRef {
  RecordTable table;
  ScopeId scope;
  ByteView key;
};

// What a scope holds, kept up by every write: rows of kRecords, and the bytes of their values and
// of those of kChunks. Numbers of the engine's own, which nothing authenticates.
struct ScopeUsage {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// A consistent view of one scope. Views handed out are valid until the function they were handed to
// returns, or, in a writing transaction, until the next put or remove.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  virtual Result<std::optional<ByteView>> get(const RecordKeyRef& row) = 0;

  // Visits the scope's rows of one table in key order from `from.key` (inclusive); `visit` gets the
  // row's own key without table and scope, and returns false to stop.
  using Visitor = FunctionRef<Result<bool>(ByteView key, ByteView value)>;
  virtual Result<void> scan(const RecordKeyRef& from, Visitor visit) = 0;
};

class RecordWriter : public RecordReader {
 public:
  virtual Result<void> put(const RecordKeyRef& row, ByteView value) = 0;
  // Removing what is not there is not an error.
  virtual Result<void> remove(const RecordKeyRef& row) = 0;
};

class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // Runs `read` on one snapshot. Thread-safe; must not be nested. No lock and no allocation in
  // steady state: read transactions are kept and renewed.
  using ReadFunction = FunctionRef<Result<void>(RecordReader&)>;
  virtual Result<void> read(ReadFunction read) = 0;

  // Runs `write` in a transaction and commits durably; atomic. Writers of several threads may share
  // one commit. `write` may be run more than once, so it checks everything before its first put or
  // remove: an error after that makes the group run again without it. Errors as
  // ControlStore::update.
  using WriteFunction = FunctionRef<Result<void>(RecordWriter&)>;
  virtual Result<void> update(WriteFunction write) = 0;

  // None when the scope never held anything.
  virtual Result<ScopeUsage> usage(ScopeId scope) = 0;

  // Every scope that has rows in `table`, each once, in order, on one snapshot; `visit` returns
  // false to stop. For checking and cleaning up.
  virtual Result<void> scopes(RecordTable table, FunctionRef<Result<bool>(ScopeId)> visit) = 0;

  // Every row of the tables, in the order given and within each by scope and key, on one snapshot
  // for all of them; `visit` returns false to stop. For copying: the snapshot keeps the room of
  // what is replaced meanwhile from being used again.
  using RowVisitor = FunctionRef<Result<bool>(const RecordKeyRef& row, ByteView value)>;
  virtual Result<void> all_rows(std::span<const RecordTable> tables, RowVisitor visit) = 0;

  // As ControlStore::readers.
  virtual Result<StoreReaders> readers() { return StoreReaders(); }
};

}  // namespace quietus
