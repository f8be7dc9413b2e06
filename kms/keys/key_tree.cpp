#include "keys/key_tree.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/random.hpp"

namespace quietus {
namespace {

constexpr std::size_t kLeafEntrySize = 8 + kKeySize;
constexpr std::size_t kPrefixSize = 8 + kGcmNonceSize;
constexpr std::uint8_t kRootLevel = kTreeHeight - 1;

std::size_t node_size(std::uint8_t level) {
  return level == 0 ? kLeafNodeEntries * kLeafEntrySize : kInnerNodeEntries * kKeySize;
}

Bytes row_key(std::uint8_t level, std::uint64_t index) {
  return ByteWriter().u8('N').u8(level).u64(index).take();
}

Bytes associated_data(const VaultId& vault, std::uint8_t level, std::uint64_t index,
                      std::uint64_t generation) {
  ByteWriter out;
  out.raw(as_bytes(labels::kNodeData)).raw(vault).u8(level).u64(index).u8(kTreeHeight);
  return out.u64(generation).take();
}

// The index of the node on `level` above the leaf; level 0 holds the leaves themselves.
std::uint64_t node_index(std::uint8_t level, std::uint64_t leaf) {
  std::uint64_t index = leaf / kLeafNodeEntries;
  for (std::uint8_t i = 0; i < level; ++i) index /= kInnerNodeEntries;
  return index;
}

// Where the entry for the leaf stands in its node on `level`.
std::size_t entry_offset(std::uint8_t level, std::uint64_t leaf) {
  if (level == 0) return leaf % kLeafNodeEntries * kLeafEntrySize;
  return node_index(static_cast<std::uint8_t>(level - 1), leaf) % kInnerNodeEntries * kKeySize;
}

bool all_zero(ByteView bytes) {
  std::uint8_t sum = 0;
  for (const std::uint8_t byte : bytes) sum = static_cast<std::uint8_t>(sum | byte);
  return sum == 0;
}

KeyId owner_of(ByteView entry) {
  return ByteReader(entry).u64();
}

Error damaged(std::uint8_t level, std::uint64_t index) {
  return Error(ErrorCode::kCorrupt, "key tree: node " + std::to_string(level) + "/" +
                                        std::to_string(index) + " is damaged");
}

}  // namespace

struct KeyTree::Node {
  std::uint8_t level;
  std::uint64_t index;
  std::uint64_t generation;  // root generation of its last re-key
  SecretBuffer entries;

