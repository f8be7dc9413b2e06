#include "evidence/log_store.hpp"

#include <algorithm>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/unverified.hpp"
#include "crypto/row_seal.hpp"
#include "evidence/tlog_proof.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kEntryPrefix = 'E';
constexpr std::uint8_t kNodePrefix = 'M';
constexpr std::uint8_t kHeadKey = 'H';

Bytes entry_key(std::uint64_t index) {
  return ByteWriter().u8(kEntryPrefix).u64(index).take();
}
Bytes node_key(const NodeId& node) {
  return ByteWriter().u8(kNodePrefix).u8(node.level).u64(node.index).take();
}
Bytes head_key() {
  return {kHeadKey};
}

std::string entry_name(std::uint64_t index) {
  return "log entry " + std::to_string(index);
}
std::string node_name(const NodeId& node) {
  return "log hash of entries from " + std::to_string(node.index << node.level) + " at level " +
         std::to_string(node.level);
}

Error corrupt(std::string what) {
  return {ErrorCode::kCorrupt, std::move(what)};
}
Error gap(std::uint64_t index) {
  return corrupt("gap: " + entry_name(index) + " is missing");
}

Result<void> write_node(ControlWriter& writer, const NodeId& node, const Hash& hash) {
  return writer.put(node_key(node), hash);
}

Result<Hash> range_hash(ControlReader& reader, const LeafRange& range) {
  std::vector<Hash> hashes;
  for (const NodeId& node : complete_nodes(range)) {
    QUIETUS_TRY_AS(const Hash hash, subtree_hash(reader, node));
    hashes.push_back(hash);
  }
  return fold(hashes);
}

Result<std::vector<Hash>> path_hashes(ControlReader& reader, const std::vector<LeafRange>& path) {
  std::vector<Hash> hashes;
  for (const LeafRange& range : path) {
    QUIETUS_TRY_AS(const Hash hash, range_hash(reader, range));
    hashes.push_back(hash);
  }
  return hashes;
}

Result<void> require_size(ControlReader& reader, std::uint64_t size) {
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  if (size > head.size)
    return Error(ErrorCode::kInvalidArgument, "the log never had that many entries");
  return {};
}

// Writes the leaf and every subtree that it completes.
Result<void> write_nodes(ControlWriter& writer, std::uint64_t index, const Hash& leaf) {
  NodeId node{0, index};
  Hash hash = leaf;
  QUIETUS_TRY(write_node(writer, node, hash));
  // Invariant: node is complete and written, hash is its hash.
  while ((node.index & 1) != 0) {
    QUIETUS_TRY_AS(const Hash left, subtree_hash(writer, {node.level, node.index - 1}));
    hash = node_hash(left, hash);
    node = {static_cast<std::uint8_t>(node.level + 1), node.index >> 1};
    QUIETUS_TRY(write_node(writer, node, hash));
  }
  return {};
}

// Walks the log from the first entry on and compares what is stored with what the entries hash to.
class LogAudit {
 public:
  LogAudit(ControlReader& reader, const LogSeal& seal) : reader_(reader), seal_(seal) {}

  Result<TreeHead> run() {
    const auto on_entry = [this](ByteView key, ByteView row) { return check_entry(key, row); };
    const auto on_node = [this](ByteView key, ByteView) { return check_node_key(key); };
    QUIETUS_TRY(reader_.scan(ByteView(&kEntryPrefix, 1), {}, on_entry));
    QUIETUS_TRY_AS(const TreeHead head, check_head());
    QUIETUS_TRY(reader_.scan(ByteView(&kNodePrefix, 1), {}, on_node));
    return head;
  }

 private:
  // Both visitors go on to the next row unless they fail.
  Result<bool> check_entry(ByteView key, ByteView row) {
    if (!std::ranges::equal(key, entry_key(tree_.size()))) return gap(tree_.size());
    Result<Bytes> entry = open_row(seal_.context, seal_.key, seal_.vault, key, row);
    if (!entry) return std::move(entry).error().within(entry_name(tree_.size()));

    QUIETUS_TRY(tree_.push(leaf_hash(*entry), [this](const NodeId& node, const Hash& hash) {
      return compare(node, hash);
    }));
    return true;
  }

  Result<void> compare(const NodeId& node, const Hash& hash) {
    QUIETUS_TRY_AS(const Hash stored, subtree_hash(reader_, node));
    if (stored != hash)
      return unverified("rewritten: " + entry_name(tree_.size()) + ": " + node_name(node) +
                        " is not what they hash to");
    return {};
  }

