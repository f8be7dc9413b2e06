#include "backup_format.hpp"

#include <algorithm>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "byte_source.hpp"
#include "evidence/text_lines.hpp"
#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::string_view kBackupMagic = "QUIETUSB";
constexpr std::uint16_t kBackupVersion = 1;
constexpr std::size_t kMaxBackupText = 1024;
constexpr std::size_t kMaxBackupKey = 511;
constexpr std::string_view kManifestType = "quietus-backup/v1";
constexpr std::string_view kNoBase = "none";
constexpr std::uint8_t kRemoved = 0x80;  // in the byte of the table

Error not_a_backup(const std::string& what) {
  return Error(ErrorCode::kCorrupt, "backup: " + what);
}

Bytes encode_head(const BackupHead& head) {
  return ByteWriter()
      .raw(head.vault)
      .raw(head.backup)
      .u64(static_cast<std::uint64_t>(head.begun))
      .u64(static_cast<std::uint64_t>(head.expires))
      .raw(head.base)
      .text(head.log_vkey)
      .take();
}

}  // namespace

Bytes key_seal_data(const BackupHead& head, const RingId& ring, const TreeHead& log) {
  ByteWriter data;
  data.raw(head.vault).raw(head.backup).raw(ring).u64(log.size).raw(log.root);
  return data.take();
}

namespace {

Result<BackupHead> decode_head(ByteView content) {
  ByteReader in(content);
  BackupHead head;
  head.vault = in.array<sizeof(VaultId)>();
  head.backup = in.array<sizeof(BackupId)>();
  head.begun = static_cast<UnixMillis>(in.u64());
  head.expires = static_cast<UnixMillis>(in.u64());
  head.base = in.array<sizeof(BackupId)>();
  head.log_vkey = in.text(kMaxBackupText);
  if (!in.done()) return not_a_backup("its first block is malformed");
  return head;
}

// "<name> <value>" of the next line; empty when it is another one.
std::string_view value_of(LineReader& lines, std::string_view name) {
  const auto line = lines.next();
  if (!line || !line->starts_with(name) || line->size() <= name.size() ||
      (*line)[name.size()] != ' ')
    return {};
  return line->substr(name.size() + 1);
}

// Reads the values of a manifest one after the other; once one is wrong, all are.
class ManifestFields {
 public:
  explicit ManifestFields(std::string_view text) : lines_(text) {
    good_ = lines_.next() == kManifestType;
  }

  template <std::size_t N>
  std::array<std::uint8_t, N> hex(std::string_view name) {
    return hex_of<N>(value_of(lines_, name));
  }
  std::optional<BackupBase> base(std::string_view name) {
    const std::string_view value = value_of(lines_, name);
    if (value == kNoBase) return {};
    const std::size_t space = std::min(value.find(' '), value.size());
    BackupBase base;
    base.backup = hex_of<sizeof(BackupId)>(value.substr(0, space));
    base.manifest = hex_of<sizeof(Sha256)>(value.substr(std::min(space + 1, value.size())));
    return base;
  }
  UnixMillis time(std::string_view name) {
    const auto value = parse_utc(value_of(lines_, name));
    good_ = good_ && value;
    return value.value_or(0);
  }
  std::uint64_t number(std::string_view name) {
    const auto value = parse_decimal(value_of(lines_, name));
    good_ = good_ && value;
    return value.value_or(0);
  }
  std::string text(std::string_view name) {
    std::string value(value_of(lines_, name));
    good_ = good_ && !value.empty() && value.size() <= kMaxBackupText;
    return value;
  }
  bool done() const { return good_ && lines_.rest().empty(); }

 private:
  template <std::size_t N>
  std::array<std::uint8_t, N> hex_of(std::string_view text) {
    std::array<std::uint8_t, N> value{};
    const auto bytes = from_hex(text);
    good_ = good_ && bytes && bytes->size() == N;
    if (good_) std::ranges::copy(*bytes, value.begin());
    return value;
  }

