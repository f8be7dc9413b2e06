#include "keys/inbox.hpp"

#include <algorithm>
#include <array>

#include "base/byte_reader.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kInboxRowVersion = 1;
constexpr char kInboxTable = 't';
constexpr char kHeardTable = 'h';
constexpr std::size_t kMaxFolder = 4096;
constexpr std::size_t kMaxOrigin = 1024;
constexpr std::size_t kKeysInRow = 4000;
constexpr std::size_t kStatementsAtOnce = 1000;
constexpr std::size_t kKeysInNotice = 1'000'000;  // then it ends behind that entry
constexpr std::size_t kHeardLogKeySize = 1 + sizeof(VaultId) + 16;
constexpr std::string_view kNoticeSuffix = ".erasures";

// The log has the root of their statements only.
Result<void> add_keys_of_batch(ControlReader& reader, const RowSeal& seal, std::uint64_t scopes,
                               NoticedErasure& erasure) {
  std::uint64_t found = 0;
  for (ScopeId from = 0;;) {
    QUIETUS_TRY_AS(const auto some,
                   rows::statements(reader, seal, erasure.erasure, from, kStatementsAtOnce));
    for (const BatchStatement& statement : some)
      for (const ClaimedKey& key : statement.target.keys) erasure.keys.push_back(key.id);
    found += some.size();
    if (some.size() < kStatementsAtOnce) break;
    from = some.back().target.scope + 1;
  }
  if (found != scopes)
    return Error(ErrorCode::kCorrupt, "control store: statements of an erasure are missing");
  std::ranges::sort(erasure.keys);
  erasure.keys.erase(std::unique(erasure.keys.begin(), erasure.keys.end()), erasure.keys.end());
  return {};
}

// What the entry says, if it says that keys are unreachable.
Result<std::optional<NoticedErasure>> told_by(ControlReader& reader, const RowSeal& seal,
                                              std::uint64_t index, bool with_keys) {
  QUIETUS_TRY_AS(const Bytes text, read_entry(reader, {seal.key, seal.vault, seal.context}, index));
  QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
  QUIETUS_TRY_AS(auto erasure, erasure_in(entry, index));
  if (!erasure || !with_keys || entry.kind() != entry_kinds::kBatchUnreachable) return erasure;
  const std::uint64_t* scopes = entry.number("scopes");
  QUIETUS_TRY(add_keys_of_batch(reader, seal, scopes == nullptr ? 0 : *scopes, *erasure));
  return erasure;
}

// Who else tells the same at this moment writes another file.
std::string notice_file_name(const ErasureNotice& notice) {
  std::array<std::uint8_t, 4> own{};
  random_bytes(own);
  return to_hex(notice.vault) + "-" + std::to_string(notice.from.size) + "-" +
         std::to_string(notice.to.size) + "-" + to_hex(own) + std::string(kNoticeSuffix);
}

// What the log says from entry `from` on, as far as one notice has room. Nothing: no erasure.
Result<std::optional<ErasureNotice>> notice_from(ControlReader& reader, const RowSeal& seal,
                                                 const std::string& origin, std::uint64_t from) {
  ErasureNotice notice{seal.vault, origin, {from, {}}, {}, {}};
  QUIETUS_TRY_AS(notice.from.root, root_at(reader, from));
  QUIETUS_TRY_AS(notice.to, log_head(reader));
  std::size_t keys = 0;
  for (std::uint64_t index = from; index < notice.to.size; ++index) {
    QUIETUS_TRY_AS(auto erasure, told_by(reader, seal, index, true));
    if (!erasure) continue;
    keys += erasure->keys.size();
    notice.erasures.push_back(*std::move(erasure));
    if (keys < kKeysInNotice) continue;
    notice.to.size = index + 1;
    QUIETUS_TRY_AS(notice.to.root, root_at(reader, index + 1));
  }
  if (notice.erasures.empty()) return std::optional<ErasureNotice>();
  return std::optional(std::move(notice));
}

