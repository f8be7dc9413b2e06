// The form of a data backup: one stream of blocks, each hashed, and a signed manifest at its end.
//
//   "QUIETUSB" || version u16 (1), then blocks: kind u8 || size u32 || content
//
//   kind 1, once, first    vault 16 || backup 16 || begun u64 || expires u64 || base 16 || log's
//                          vkey (text)
//   kind 2                 rows of the record store: table u8 || scope u64 || key || value, in the
//                          order of table, scope and key
//   kind 3                 rows of the control store: key || value, in the order of the keys
//   kind 4                 in their place, when there is an escrow ring: rows of a copy of the
//                          control store that opens by itself (key_tree_copy.hpp): key || value,
//                          the root row and the nodes of the tree first
//   kind 5, after those    ring 16 || epoch 16 || log size u64 || log root 32 || the copy's root
//   key,
//                          sealed to that epoch (epoch_seal.hpp; associated data: vault 16 ||
//                          backup 16 || ring 16 || log size u64 || log root 32)
//   kind 6, once, last     the manifest, a C2SP signed note by the vault's log key
//
// Texts, keys and values are length-prefixed (u32), numbers big-endian. The manifest names the root
// of the RFC 6962 tree over the blocks before it: leaf = kind || content. Everything in it is
// ciphertext as it was stored, and opens with the vault's keys alone; of root slots there is
// nothing in it. What a backup holds of the control store is for the loss of the host; a restore
// takes keys from the newest control state at hand.
//
// An incremental backup names a complete one of the same vault as its base, by id in the head
// (zeros: none) and by id and hash of the signed manifest in its own. Its rows of kind 2 are those
// that the base does not have like that; for one that the base has and the vault no longer had,
// there is (table | 0x80) u8 || scope u64 || key. backup_merge.hpp puts both together again.
#pragma once

#include <quietus/scope.hpp>

#include <optional>
#include <string>

#include "base/byte_reader.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "block_hasher.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/log_entry.hpp"
#include "storage/record_store.hpp"

namespace quietus {

inline constexpr std::size_t kBackupBlock = std::size_t{1} << 20;      // bytes; then it is closed
inline constexpr std::size_t kMaxBackupBlock = std::size_t{16} << 20;  // bytes

struct BackupHead {
  VaultId vault{};
  BackupId backup{};
  UnixMillis begun = 0;
  UnixMillis expires = 0;
  BackupId base{};  // zeros: complete
  std::string log_vkey;

  bool is_incremental() const noexcept { return base != BackupId{}; }
};

// What opens the copy of the control state that is in a backup: a key snapshot.
struct KeySeal {
  RingId ring{};
  EpochId epoch{};
  TreeHead log;  // how far the copy reaches
  Bytes sealed;
};
Bytes key_seal_data(const BackupHead& head, const RingId& ring, const TreeHead& log);

// What the blocks before the manifest hold.
struct BackupContent {
  std::uint64_t records = 0;  // rows of RecordTable::kRecords
  std::uint64_t removed = 0;  // of those that the base has: no longer there
  std::uint64_t rows = 0;     // of both stores
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;  // of their contents
  Hash tree{};
  friend bool operator==(const BackupContent&, const BackupContent&) = default;
};

// What an incremental backup is the changes since.
struct BackupBase {
  BackupId backup{};
  Sha256 manifest{};  // of the signed manifest
  friend bool operator==(const BackupBase&, const BackupBase&) = default;
};

// One line each: "quietus-backup/v1", vault, backup, begun, expires, base, records, removed, rows,
// blocks, bytes, tree, log (origin, size and root of the control store's snapshot), tool.
struct BackupManifest {
  VaultId vault{};
  BackupId backup{};
  UnixMillis begun = 0;  // whole seconds
  UnixMillis expires = 0;
  std::optional<BackupBase> base;
  BackupContent content;
  Checkpoint log;
  std::string tool;
};
std::string format_manifest(const BackupManifest& manifest);
Result<BackupManifest> parse_manifest(std::string_view text);  // kUnverified

class BackupWriter {
 public:
  // `sink` is borrowed.
  explicit BackupWriter(const ByteSink& sink) : sink_(sink) {}

  Result<void> head(const BackupHead& head);
  Result<void> row(const RecordKeyRef& row, ByteView value);
  Result<void> removed(const RecordKeyRef& row);  // the base has it
  Result<void> row(ByteView control_key, ByteView value);
  // Rows of a copy, in any order, and then what opens it.
  Result<void> copied(ByteView control_key, ByteView value);
  Result<void> seal(const KeySeal& seal);
  // Closes the last block.
  Result<BackupContent> end_rows();
  Result<void> manifest(std::string_view note);

 private:
  enum class Kind : std::uint8_t {
    kHead = 1,
    kRecords = 2,
    kControl = 3,
    kCopy = 4,
    kSeal = 5,
    kManifest = 6,
  };
  friend class BackupReader;
  Result<void> open_block(Kind kind);
  Result<void> close_block();
  Result<void> write(Kind kind, ByteView content);

  const ByteSink& sink_;
  Kind kind_ = Kind::kHead;
  Bytes block_;
  BlockHasher hasher_;
  BackupContent content_;
};

// Takes a backup apart. Input is hostile: nothing that it hands out counts before finish() has
// answered.
class BackupReader {
 public:
  // `source` is borrowed.
  explicit BackupReader(const ByteSource& source) : source_(source) {}

  // kCorrupt: not a backup; kUnsupported: of a newer version.
  Result<BackupHead> head();

  // The next row; none at the end of the rows. Views are valid until the next call. kCorrupt, also
  // for rows that are not in order.
  struct Row {
    std::optional<RecordTable> table;  // none: of the control store
    ScopeId scope = 0;
    ByteView key;
    ByteView value;
    bool copied = false;   // of a copy of the control store
    bool removed = false;  // of an incremental backup: the base has this row, the vault had not
  };
  Result<std::optional<Row>> next();

  // After the last row: what was read is all that the manifest names, the key `log` signed the
  // manifest, and nothing comes after it. kUnverified; kCorrupt.
  Result<BackupManifest> finish(const NoteKey& log);
  // After the last row: what opens the copied rows; none when there are none.
  const std::optional<KeySeal>& seal() const noexcept { return seal_; }
  // The manifest as it was read.
  const std::string& note() const noexcept { return note_; }

 private:
  using Kind = BackupWriter::Kind;
  Result<Kind> read_block();
  Result<void> must_read(MutableBytes to);
  Result<Row> parse_row();
  Result<void> parse_seal();
  Result<void> check_order(const Row& row);

  const ByteSource& source_;
  BackupHead head_;
  Bytes room_;           // for the next block
  ByteView block_;       // the last one
  ByteReader rest_{{}};  // of the block
  Kind kind_ = Kind::kHead;
  Bytes last_;  // the order of rows
  std::string note_;
  std::optional<KeySeal> seal_;
  bool copied_ = false;  // a row of a copy was seen
  BlockHasher hasher_;
  BackupContent content_;
};

}  // namespace quietus
