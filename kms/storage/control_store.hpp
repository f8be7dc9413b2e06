// The seam to the engine that holds the vault's small, strongly consistent state: key tree, rows,
// log. Ordered keys, transactions, nothing else; an engine across a network fits behind it.
#pragma once

#include <quietus/result.hpp>

#include <optional>

#include "base/function_ref.hpp"
#include "storage/store_readers.hpp"

namespace quietus {

// A consistent view. Every view handed out is valid until the function it was handed to returns,
// or, in a writing transaction, until the next put or remove.
class ControlReader {
 public:
  virtual ~ControlReader() = default;
  virtual Result<std::optional<ByteView>> get(ByteView key) = 0;

  // Visits rows in key order: those whose key starts with `prefix`, beginning at `from` (inclusive;
  // empty means at the prefix itself). `visit` returns false to stop.
  using Visitor = FunctionRef<Result<bool>(ByteView key, ByteView value)>;
  virtual Result<void> scan(ByteView prefix, ByteView from, Visitor visit) = 0;
};

class ControlWriter : public ControlReader {
 public:
  // Requires: 1 to 511 bytes of key, and a small value (at most 64 KiB).
  virtual Result<void> put(ByteView key, ByteView value) = 0;
  // Removing what is not there is not an error.
  virtual Result<void> remove(ByteView key) = 0;
};

// Who is writing: erasure and recovery may use the pages kept in reserve for them, so that a full
// disk or a full map does not prevent an erasure; ordinary writes are refused while the reserve is
// short.
enum class WriteClass { kOrdinary, kErasure };

class ControlStore {
 public:
  virtual ~ControlStore() = default;

  // Runs `read` on one snapshot. Thread-safe; must not be nested in a transaction of the same
  // thread.
  using ReadFunction = FunctionRef<Result<void>(ControlReader&)>;
  virtual Result<void> read(ReadFunction read) = 0;

  // Runs `write` in one transaction and commits it durably; atomic. `write` may be run more than
  // once and must have no effects of its own that a second run would repeat. An error from it is
  // returned as it is and nothing is changed. Otherwise:
  //   kFull         disk or map exhausted, nothing was changed
  //   kBusy         the writer lock could not be had, nothing was changed
  //   kUnavailable  the outcome is unknown: it may have happened. The store is closed from then on
  //                 and every call answers kUnavailable; open it anew and look.
  // Durable on return: everything written.
  using WriteFunction = FunctionRef<Result<void>(ControlWriter&)>;
  virtual Result<void> update(WriteClass write_class, WriteFunction write) = 0;

  // Whether disk space is set aside for writes of class kErasure. An engine learns with its first
  // ordinary write that the file system cannot, and answers true until then.
  virtual bool keeps_reserve() const noexcept { return false; }

  // Who reads it now, all processes together. Takes away what ended ones left.
  virtual Result<StoreReaders> readers() { return StoreReaders(); }
};

}  // namespace quietus
