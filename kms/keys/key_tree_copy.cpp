#include "keys/key_tree_copy.hpp"

#include <algorithm>

#include "crypto/random.hpp"
#include "keys/key_tree_node.hpp"

namespace quietus {

Result<void> TreeCopy::run(const RootKey& root, const LeafRef& control,
                           const LeafKey& control_key) {
  control_ = &control;
  control_key_ = &control_key;
  QUIETUS_TRY_AS(TreeNode top, tree_.root_.expose([&](RawKey key) {
    return tree_.load(reader_, kRootLevel, 0, key);
  }));
  return root.expose([&](RawKey key) { return copy(std::move(top), key); });
}

// Keys of what lies below, as they were, and fresh ones in their places.
SecretBuffer TreeCopy::renew_entries(TreeNode& node) const {
  SecretBuffer old_keys(node.entries.size());
  node.entries.fill([&](MutableBytes entries) {
    old_keys.fill([&](MutableBytes old) { std::ranges::copy(entries, old.begin()); });
    for (std::size_t at = 0; at < entries.size(); at += kKeySize)
      if (!tree::all_zero(entries.subspan(at, kKeySize)))
        random_bytes(entries.subspan(at, kKeySize));
  });
  return old_keys;
}

void TreeCopy::put_control(TreeNode& node) const {
  node.entries.fill([&](MutableBytes entries) {
    const MutableBytes entry =
        entries.subspan(tree::entry_offset(0, control_->index), kLeafEntrySize);
    control_key_->expose([&](ByteView from) { std::ranges::copy(from, entry.begin() + 8); });
  });
}

// The node is handed out before what lies below it: the new keys of its children are in it then.
Result<void> TreeCopy::copy(TreeNode node, RawKey new_key) {
  if (node.level == 0) {
    if (tree::node_index(0, control_->index) == node.index) put_control(node);
    return sink_(tree::row_key(node.level, node.index), tree_.sealed(node, new_key));
  }
  const SecretBuffer old_keys = renew_entries(node);
  QUIETUS_TRY(sink_(tree::row_key(node.level, node.index), tree_.sealed(node, new_key)));
  return old_keys.expose([&](ByteView old) {
    return node.entries.expose([&](ByteView fresh) { return copy_children(node, old, fresh); });
  });
}

Result<void> TreeCopy::copy_children(const TreeNode& node, ByteView old, ByteView fresh) {
  const auto below = static_cast<std::uint8_t>(node.level - 1);
  for (std::size_t at = 0; at < fresh.size(); at += kKeySize) {
    if (tree::all_zero(old.subspan(at, kKeySize))) continue;
    const std::uint64_t child = node.index * kInnerNodeEntries + at / kKeySize;
    QUIETUS_TRY_AS(TreeNode next,
                   tree_.load(reader_, below, child, old.subspan(at).first<kKeySize>()));
    QUIETUS_TRY(copy(std::move(next), fresh.subspan(at).first<kKeySize>()));
  }
  return {};
}

}  // namespace quietus
