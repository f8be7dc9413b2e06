// A copy of the key tree that shares no node key with it: the same leaves, each node sealed under a
// new random key, and a control leaf of its own. What is added to either tree later, the other
// one's root key does not open, whatever versions of it lie where (docs/erasure.md, I-26).
#pragma once

#include "base/secret.hpp"
#include "keys/key_tree.hpp"

namespace quietus {

using RowSink = FunctionRef<Result<void>(ByteView key, ByteView value)>;

class TreeCopy {
 public:
  // Borrowed for the life of this object.
  TreeCopy(KeyTree& tree, ControlReader& reader, RowSink sink)
      : tree_(tree), reader_(reader), sink_(sink) {}

  // Hands out the rows of every node, parents first: the root node under `root`, the key that is in
  // `control` replaced by `control_key`. Memory holds one path of nodes. kCorrupt names a damaged
  // node.
  Result<void> run(const RootKey& root, const LeafRef& control, const LeafKey& control_key);

 private:
  using RawKey = KeyTree::RawKey;
  Result<void> copy(TreeNode node, RawKey new_key);
  Result<void> copy_children(const TreeNode& node, ByteView old, ByteView fresh);
  SecretBuffer renew_entries(TreeNode& node) const;
  void put_control(TreeNode& node) const;

  KeyTree& tree_;
  ControlReader& reader_;
  RowSink sink_;
  const LeafRef* control_ = nullptr;
  const LeafKey* control_key_ = nullptr;
};

}  // namespace quietus