struct SignedNotice {
  std::string file;
  std::string note;
  std::uint64_t told = 0;
};
Result<std::optional<SignedNotice>> signed_notice(ControlReader& reader, const RowSeal& seal,
                                                  const std::string& origin, std::uint64_t from) {
  QUIETUS_TRY_AS(const auto notice, notice_from(reader, seal, origin, from));
  if (!notice) return std::optional<SignedNotice>();
  QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, seal, kLogKey));
  SignedNotice made{notice_file_name(*notice), {}, notice->to.size};
  QUIETUS_TRY_AS(made.note, sign_erasure_notice(*notice, key));
  if (made.note.size() > kMaxErasureNotice)
    return Error(ErrorCode::kFull, "an erasure of more keys than a notice has room for");
  return std::optional(std::move(made));
}

std::optional<InboxRow> decode_inbox(ByteView content) {
  ByteReader in(content);
  InboxRow row;
  const std::uint8_t version = in.u8();
  row.told = in.u64();
  row.folder = in.text(kMaxFolder);
  return in.done() && version == kInboxRowVersion ? std::optional(std::move(row)) : std::nullopt;
}

Bytes inbox_key() {
  return Bytes{static_cast<std::uint8_t>(kInboxTable)};
}

std::optional<HeardLog> decode_heard_log(ByteView content) {
  ByteReader in(content);
  HeardLog log;
  const std::uint8_t version = in.u8();
  log.origin = in.text(kMaxOrigin);
  log.head.size = in.u64();
  log.head.root = in.array<sizeof(Hash)>();
  log.seen = in.u64();
  return in.done() && version == kInboxRowVersion ? std::optional(std::move(log)) : std::nullopt;
}

Bytes heard_key(const VaultId& vault, const std::string& origin) {
  const auto hash = sha256(as_bytes(origin));
  return ByteWriter()
      .u8(static_cast<std::uint8_t>(kHeardTable))
      .raw(vault)
      .raw(ByteView(hash).first(16))
      .take();
}

Bytes heard_piece_key(const HeardLog& log, std::uint64_t index, std::uint32_t piece) {
  return ByteWriter().raw(heard_key(log.vault, log.origin)).u64(index).u32(piece).take();
}

std::optional<NoticedErasure> decode_heard_piece(ByteView content) {
  ByteReader in(content);
  NoticedErasure erasure;
  const std::uint8_t version = in.u8();
  erasure.erasure = in.array<sizeof(ErasureId)>();
  erasure.time = static_cast<UnixMillis>(in.u64());
  while (in.rest().size() >= sizeof(KeyId)) erasure.keys.push_back(in.u64());
  return in.done() && version == kInboxRowVersion ? std::optional(std::move(erasure))
                                                  : std::nullopt;
}

}  // namespace

Result<std::uint64_t> count_untold(ControlReader& reader, const RowSeal& seal, std::uint64_t from) {
  std::uint64_t untold = 0;
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  for (std::uint64_t index = from; index < head.size; ++index) {
    QUIETUS_TRY_AS(const auto erasure, told_by(reader, seal, index, false));
    if (erasure) ++untold;
  }
  return untold;
}

Result<std::optional<Told>> tell_inbox(ReadInbox read, FileSystem& files,
                                       const std::string& origin) {
  std::optional<InboxRow> row;
  VaultId vault{};
  QUIETUS_TRY(read([&](ControlReader& reader, const RowSeal& seal) -> Result<void> {
    vault = seal.vault;
    QUIETUS_TRY_AS(row, rows::inbox(reader, seal));
    return {};
  }));
  if (!row) return std::optional<Told>();
  QUIETUS_TRY(check_inbox(files, row->folder, vault));
  Told told{row->folder, row->told, row->told};
  while (true) {
    std::optional<SignedNotice> notice;
    QUIETUS_TRY(read([&](ControlReader& reader, const RowSeal& seal) -> Result<void> {
      QUIETUS_TRY_AS(notice, signed_notice(reader, seal, origin, told.told));
      return {};
    }));
    if (!notice) return std::optional(std::move(told));
    QUIETUS_TRY(write_file(files, std::filesystem::path(told.folder) / notice->file,
                           as_bytes(notice->note)));
    told.told = notice->told;
  }
}

std::filesystem::path inbox_mark(const std::filesystem::path& folder, const VaultId& vault) {
  return folder / (to_hex(vault) + ".inbox");
}

