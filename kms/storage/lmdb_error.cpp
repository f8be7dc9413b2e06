#include "storage/lmdb_error.hpp"

#include <lmdb.h>

#include <cerrno>
#include <string>

namespace quietus {
namespace {

ErrorCode code_of(int rc) noexcept {
  if (means_full(rc)) return ErrorCode::kFull;
  switch (rc) {
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_TXN: return ErrorCode::kCorrupt;
    case MDB_VERSION_MISMATCH: return ErrorCode::kUnsupported;
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED:
    case EAGAIN: return ErrorCode::kBusy;
    case MDB_PANIC:
    case ENOMEM: return ErrorCode::kUnavailable;
    case MDB_BAD_VALSIZE: return ErrorCode::kInvalidArgument;
    case ENOENT: return ErrorCode::kNotFound;
    case MDB_BAD_RSLOT:
    case MDB_BAD_DBI:
    case EINVAL: return ErrorCode::kInternal;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error lmdb_error(int rc, std::string_view doing) {
  return Error(code_of(rc), std::string(doing) + ": " + mdb_strerror(rc));
}

bool means_full(int rc) noexcept {
  // MDB_TXN_FULL: one transaction with more pages than LMDB can hold in memory.
  return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

}  // namespace quietus