  LineReader lines_;
  bool good_;
};

}  // namespace

std::string format_manifest(const BackupManifest& manifest) {
  const BackupContent& content = manifest.content;
  std::string text(kManifestType);
  const auto line = [&](std::string_view name, const std::string& value) {
    text.append("\n").append(name).append(" ").append(value);
  };
  line("vault", to_hex(manifest.vault));
  line("backup", to_hex(manifest.backup));
  line("begun", format_utc(manifest.begun));
  line("expires", format_utc(manifest.expires));
  line("base", manifest.base ? to_hex(manifest.base->backup) + " " + to_hex(manifest.base->manifest)
                             : std::string(kNoBase));
  line("records", std::to_string(content.records));
  line("removed", std::to_string(content.removed));
  line("rows", std::to_string(content.rows));
  line("blocks", std::to_string(content.blocks));
  line("bytes", std::to_string(content.bytes));
  line("tree", to_hex(content.tree));
  line("log-origin", manifest.log.origin);
  line("log-size", std::to_string(manifest.log.head.size));
  line("log-root", to_hex(manifest.log.head.root));
  line("tool", manifest.tool);
  return text + "\n";
}

Result<BackupManifest> parse_manifest(std::string_view text) {
  ManifestFields in(text);
  BackupManifest manifest;
  manifest.vault = in.hex<sizeof(VaultId)>("vault");
  manifest.backup = in.hex<sizeof(BackupId)>("backup");
  manifest.begun = in.time("begun");
  manifest.expires = in.time("expires");
  manifest.base = in.base("base");
  manifest.content.records = in.number("records");
  manifest.content.removed = in.number("removed");
  manifest.content.rows = in.number("rows");
  manifest.content.blocks = in.number("blocks");
  manifest.content.bytes = in.number("bytes");
  manifest.content.tree = in.hex<sizeof(Hash)>("tree");
  manifest.log.origin = in.text("log-origin");
  manifest.log.head.size = in.number("log-size");
  manifest.log.head.root = in.hex<sizeof(Hash)>("log-root");
  manifest.tool = in.text("tool");
  if (!in.done()) return unverified("the manifest of the backup is malformed");
  return manifest;
}

Result<void> BackupWriter::head(const BackupHead& head) {
  QUIETUS_TRY(sink_(ByteWriter().raw(as_bytes(kBackupMagic)).u16(kBackupVersion).view()));
  block_ = encode_head(head);
  kind_ = Kind::kHead;
  return close_block();
}

Result<void> BackupWriter::row(const RecordKeyRef& row, ByteView value) {
  QUIETUS_TRY(open_block(Kind::kRecords));
  const Bytes head =
      ByteWriter().u8(static_cast<std::uint8_t>(row.table)).u64(row.scope).field(row.key).take();
  const Bytes size = ByteWriter().u32(static_cast<std::uint32_t>(value.size())).take();
  for (const ByteView part : {ByteView(head), ByteView(size), value})
    block_.insert(block_.end(), part.begin(), part.end());
  ++content_.rows;
  if (row.table == RecordTable::kRecords) ++content_.records;
  return {};
}

Result<void> BackupWriter::removed(const RecordKeyRef& row) {
  QUIETUS_TRY(open_block(Kind::kRecords));
  const auto table = static_cast<std::uint8_t>(row.table);
  const Bytes bytes = ByteWriter().u8(table | kRemoved).u64(row.scope).field(row.key).take();
  block_.insert(block_.end(), bytes.begin(), bytes.end());
  ++content_.rows;
  if (row.table == RecordTable::kRecords) ++content_.removed;
  return {};
}

Result<void> BackupWriter::row(ByteView control_key, ByteView value) {
  QUIETUS_TRY(open_block(Kind::kControl));
  const Bytes bytes = ByteWriter().field(control_key).field(value).take();
  block_.insert(block_.end(), bytes.begin(), bytes.end());
  ++content_.rows;
  return {};
}

