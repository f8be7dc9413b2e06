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

#include "evidence/erasure_notice.hpp"
#include "keys/control_rows.hpp"
#include "storage/file.hpp"

namespace quietus {

struct InboxRow {
  std::uint64_t told = 0;  // entries of the log whose erasures the inbox has
  std::string folder;
};

// A signed notice that is to be written.
struct UntoldErasures {
  VaultId vault{};
  std::filesystem::path folder;
  std::string file;        // its name there
  std::string note;        // empty: nothing is to be told
  std::uint64_t from = 0;  // entries of the log that the inbox has been told of
  std::uint64_t told = 0;  // and that it has been told of then
  std::uint64_t erasures = 0;
};
// Empty when there is no inbox.
Result<std::optional<UntoldErasures>> untold_erasures(ControlReader& reader, const RowSeal& seal,
                                                      const std::string& origin);
// The inbox has it on its device when this returns. kNotFound: it is not there; kIo, kFull.
Result<void> write_notice(FileSystem& files, const UntoldErasures& untold);

// A folder is an inbox of the vault when this file of it is there: an empty place where a disk or a
// remote folder should be mounted is none.
std::filesystem::path inbox_mark(const std::filesystem::path& folder, const VaultId& vault);
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
// Unless the inbox was told more already, or there is none any more.
Result<void> note_told(ControlWriter& writer, const RowSeal& seal, std::uint64_t told);
// Of a log with another origin, which is to be told from its beginning.
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
