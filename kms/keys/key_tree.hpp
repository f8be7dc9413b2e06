// The key tree: a keyed secure-deletion tree (after Reardon, Ritzdorf, Basin and Capkun, CCS 2013).
// A radix tree over leaf indices; each node is sealed under its own random key, which exists only
// in its parent, and the root node's key exists only in a root slot. Destroying leaves gives every
// node from them to the root a new key, so every older version of those nodes, wherever a copy of
// it lies, needs a root key that is gone.
//
//   "N" || level u8 || node index u64 -> re-key generation u64 || nonce 12 || sealed entries || tag
//   16 level 0: 100 entries of owner key id u64 || key 32; levels above: 126 entries of node key 32
//   AES-256-GCM; associated data: "quietus/v1/ad/node" || vault id || level u8 || index u64 ||
//   height u8 || re-key generation u64. A zero entry is empty.
//
// A sealed node fills one LMDB overflow page. Nonces are random: a node is rewritten under one key
// at most once per entry added.
//
// A large change is staged beside the tree, in as many transactions as it takes, under a new root
// key that no root row names yet (key_tree_staging.hpp):
//
//   "n" || staged root generation u64 || level u8 || node index u64 -> as above
//
// Once the root row names that generation, its staged nodes are in force: where there is one, the
// node at the usual place is an old version.
#pragma once

#include <quietus/result.hpp>

#include <span>
#include <vector>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"
#include "storage/control_store.hpp"

namespace quietus {

inline constexpr std::uint8_t kTreeHeight = 4;  // 100 * 126^3 leaves: 200 million
inline constexpr std::uint64_t kLeafNodeEntries = 100;
inline constexpr std::uint64_t kInnerNodeEntries = 126;
inline constexpr std::uint64_t kMaxLeaves =
    kLeafNodeEntries * kInnerNodeEntries * kInnerNodeEntries * kInnerNodeEntries;

struct LeafRef {
  KeyId owner = 0;
  std::uint64_t index = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): the zero is in the compiler's own comparison
  friend auto operator<=>(const LeafRef&, const LeafRef&) = default;
};

struct TreeNode;

class KeyTree {
 public:
  // The tree as sealed under `root`, with the staged nodes of root generation `overlay` in force
  // (0: none). All arguments are borrowed for the life of this object.
  KeyTree(const VaultId& vault, const RootKey& root, GcmContext& context, std::uint64_t overlay = 0)
      : vault_(vault), root_(root), context_(context), overlay_(overlay) {}

  // From now on what is written stays staged, beside the tree that stands.
  void stay_staged() noexcept { stay_staged_ = true; }

  // Writes the root node of an empty tree.
  Result<void> create(ControlWriter& writer, std::uint64_t generation);

  // Whether the root node opens under the key. kCorrupt.
  Result<void> open_root(ControlReader& reader);

  // kCorrupt when a node on the path does not authenticate or the entry belongs to somebody else.
  Result<LeafKey> leaf(ControlReader& reader, const LeafRef& leaf);

  // Puts a key into an empty entry; the nodes on its path keep their keys. kCorrupt when it is
  // taken.
  Result<void> add(ControlWriter& writer, const LeafRef& leaf, const LeafKey& key);

  // Zeroes the entries and seals every node from them to the root under new keys, the root node
  // under `new_root`. With no leaves it re-keys the root node alone. An entry that is not its
  // owner's is left alone and returned. kCorrupt names a damaged node and changes nothing once
  // rolled back.
  Result<std::vector<LeafRef>> destroy(ControlWriter& writer, std::vector<LeafRef> leaves,
                                       std::uint64_t new_generation, const RootKey& new_root);

 private:
  friend class TreeCopy;
  friend class TreeStaging;
  using RawKey = std::span<const std::uint8_t, kKeySize>;
  Result<TreeNode> load(ControlReader& reader, std::uint8_t level, std::uint64_t index, RawKey key);
  Bytes sealed(const TreeNode& node, RawKey key);
  Result<void> store(ControlWriter& writer, const TreeNode& node, RawKey key);
  Result<void> add_below(ControlWriter& writer, TreeNode node, RawKey key, const LeafRef& leaf,
                         const LeafKey& value);
  struct Rekey {
    ControlWriter& writer;
    std::uint64_t generation;  // the new one
    bool staged;               // beside the tree
    std::vector<LeafRef> not_owned;
  };
  Result<void> rekey(Rekey& work, TreeNode node, RawKey new_key, std::span<const LeafRef> leaves);
  Result<void> rekey_children(Rekey& work, TreeNode& node, std::span<const LeafRef> leaves);

  const VaultId& vault_;
  const RootKey& root_;
  GcmContext& context_;
  std::uint64_t overlay_;
  bool stay_staged_ = false;
};

}  // namespace quietus