Result<void> BackupWriter::copied(ByteView control_key, ByteView value) {
  QUIETUS_TRY(open_block(Kind::kCopy));
  const Bytes bytes = ByteWriter().field(control_key).field(value).take();
  block_.insert(block_.end(), bytes.begin(), bytes.end());
  ++content_.rows;
  return {};
}

Result<void> BackupWriter::seal(const KeySeal& seal) {
  QUIETUS_TRY(close_block());
  ByteWriter out;
  out.raw(seal.ring).raw(seal.epoch).u64(seal.log.size).raw(seal.log.root).raw(seal.sealed);
  block_ = out.take();
  kind_ = Kind::kSeal;
  return close_block();
}

Result<BackupContent> BackupWriter::end_rows() {
  QUIETUS_TRY(close_block());
  content_.tree = hasher_.root();
  return content_;
}

Result<void> BackupWriter::manifest(std::string_view note) {
  return write(Kind::kManifest, as_bytes(note));
}

Result<void> BackupWriter::open_block(Kind kind) {
  if (block_.size() >= kBackupBlock || kind_ != kind) QUIETUS_TRY(close_block());
  kind_ = kind;
  return {};
}

Result<void> BackupWriter::close_block() {
  if (block_.empty()) return {};
  ++content_.blocks;
  content_.bytes += block_.size();
  const ByteView content = hasher_.add(static_cast<std::uint8_t>(kind_), block_);
  block_.clear();
  return write(kind_, content);
}

Result<void> BackupWriter::write(Kind kind, ByteView content) {
  const auto number = static_cast<std::uint8_t>(kind);
  QUIETUS_TRY(
      sink_(ByteWriter().u8(number).u32(static_cast<std::uint32_t>(content.size())).view()));
  return sink_(content);
}

Result<void> BackupReader::must_read(MutableBytes to) {
  QUIETUS_TRY_AS(const std::size_t got, fill_from(source_, to));
  if (got < to.size()) return not_a_backup("it ends before its manifest");
  return {};
}

Result<BackupHead> BackupReader::head() {
  std::array<std::uint8_t, kBackupMagic.size() + 2> begin{};
  QUIETUS_TRY_AS(const std::size_t got, fill_from(source_, begin));
  if (got < begin.size() || as_text(begin).substr(0, kBackupMagic.size()) != kBackupMagic)
    return not_a_backup("this is none");
  ByteReader in(ByteView(begin).subspan(kBackupMagic.size()));
  if (in.u16() != kBackupVersion)
    return Error(ErrorCode::kUnsupported, "backup: written by a newer version of quietus");
  QUIETUS_TRY_AS(const Kind kind, read_block());
  if (kind != Kind::kHead) return not_a_backup("its first block is of another kind");
  QUIETUS_TRY_AS(head_, decode_head(block_));
  return head_;
}

Result<BackupReader::Kind> BackupReader::read_block() {
  std::array<std::uint8_t, 5> begin{};
  QUIETUS_TRY(must_read(begin));
  ByteReader in(begin);
  const std::uint8_t kind = in.u8();
  const std::uint32_t size = in.u32();
  if (kind < 1 || kind > static_cast<std::uint8_t>(Kind::kManifest) || size > kMaxBackupBlock)
    return not_a_backup("a block is malformed");
  room_.resize(size);
  QUIETUS_TRY(must_read(room_));
  block_ = room_;
  if (kind != static_cast<std::uint8_t>(Kind::kManifest)) {
    ++content_.blocks;
    content_.bytes += size;
    block_ = hasher_.add(kind, room_);
  }
  return static_cast<Kind>(kind);
}