  static Node empty(std::uint8_t level, std::uint64_t index, std::uint64_t generation) {
    return {level, index, generation, SecretBuffer(node_size(level))};
  }
};

struct KeyTree::Rekey {
  ControlWriter& writer;
  std::uint64_t generation;
  std::vector<LeafRef> not_owned;
};

Result<KeyTree::Node> KeyTree::load(ControlReader& reader, std::uint8_t level, std::uint64_t index,
                                    RawKey key) {
  QUIETUS_TRY_AS(const auto row, reader.get(row_key(level, index)));
  const std::size_t size = node_size(level);
  if (!row || row->size() != kPrefixSize + size + kTagSize) return damaged(level, index);
  ByteReader prefix(row->first(kPrefixSize));
  Node node = Node::empty(level, index, prefix.u64());
  const auto nonce = prefix.array<kGcmNonceSize>();
  const Bytes associated = associated_data(vault_, level, index, node.generation);
  const auto opened = node.entries.fill([&](MutableBytes to) {
    return context_.open(key, nonce, associated, row->subspan(kPrefixSize), to);
  });
  if (!opened) return damaged(level, index);
  return node;
}

Result<void> KeyTree::store(ControlWriter& writer, const Node& node, RawKey key) {
  std::array<std::uint8_t, kGcmNonceSize> nonce{};
  random_bytes(nonce);
  Bytes row = ByteWriter().u64(node.generation).raw(nonce).take();
  row.resize(kPrefixSize + node.entries.size() + kTagSize);
  const Bytes associated = associated_data(vault_, node.level, node.index, node.generation);
  node.entries.expose([&](ByteView entries) {
    context_.seal(key, nonce, associated, entries, MutableBytes(row).subspan(kPrefixSize));
  });
  return writer.put(row_key(node.level, node.index), row);
}

Result<void> KeyTree::create(ControlWriter& writer, std::uint64_t generation) {
  return root_.expose(
      [&](RawKey key) { return store(writer, Node::empty(kRootLevel, 0, generation), key); });
}

Result<void> KeyTree::open_root(ControlReader& reader) {
  return root_.expose([&](RawKey key) -> Result<void> {
    QUIETUS_TRY(load(reader, kRootLevel, 0, key));
    return {};
  });
}

Result<LeafKey> KeyTree::leaf(ControlReader& reader, const LeafRef& leaf) {
  if (leaf.index >= kMaxLeaves) return Error(ErrorCode::kCorrupt, "key tree: no such leaf");
  QUIETUS_TRY_AS(Node node,
                 root_.expose([&](RawKey key) { return load(reader, kRootLevel, 0, key); }));
  while (node.level > 0) {
    const std::size_t offset = entry_offset(node.level, leaf.index);
    const auto below = static_cast<std::uint8_t>(node.level - 1);
    QUIETUS_TRY_AS(node, node.entries.expose([&](ByteView entries) -> Result<Node> {
      const ByteView entry = entries.subspan(offset, kKeySize);
      if (all_zero(entry)) return damaged(below, node_index(below, leaf.index));
      return load(reader, below, node_index(below, leaf.index), entry.first<kKeySize>());
    }));
  }
  return node.entries.expose([&](ByteView entries) -> Result<LeafKey> {
    const ByteView entry = entries.subspan(entry_offset(0, leaf.index), kLeafEntrySize);
    if (owner_of(entry) != leaf.owner || all_zero(entry.subspan(8)))
      return Error(ErrorCode::kCorrupt, "key tree: the leaf belongs to another key");
    return LeafKey::make(
        [&](MutableBytes out) { std::copy_n(entry.begin() + 8, out.size(), out.begin()); });
  });
}

Result<void> KeyTree::add(ControlWriter& writer, const LeafRef& leaf, const LeafKey& key) {
  if (leaf.index >= kMaxLeaves) return Error(ErrorCode::kFull, "key tree: full");
  return root_.expose([&](RawKey root) -> Result<void> {
    QUIETUS_TRY_AS(Node node, load(writer, kRootLevel, 0, root));
    return add_below(writer, std::move(node), root, leaf, key);
  });
}

Result<void> KeyTree::add_below(ControlWriter& writer, Node node, RawKey key, const LeafRef& leaf,
                                const LeafKey& value) {
  const std::size_t offset = entry_offset(node.level, leaf.index);
  if (node.level == 0) {
    const bool written = node.entries.fill([&](MutableBytes entries) {
      const MutableBytes entry = entries.subspan(offset, kLeafEntrySize);
      if (!all_zero(entry)) return false;
      const Bytes owner = ByteWriter().u64(leaf.owner).take();
      std::copy(owner.begin(), owner.end(), entry.begin());
      value.expose([&](ByteView from) { std::copy(from.begin(), from.end(), entry.begin() + 8); });
      return true;
    });
    if (!written) return Error(ErrorCode::kCorrupt, "key tree: the leaf is taken");
    return store(writer, node, key);
  }
  const auto below = static_cast<std::uint8_t>(node.level - 1);
  const std::uint64_t child = node_index(below, leaf.index);
  StackSecret<kKeySize> child_key;
  node.entries.expose([&](ByteView entries) {
    std::copy_n(entries.begin() + static_cast<std::ptrdiff_t>(offset), kKeySize,
                child_key.bytes().begin());
  });
  if (!all_zero(child_key.bytes())) {
    QUIETUS_TRY_AS(Node next, load(writer, below, child, child_key.bytes()));
    return add_below(writer, std::move(next), child_key.bytes(), leaf, value);
  }
  random_bytes(child_key.bytes());
  node.entries.fill([&](MutableBytes entries) {
    std::copy_n(child_key.bytes().begin(), kKeySize,
                entries.begin() + static_cast<std::ptrdiff_t>(offset));
  });
  QUIETUS_TRY(store(writer, node, key));
  return add_below(writer, Node::empty(below, child, node.generation), child_key.bytes(), leaf,
                   value);
}

Result<std::vector<LeafRef>> KeyTree::destroy(ControlWriter& writer, std::vector<LeafRef> leaves,
                                              std::uint64_t new_generation,
                                              const RootKey& new_root) {
  for (const LeafRef& leaf : leaves)
    if (leaf.index >= kMaxLeaves) return Error(ErrorCode::kCorrupt, "key tree: no such leaf");
  std::sort(leaves.begin(), leaves.end(),
            [](const LeafRef& a, const LeafRef& b) { return a.index < b.index; });
  Rekey work{writer, new_generation, {}};
  QUIETUS_TRY_AS(Node root,
                 root_.expose([&](RawKey key) { return load(writer, kRootLevel, 0, key); }));
  QUIETUS_TRY(
      new_root.expose([&](RawKey key) { return rekey(work, std::move(root), key, leaves); }));
  return std::move(work.not_owned);
}

// Requires: leaves sorted by index, all below this node.
Result<void> KeyTree::rekey(Rekey& work, Node node, RawKey new_key,
                            std::span<const LeafRef> leaves) {
  if (node.level > 0) {
    QUIETUS_TRY(rekey_children(work, node, leaves));
  } else {
    node.entries.fill([&](MutableBytes entries) {
      for (const LeafRef& leaf : leaves) {
        const MutableBytes entry = entries.subspan(entry_offset(0, leaf.index), kLeafEntrySize);
        if (owner_of(entry) == leaf.owner)
          std::fill(entry.begin(), entry.end(), std::uint8_t{0});
        else
          work.not_owned.push_back(leaf);
      }
    });
  }
  node.generation = work.generation;
  return store(work.writer, node, new_key);
}

Result<void> KeyTree::rekey_children(Rekey& work, Node& node, std::span<const LeafRef> leaves) {
  const auto below = static_cast<std::uint8_t>(node.level - 1);
  while (!leaves.empty()) {
    const std::uint64_t child = node_index(below, leaves.front().index);
    std::size_t count = 1;
    while (count < leaves.size() && node_index(below, leaves[count].index) == child) ++count;
    const std::size_t offset = entry_offset(node.level, leaves.front().index);
    StackSecret<kKeySize> new_key;
    random_bytes(new_key.bytes());
    QUIETUS_TRY(node.entries.fill([&](MutableBytes entries) -> Result<void> {
      const MutableBytes entry = entries.subspan(offset, kKeySize);
      if (all_zero(entry)) return damaged(below, child);
      QUIETUS_TRY_AS(Node next, load(work.writer, below, child, ByteView(entry).first<kKeySize>()));
      QUIETUS_TRY(rekey(work, std::move(next), new_key.bytes(), leaves.first(count)));
      std::copy(new_key.bytes().begin(), new_key.bytes().end(), entry.begin());
      return {};
    }));
    leaves = leaves.subspan(count);
  }
  return {};
}

}  // namespace quietus