Result<void> check_inbox(FileSystem& files, const std::string& folder, const VaultId& vault) {
  const std::filesystem::path mark = inbox_mark(folder, vault);
  QUIETUS_TRY_AS(const bool there, files.exists(mark));
  if (there) return {};
  return Error(ErrorCode::kNotFound,
               folder + ": the inbox is not there (no " + mark.filename().string() + ")");
}

bool is_notice_file(std::string_view name) {
  return name.ends_with(kNoticeSuffix);
}

bool is_notice_of(std::string_view name, const VaultId& vault) {
  return is_notice_file(name) && name.starts_with(to_hex(vault) + "-");
}

namespace rows {

Result<std::optional<InboxRow>> inbox(ControlReader& reader, const RowSeal& seal) {
  return get_row(reader, seal, inbox_key(), decode_inbox);
}

Result<void> put_inbox(ControlWriter& writer, const RowSeal& seal, const InboxRow& row) {
  ByteWriter content;
  content.u8(kInboxRowVersion).u64(row.told).text(row.folder);
  return put_sealed(writer, seal, inbox_key(), content.take());
}

Result<void> remove_inbox(ControlWriter& writer) {
  return writer.remove(inbox_key());
}

Result<void> note_told(ControlWriter& writer, const RowSeal& seal, const Told& told) {
  auto row = inbox(writer, seal);
  // One that is damaged is no reason not to finish an erasure.
  if (!row || !*row || (*row)->folder != told.folder) return {};
  if ((*row)->told < told.from || (*row)->told >= told.told) return {};
  (*row)->told = told.told;
  return put_inbox(writer, seal, **row);
}

Result<void> tell_anew(ControlWriter& writer, const RowSeal& seal) {
  const auto row = inbox(writer, seal);
  if (!row) return remove_inbox(writer);
  if (!*row) return {};
  return put_inbox(writer, seal, {0, (*row)->folder});
}

Result<std::optional<HeardLog>> heard_log(ControlReader& reader, const RowSeal& seal,
                                          const VaultId& vault, const std::string& origin) {
  QUIETUS_TRY_AS(auto log, get_row(reader, seal, heard_key(vault, origin), decode_heard_log));
  if (!log) return log;
  if (log->origin != origin) return damaged(kHeardTable);
  log->vault = vault;
  return log;
}

Result<void> put_heard_log(ControlWriter& writer, const RowSeal& seal, const HeardLog& log) {
  ByteWriter content;
  content.u8(kInboxRowVersion).text(log.origin).u64(log.head.size).raw(log.head.root).u64(log.seen);
  return put_sealed(writer, seal, heard_key(log.vault, log.origin), content.take());
}

Result<void> put_heard_erasure(ControlWriter& writer, const RowSeal& seal, const HeardLog& log,
                               const NoticedErasure& erasure) {
  std::span<const KeyId> rest = erasure.keys;
  for (std::uint32_t piece = 0; piece == 0 || !rest.empty(); ++piece) {
    const auto some = rest.first(std::min(rest.size(), kKeysInRow));
    ByteWriter content;
    content.u8(kInboxRowVersion).raw(erasure.erasure).u64(static_cast<std::uint64_t>(erasure.time));
    for (const KeyId key : some) content.u64(key);
    QUIETUS_TRY(
        put_sealed(writer, seal, heard_piece_key(log, erasure.index, piece), content.take()));
    rest = rest.subspan(some.size());
  }
  return {};
}

Result<std::vector<NoticedErasure>> heard_erasures(ControlReader& reader, const RowSeal& seal,
                                                   const HeardLog& log, std::uint64_t from) {
  std::vector<NoticedErasure> found;
  const Bytes prefix = heard_key(log.vault, log.origin);
  const Bytes first = heard_piece_key(log, from, 0);
  QUIETUS_TRY(reader.scan(prefix, first, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto piece = content ? decode_heard_piece(*content) : std::nullopt;
    ByteReader in(key.subspan(kHeardLogKeySize));
    const std::uint64_t index = in.u64();
    static_cast<void>(in.u32());
    if (!piece || !in.done()) return damaged(kHeardTable);
    if (found.empty() || found.back().index != index) {
      piece->index = index;
      found.push_back(*std::move(piece));
    } else {
      std::ranges::copy(piece->keys, std::back_inserter(found.back().keys));
    }
    return true;
  }));
  return found;
}

}  // namespace rows
}  // namespace quietus