Result<std::optional<BackupReader::Row>> BackupReader::next() {
  if (kind_ == Kind::kManifest) return std::optional<Row>();
  if (rest_.rest().empty()) {
    QUIETUS_TRY_AS(const Kind kind, read_block());
    if (kind < kind_ || kind == Kind::kHead) return not_a_backup("its blocks are not in order");
    if (kind != kind_) last_.clear();
    kind_ = kind;
    if (kind == Kind::kSeal) {
      QUIETUS_TRY(parse_seal());
      return next();
    }
    if (kind == Kind::kManifest) {
      note_.assign(block_.begin(), block_.end());
      return std::optional<Row>();
    }
    rest_ = ByteReader(block_);
  }
  QUIETUS_TRY_AS(Row row, parse_row());
  QUIETUS_TRY(check_order(row));
  ++content_.rows;
  if (row.table == RecordTable::kRecords) ++(row.removed ? content_.removed : content_.records);
  return std::optional(row);
}

Result<BackupReader::Row> BackupReader::parse_row() {
  Row row;
  std::uint8_t table = 0;
  if (kind_ == Kind::kRecords) {
    table = rest_.u8();
    row.removed = head_.is_incremental() && (table & kRemoved) != 0;
    if (row.removed) table ^= kRemoved;
    row.table = static_cast<RecordTable>(table);
    row.scope = rest_.u64();
  }
  row.key = rest_.field(kMaxBackupKey);
  if (!row.removed) row.value = rest_.field(kMaxBackupBlock);
  const bool keyless = !row.table && row.key.empty();
  row.copied = kind_ == Kind::kCopy;
  copied_ = copied_ || row.copied;
  if (rest_.failed() || keyless || table > static_cast<std::uint8_t>(RecordTable::kFence))
    return not_a_backup("a row is malformed");
  return row;
}

// Once, and behind the rows that it opens.
Result<void> BackupReader::parse_seal() {
  ByteReader in(block_);
  KeySeal seal;
  seal.ring = in.array<sizeof(RingId)>();
  seal.epoch = in.array<sizeof(EpochId)>();
  seal.log.size = in.u64();
  seal.log.root = in.array<sizeof(Hash)>();
  const ByteView sealed = in.rest();
  seal.sealed.assign(sealed.begin(), sealed.end());
  if (in.failed() || seal_ || !copied_) return not_a_backup("its key seal is malformed");
  seal_ = std::move(seal);
  rest_ = ByteReader({});
  return {};
}

Result<void> BackupReader::check_order(const Row& row) {
  if (row.copied) return {};
  ByteWriter place;
  if (row.table) place.u8(static_cast<std::uint8_t>(*row.table)).u64(row.scope);
  Bytes at = place.raw(row.key).take();
  if (!last_.empty() && !std::ranges::lexicographical_compare(last_, at))
    return not_a_backup("its rows are not in order");
  last_ = std::move(at);
  return {};
}

Result<BackupManifest> BackupReader::finish(const NoteKey& log) {
  if (kind_ != Kind::kManifest) return not_a_backup("not all of it was read");
  std::array<std::uint8_t, 1> more{};
  QUIETUS_TRY_AS(const std::size_t beyond, source_(more));
  if (beyond > 0) return not_a_backup("something comes after its manifest");
  QUIETUS_TRY_AS(const std::string text, open_note(note_, std::span(&log, 1)).within("backup"));
  QUIETUS_TRY_AS(BackupManifest manifest, parse_manifest(text));
  content_.tree = hasher_.root();
  if (copied_ != seal_.has_value() || (seal_ && seal_->log != manifest.log.head))
    return unverified("backup: its key snapshot is not whole");
  if (manifest.content != content_)
    return unverified("backup: its blocks are not those that its manifest names");
  const bool same_base = manifest.base.has_value() == head_.is_incremental() &&
                         (!manifest.base || manifest.base->backup == head_.base);
  if (manifest.vault != head_.vault || manifest.backup != head_.backup ||
      manifest.begun != head_.begun || manifest.expires != head_.expires || !same_base)
    return unverified("backup: its manifest is that of another one");
  if (manifest.log.origin != log.name)
    return unverified("backup: signed by the key of another log than its vault's");
  return manifest;
}

}  // namespace quietus
