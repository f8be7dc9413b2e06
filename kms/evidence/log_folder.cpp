// Verifies a log that was exported as a folder of tiles.
#include <quietus/trust.hpp>

#include <algorithm>
#include <array>

#include "base/byte_reader.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/log_continuity.hpp"
#include "evidence/log_folder.hpp"
#include "evidence/log_tiles.hpp"
#include "storage/file.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kMaxNote = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxBundle = kTileWidth * (2 + 65535);
constexpr std::uint64_t kMaxTile = kTileWidth * sizeof(Hash);

// "entries 256 to 299".
std::string range_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? "entry " + std::to_string(first)
                       : "entries " + std::to_string(first) + " to " + std::to_string(last);
}

struct OpenedNote {
  Checkpoint checkpoint;
  CheckedCheckpoint shown;
};

// With a trust file, what it asks of the newest checkpoint (`quorum`) or of any.
Result<OpenedNote> open_note_with(const std::optional<Trust>& trust, std::string_view note,
                                  bool quorum) {
  QUIETUS_TRY_AS(const SignedNote parsed, parse_note(note).within("checkpoint"));
  QUIETUS_TRY_AS(Checkpoint checkpoint, parse_checkpoint(parsed.text));
  CheckedCheckpoint shown{
      checkpoint.origin, checkpoint.head.size, to_hex(checkpoint.head.root), {}, {}};
  if (trust) {
    QUIETUS_TRY_AS(shown, quorum ? trust->check_checkpoint(note) : trust->open_checkpoint(note));
  }
  return OpenedNote{std::move(checkpoint), std::move(shown)};
}

// Walks the entries from the first one on, and compares the tiles with what they hash to.
class FolderAudit {
 public:
  FolderAudit(const std::filesystem::path& folder, const TreeHead& head)
      : folder_(folder), head_(head) {}

  // The root when the log had `size` entries is kept on the way.
  Result<void> run(std::uint64_t size) {
    wanted_ = size;
    keep_root();
    for (std::uint64_t i = 0; i < tile_count(head_.size, 0); ++i)
      QUIETUS_TRY(check_bundle(tile_at(head_.size, 0, i)));
    if (tree_.root() != head_.root)
      return unverified("rewritten: the entries hash to another root than the checkpoint states");
    return {};
  }
  const Hash& kept_root() const noexcept { return kept_root_; }

 private:
  Result<void> check_bundle(const Tile& tile) {
    const std::uint64_t first = tile.index * kTileWidth;
    const std::uint64_t last = first + tile.width - 1;
    QUIETUS_TRY_AS(const Bytes bundle,
                   read_part(bundle_path(tile), kMaxBundle, "gap: no " + range_text(first, last)));
    ByteReader reader(bundle);
    for (std::uint64_t index = first; index <= last; ++index) {
      const ByteView entry = reader.raw(reader.u16());
      if (reader.failed())
        return unverified("gap: no " + range_text(index, last) + ", or cut short, in " +
                          bundle_path(tile).string());
      QUIETUS_TRY(tree_.push(leaf_hash(entry), [this](const NodeId& node, const Hash& hash) {
        return compare(node, hash);
      }));
      keep_root();
    }
    if (!reader.done())
      return unverified(bundle_path(tile).string() + " holds more than " + range_text(first, last));
    return {};
  }

  // Every eighth level of the tree stands in a tile.
  Result<void> compare(const NodeId& node, const Hash& hash) {
    if (node.level % 8 != 0) return {};
    const auto level = static_cast<std::uint8_t>(node.level / 8);
    const std::size_t at = node.index % kTileWidth;
    const Tile tile = tile_at(head_.size, level, node.index / kTileWidth);
    if (at == 0) {
      QUIETUS_TRY_AS(open_[level], read_tile_file(tile));
    }
    if (!std::ranges::equal(ByteView(open_[level]).subspan(at * sizeof(Hash), sizeof(Hash)), hash))
      return unverified("rewritten: log entry " + std::to_string(tree_.size()) +
                        " is not what hash " + std::to_string(at) + " in " +
                        tile_path(tile).string() + " was made of");
    return {};
  }

  Result<Bytes> read_tile_file(const Tile& tile) const {
    const std::string path = tile_path(tile).string();
    QUIETUS_TRY_AS(Bytes content, read_part(path, kMaxTile, "gap: no hashes"));
    if (content.size() != tile.width * sizeof(Hash))
      return unverified("gap: " + path + " does not hold " + std::to_string(tile.width) +
                        " hashes");
    return content;
  }

