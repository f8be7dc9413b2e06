// Telling the recovery site what was erased, on the way: a vault writes a signed notice into a
// folder, the inbox, and the site notes what it finds there. So nobody there recovers less than the
// site has heard of (attacks I4).
//
// In the vault, sealed under its row key:
//   "t"   InboxRow: version u8 (1) || told u64 || folder (text)
// and in the site's own vault:
//   "h" vault id || origin hash          HeardLog: version u8 (1) || origin (text) || size u64 ||
//                                        root 32 || seen u64
//   "h" vault id || origin hash || log index u64 || piece u32
//                                        version u8 (1) || erasure id 16 || time u64 || key ids u64
// The hash is the first 16 bytes of the SHA-256 of the log's origin; times are whole seconds in ms.
#pragma once

#include <quietus/result.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.hpp"
#include "evidence/erasure_notice.hpp"
#include "keys/control_rows.hpp"
#include "storage/file.hpp"

namespace quietus {

struct InboxRow {
  std::uint64_t told = 0;  // entries of the log whose erasures the inbox has
  std::string folder;
};

// Entries of the log from `from` on that say that keys are unreachable.
Result<std::uint64_t> count_untold(ControlReader& reader, const RowSeal& seal, std::uint64_t from);

// How far an inbox was told.
struct Told {
  std::string folder;
  std::uint64_t from = 0;  // before
  std::uint64_t told = 0;  // and now
};
// Signs and writes what is not told yet, one notice after the other; the inbox has them on its
// device when this returns. `read` makes a snapshot, which is not held while anything is written.
// Empty when there is no inbox. kNotFound: it is not there; kIo, kFull.
using ReadInbox =
    FunctionRef<Result<void>(FunctionRef<Result<void>(ControlReader&, const RowSeal&)>)>;
Result<std::optional<Told>> tell_inbox(ReadInbox read, FileSystem& files,
                                       const std::string& origin);

// A folder is an inbox of the vault when this file of it is there: an empty place where a disk or a
// remote folder should be mounted is none.
std::filesystem::path inbox_mark(const std::filesystem::path& folder, const VaultId& vault);
Result<void> check_inbox(FileSystem& files, const std::string& folder, const VaultId& vault);
bool is_notice_file(std::string_view name);
// Of whose vault it says to be.
bool is_notice_of(std::string_view name, const VaultId& vault);

// What a site heard of a log.
struct HeardLog {
  VaultId vault{};
  std::string origin;
  TreeHead head;           // every erasure below is known
  std::uint64_t seen = 0;  // how far some notice reached, of which others may be missing
};

namespace rows {

Result<std::optional<InboxRow>> inbox(ControlReader& reader, const RowSeal& seal);
Result<void> put_inbox(ControlWriter& writer, const RowSeal& seal, const InboxRow& row);
Result<void> remove_inbox(ControlWriter& writer);
// Unless the inbox is another one by now, or was told more.
Result<void> note_told(ControlWriter& writer, const RowSeal& seal, const Told& told);
// Of a log with another origin, which is to be told from its beginning. A row that is damaged is
// removed.
Result<void> tell_anew(ControlWriter& writer, const RowSeal& seal);

Result<std::optional<HeardLog>> heard_log(ControlReader& reader, const RowSeal& seal,
                                          const VaultId& vault, const std::string& origin);
Result<void> put_heard_log(ControlWriter& writer, const RowSeal& seal, const HeardLog& log);
Result<void> put_heard_erasure(ControlWriter& writer, const RowSeal& seal, const HeardLog& log,
                               const NoticedErasure& erasure);
// Those of entries from `from` on, in the order of the log.
Result<std::vector<NoticedErasure>> heard_erasures(ControlReader& reader, const RowSeal& seal,
                                                   const HeardLog& log, std::uint64_t from);

}  // namespace rows
}  // namespace quietus
