// Destroying any number of leaves: the tree's new nodes are written beside it, one subtree in a
// transaction, and are in force once a root row names their generation. Memory holds one path of
// nodes and the leaves below one node of level 1.
//
// Nothing here changes the tree that stands. Leaves may be added to it meanwhile: a staged node
// that was written before lacks them, so whoever puts the staged nodes in force adds them again.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "keys/key_tree.hpp"

namespace quietus {

// The leaves that are to be destroyed, by their indices.
class DoomedLeaves {
 public:
  virtual ~DoomedLeaves() = default;
  // The lowest index that is not below `from`.
  virtual Result<std::optional<std::uint64_t>> next(ControlReader& reader, std::uint64_t from) = 0;
  // All of them in [from, to), ascending.
  virtual Result<std::vector<LeafRef>> between(ControlReader& reader, std::uint64_t from,
                                               std::uint64_t to) = 0;
};

class TreeStaging {
 public:
  // Borrowed for the life of this object. `tree` has no staged nodes in force; no other root change
  // may come in between. In one transaction the nodes below one of `subtree_level` are staged: 1
  // stands for at most 127 nodes, half a mebibyte, 0 for one node.
  TreeStaging(ControlStore& control, KeyTree& tree, DoomedLeaves& doomed,
              std::uint8_t subtree_level = 1)
      : control_(control), tree_(tree), doomed_(doomed), subtree_level_(subtree_level) {}

  // Writes every node from the leaves to the root anew, without the leaves, under new keys, the
  // root node under `new_root`, as staged nodes of `generation`. How many leaves that were. Errors
  // of the control store; kCorrupt names a damaged node, or says that a leaf is another key's.
  Result<std::uint64_t> run(std::uint64_t generation, const RootKey& new_root);

 private:
  using RawKey = KeyTree::RawKey;
  struct Place {
    std::uint8_t level;
    std::uint64_t index;
  };
  Result<void> stage(const Place& at, RawKey old_key, RawKey new_key);
  Result<void> stage_subtree(const Place& at, RawKey old_key, RawKey new_key);
  Result<void> stage_children(TreeNode& node);

  ControlStore& control_;
  KeyTree& tree_;
  DoomedLeaves& doomed_;
  const std::uint8_t subtree_level_;
  std::uint64_t generation_ = 0;
  std::uint64_t destroyed_ = 0;
};

// Adds to the `staged` tree, beside the one that `stands`, what was added to that one since the
// staging began, as far as it is not there already.
Result<void> carry_over(ControlWriter& writer, KeyTree& stands, KeyTree& staged,
                        std::span<const LeafRef> added);

// Of the staged nodes of that generation, which is in force, moves at most `limit` to the usual
// place. True when none is left.
Result<bool> fold_staged_nodes(ControlWriter& writer, std::uint64_t generation, std::size_t limit);

}  // namespace quietus
