#include "keys/key_tree.hpp"

#include <algorithm>

#include "crypto/random.hpp"
#include "keys/key_tree_node.hpp"

namespace quietus {
namespace {

using tree::all_zero;
using tree::damaged;
using tree::entry_offset;
using tree::node_index;

constexpr std::size_t kPrefixSize = 8 + kGcmNonceSize;

Bytes associated_data(const VaultId& vault, std::uint8_t level, std::uint64_t index,
                      std::uint64_t generation) {
  ByteWriter out;
  out.raw(as_bytes(labels::kNodeData)).raw(vault).u8(level).u64(index).u8(kTreeHeight);
  return out.u64(generation).take();
}

KeyId owner_of(ByteView entry) {
  return ByteReader(entry).u64();
}

}  // namespace

Result<TreeNode> KeyTree::load(ControlReader& reader, std::uint8_t level, std::uint64_t index,
                               RawKey key) {
  std::optional<ByteView> row;
  if (overlay_ != 0) {
    QUIETUS_TRY_AS(row, reader.get(tree::staged_key(overlay_, level, index)));
  }
  if (!row) {
    QUIETUS_TRY_AS(row, reader.get(tree::row_key(level, index)));
  }
  TreeNode node = TreeNode::empty(level, index, 0);
  if (!row || row->size() != kPrefixSize + node.entries.size() + kTagSize)
    return damaged(level, index);
  ByteReader prefix(row->first(kPrefixSize));
  node.generation = prefix.u64();
  const auto nonce = prefix.array<kGcmNonceSize>();
  const Bytes associated = associated_data(vault_, level, index, node.generation);
  const auto opened = node.entries.fill([&](MutableBytes to) {
    return context_.open(key, nonce, associated, row->subspan(kPrefixSize), to);
  });
  if (!opened) return damaged(level, index);
  return node;
}

Bytes KeyTree::sealed(const TreeNode& node, RawKey key) {
  std::array<std::uint8_t, kGcmNonceSize> nonce{};
  random_bytes(nonce);
  Bytes row = ByteWriter().u64(node.generation).raw(nonce).take();
  row.resize(kPrefixSize + node.entries.size() + kTagSize);
  const Bytes associated = associated_data(vault_, node.level, node.index, node.generation);
  node.entries.expose([&](ByteView entries) {
    context_.seal(key, nonce, associated, entries, MutableBytes(row).subspan(kPrefixSize));
  });
  return row;
}

// At the usual place, where it is the newest version: a staged one of before goes.
Result<void> KeyTree::store(ControlWriter& writer, const TreeNode& node, RawKey key) {
  if (stay_staged_)
    return writer.put(tree::staged_key(overlay_, node.level, node.index), sealed(node, key));
  if (overlay_ != 0) QUIETUS_TRY(writer.remove(tree::staged_key(overlay_, node.level, node.index)));
  return writer.put(tree::row_key(node.level, node.index), sealed(node, key));
}

Result<void> KeyTree::create(ControlWriter& writer, std::uint64_t generation) {
  return root_.expose(
      [&](RawKey key) { return store(writer, TreeNode::empty(kRootLevel, 0, generation), key); });
}

Result<void> KeyTree::open_root(ControlReader& reader) {
  return root_.expose([&](RawKey key) -> Result<void> {
    QUIETUS_TRY(load(reader, kRootLevel, 0, key));
    return {};
  });
}

Result<LeafKey> KeyTree::leaf(ControlReader& reader, const LeafRef& leaf) {
  if (leaf.index >= kMaxLeaves) return Error(ErrorCode::kCorrupt, "key tree: no such leaf");
  QUIETUS_TRY_AS(TreeNode node,
                 root_.expose([&](RawKey key) { return load(reader, kRootLevel, 0, key); }));
  while (node.level > 0) {
    const std::size_t offset = entry_offset(node.level, leaf.index);
    const auto below = static_cast<std::uint8_t>(node.level - 1);
    QUIETUS_TRY_AS(node, node.entries.expose([&](ByteView entries) -> Result<TreeNode> {
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
    QUIETUS_TRY_AS(TreeNode node, load(writer, kRootLevel, 0, root));
    return add_below(writer, std::move(node), root, leaf, key);
  });
}

Result<void> KeyTree::add_below(ControlWriter& writer, TreeNode node, RawKey key,
                                const LeafRef& leaf, const LeafKey& value) {
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
    QUIETUS_TRY_AS(TreeNode next, load(writer, below, child, child_key.bytes()));
    return add_below(writer, std::move(next), child_key.bytes(), leaf, value);
  }
  random_bytes(child_key.bytes());
  node.entries.fill([&](MutableBytes entries) {
    std::copy_n(child_key.bytes().begin(), kKeySize,
                entries.begin() + static_cast<std::ptrdiff_t>(offset));
  });
  QUIETUS_TRY(store(writer, node, key));
  return add_below(writer, TreeNode::empty(below, child, node.generation), child_key.bytes(), leaf,
                   value);
}

Result<std::vector<LeafRef>> KeyTree::destroy(ControlWriter& writer, std::vector<LeafRef> leaves,
                                              std::uint64_t new_generation,
                                              const RootKey& new_root) {
  for (const LeafRef& leaf : leaves)
    if (leaf.index >= kMaxLeaves) return Error(ErrorCode::kCorrupt, "key tree: no such leaf");
  std::sort(leaves.begin(), leaves.end(),
            [](const LeafRef& a, const LeafRef& b) { return a.index < b.index; });
  Rekey work{writer, new_generation, false, {}};
  QUIETUS_TRY_AS(TreeNode root,
                 root_.expose([&](RawKey key) { return load(writer, kRootLevel, 0, key); }));
  QUIETUS_TRY(
      new_root.expose([&](RawKey key) { return rekey(work, std::move(root), key, leaves); }));
  return std::move(work.not_owned);
}

// Requires: leaves sorted by index, all below this node.
Result<void> KeyTree::rekey(Rekey& work, TreeNode node, RawKey new_key,
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
  if (!work.staged) return store(work.writer, node, new_key);
  return work.writer.put(tree::staged_key(work.generation, node.level, node.index),
                         sealed(node, new_key));
}

Result<void> KeyTree::rekey_children(Rekey& work, TreeNode& node, std::span<const LeafRef> leaves) {
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
      QUIETUS_TRY_AS(TreeNode next,
                     load(work.writer, below, child, ByteView(entry).first<kKeySize>()));
      QUIETUS_TRY(rekey(work, std::move(next), new_key.bytes(), leaves.first(count)));
      std::copy(new_key.bytes().begin(), new_key.bytes().end(), entry.begin());
      return {};
    }));
    leaves = leaves.subspan(count);
  }
  return {};
}

}  // namespace quietus