  Result<Bytes> read_part(const std::filesystem::path& path, std::uint64_t limit,
                          const std::string& missing) const {
    Result<Bytes> content = read_file(posix_file_system(), folder_ / path, limit);
    if (!content && content.error().code() == ErrorCode::kNotFound)
      return unverified(missing + " (" + path.string() + ")");
    return content;
  }

  void keep_root() {
    if (tree_.size() == wanted_) kept_root_ = tree_.root();
  }

  const std::filesystem::path& folder_;
  const TreeHead& head_;
  std::array<Bytes, kTileLevels> open_;  // the tile of each level that is being compared
  GrowingTree tree_;
  std::uint64_t wanted_ = 0;
  Hash kept_root_{};
};

std::string witness_names(const CheckedCheckpoint& checkpoint) {
  std::string names;
  for (const WitnessStatement& statement : checkpoint.witnesses)
    names += (names.empty() ? "" : ", ") + statement.witness;
  return names;
}

void report_trust(const LogExpectations& expectations, VerifiedLog& log) {
  if (!expectations.trust) {
    log.not_checked.emplace_back(
        "Who signed the checkpoint: no trust file was given, so anybody could have made this log.");
    log.not_checked.emplace_back("Whether witnesses saw the same log.");
    return;
  }
  log.checked.push_back("Signature: the checkpoint is signed by the log's key " +
                        log.head.log_vkey + ".");
  if (expectations.trust->quorum() == "none")
    log.not_checked.emplace_back(
        "Whether others are shown the same log: the trust file asks for no witness.");
  else
    log.checked.push_back("Witnesses: quorum " + expectations.trust->quorum() + " is met by " +
                          witness_names(log.head) + ".");
}

VerifiedLog report(const LogExpectations& expectations, VerifiedLog log) {
  log.checked.push_back("Entries: each of the " + std::to_string(log.head.size) +
                        " hashes to its place in the tiles, and all of them to the root of the "
                        "checkpoint.");
  report_trust(expectations, log);
  if (log.older)
    log.checked.push_back("Continuity: the log goes on from the older checkpoint of " +
                          std::to_string(log.older->size) + " entries; nothing before it changed.");
  else
    log.not_checked.emplace_back(
        "Whether the log was changed or cut since an earlier time: no older checkpoint was given.");
  log.not_checked.emplace_back("Whether what the entries say is true: the log fixes it, no more.");
  return log;
}

}  // namespace

Result<void> read_log_folder(const std::filesystem::path& folder, std::uint64_t size,
                             const Hash& root, VisitEntry visit) {
  GrowingTree tree;
  for (std::uint64_t i = 0; i < tile_count(size, 0); ++i) {
    const Tile tile = tile_at(size, 0, i);
    QUIETUS_TRY_AS(const Bytes bundle,
                   read_file(posix_file_system(), folder / bundle_path(tile), kMaxBundle));
    ByteReader reader(bundle);
    for (std::uint64_t entry = 0; entry < tile.width; ++entry) {
      const ByteView text = reader.raw(reader.u16());
      if (reader.failed())
        return unverified("log: " + bundle_path(tile).string() + " is cut short");
      QUIETUS_TRY(visit(text, tree));
      QUIETUS_TRY(tree.push(leaf_hash(text), [](NodeId, const Hash&) { return Result<void>(); }));
    }
  }
  if (tree.root() != root) return unverified("log: its entries changed while they were read");
  return {};
}

Result<VerifiedLog> verify_log_folder(const std::filesystem::path& folder,
                                      const LogExpectations& expectations) {
  Result<Bytes> note = read_file(posix_file_system(), folder / "checkpoint", kMaxNote);
  if (!note && note.error().code() == ErrorCode::kNotFound)
    return Error(ErrorCode::kNotFound,
                 folder.string() +
                     " holds no checkpoint: it is not an exported log, or the export "
                     "was not finished");
  QUIETUS_TRY(note);
  QUIETUS_TRY_AS(const OpenedNote newest, open_note_with(expectations.trust, as_text(*note), true));
  std::optional<OpenedNote> older;
  if (expectations.older_checkpoint) {
    QUIETUS_TRY_AS(older, open_note_with(expectations.trust, *expectations.older_checkpoint, false)
                              .within("older checkpoint"));
    QUIETUS_TRY(check_not_rolled_back(older->checkpoint, newest.checkpoint));
  }
  FolderAudit audit(folder, newest.checkpoint.head);
  QUIETUS_TRY(audit.run(older ? older->checkpoint.head.size : 0));
  if (older) QUIETUS_TRY(check_not_forked(older->checkpoint, audit.kept_root()));

  VerifiedLog log;
  log.head = newest.shown;
  if (older) log.older = older->shown;
  return report(expectations, std::move(log));
}

}  // namespace quietus