  // Every node that belongs to the log was compared; this finds the ones that do not.
  Result<bool> check_node_key(ByteView key) const {
    ByteReader row(key);
    row.u8();
    const unsigned level = row.u8();
    const std::uint64_t index = row.u64();
    if (!row.done() || level > 62 || index >= tree_.size() >> level)
      return corrupt("log has a hash beyond entry " + std::to_string(tree_.size()));
    return true;
  }

  Result<TreeHead> check_head() {
    QUIETUS_TRY_AS(const TreeHead head, log_head(reader_));
    if (head.size > tree_.size()) return gap(tree_.size());
    if (head.size < tree_.size())
      return unverified(entry_name(head.size) + " lies beyond the head");
    if (head.root != tree_.root())
      return unverified("rewritten: log root is not what entries up to " +
                        std::to_string(tree_.size()) + " hash to");
    return head;
  }

  ControlReader& reader_;
  const LogSeal& seal_;
  GrowingTree tree_;  // of the entries seen so far
};

}  // namespace

Result<std::uint64_t> append_entry(ControlWriter& writer, const LogSeal& seal, ByteView entry) {
  if (entry.empty() || entry.size() > kMaxLogEntry)
    return Error(ErrorCode::kInvalidArgument, "log entry is empty or too large");
  QUIETUS_TRY_AS(const TreeHead head, log_head(writer));
  const std::uint64_t index = head.size;
  if (index >= kMaxTreeSize) return Error(ErrorCode::kFull, "log is full");

  const Bytes key = entry_key(index);
  QUIETUS_TRY(writer.put(key, seal_row(seal.context, seal.key, seal.vault, key, entry)));
  QUIETUS_TRY(write_nodes(writer, index, leaf_hash(entry)));
  QUIETUS_TRY_AS(const Hash root, range_hash(writer, {0, index + 1}));
  QUIETUS_TRY(writer.put(head_key(), ByteWriter().u64(index + 1).raw(root).view()));
  return index;
}

Result<Hash> subtree_hash(ControlReader& reader, const NodeId& node) {
  QUIETUS_TRY_AS(const std::optional<ByteView> row, reader.get(node_key(node)));
  if (!row || row->size() != sizeof(Hash)) return corrupt(node_name(node) + " is missing");
  return ByteReader(*row).array<sizeof(Hash)>();
}

Result<TreeHead> log_head(ControlReader& reader) {
  QUIETUS_TRY_AS(const std::optional<ByteView> row, reader.get(head_key()));
  if (!row) return TreeHead{0, empty_root()};
  ByteReader fields(*row);
  TreeHead head;
  head.size = fields.u64();
  head.root = fields.array<sizeof(Hash)>();
  if (!fields.done() || head.size > kMaxTreeSize) return corrupt("log head is damaged");
  return head;
}

Result<Bytes> read_entry(ControlReader& reader, const LogSeal& seal, std::uint64_t index) {
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  if (index >= head.size)
    return Error(ErrorCode::kNotFound, entry_name(index) + " is beyond the log");
  const Bytes key = entry_key(index);
  QUIETUS_TRY_AS(const std::optional<ByteView> row, reader.get(key));
  if (!row) return gap(index);
  return open_row(seal.context, seal.key, seal.vault, key, *row).within(entry_name(index));
}

Result<Hash> root_at(ControlReader& reader, std::uint64_t size) {
  QUIETUS_TRY(require_size(reader, size));
  return range_hash(reader, {0, size});
}

Result<std::vector<Hash>> inclusion_proof(ControlReader& reader, std::uint64_t index,
                                          std::uint64_t size) {
  QUIETUS_TRY(require_size(reader, size));
  if (index >= size)
    return Error(ErrorCode::kInvalidArgument, "entry is not in a log of that size");
  return path_hashes(reader, inclusion_path(index, size));
}

Result<std::vector<Hash>> consistency_proof(ControlReader& reader, std::uint64_t old_size,
                                            std::uint64_t size) {
  QUIETUS_TRY(require_size(reader, size));
  if (old_size == 0 || old_size > size)
    return Error(ErrorCode::kInvalidArgument, "no consistency proof between logs of these sizes");
  return path_hashes(reader, consistency_path(old_size, size));
}

Result<ProvenEntry> prove_entry(ControlReader& reader, const LogSeal& seal, std::uint64_t index,
                                std::uint64_t size, std::string_view checkpoint) {
  QUIETUS_TRY_AS(Bytes entry, read_entry(reader, seal, index));
  TlogProof proof;
  proof.index = index;
  proof.checkpoint = checkpoint;
  QUIETUS_TRY_AS(proof.hashes, inclusion_proof(reader, index, size));
  return ProvenEntry{std::move(entry), format_tlog_proof(proof)};
}

Result<TreeHead> verify_log(ControlReader& reader, const LogSeal& seal) {
  return LogAudit(reader, seal).run();
}

}  // namespace quietus
