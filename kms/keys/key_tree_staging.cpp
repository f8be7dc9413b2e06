#include "keys/key_tree_staging.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "keys/key_tree_node.hpp"

namespace quietus {
namespace {

Bytes staged_prefix(std::uint64_t generation) {
  return ByteWriter().u8('n').u64(generation).take();
}

Result<std::vector<Bytes>> keys_below(ControlReader& reader, ByteView prefix, std::size_t limit) {
  std::vector<Bytes> keys;
  QUIETUS_TRY(reader.scan(prefix, {}, [&](ByteView key, ByteView) -> Result<bool> {
    if (keys.size() == limit) return false;
    keys.emplace_back(key.begin(), key.end());
    return true;
  }));
  return keys;
}

}  // namespace

Result<std::uint64_t> TreeStaging::run(std::uint64_t generation, const RootKey& new_root) {
  generation_ = generation;
  destroyed_ = 0;
  QUIETUS_TRY(tree_.root_.expose([&](RawKey old_key) {
    return new_root.expose([&](RawKey new_key) {
      return stage(Place{kRootLevel, 0}, old_key, new_key);
    });
  }));
  return destroyed_;
}

// Requires: there are doomed leaves below, unless it is the root node.
Result<void> TreeStaging::stage(const Place& at, RawKey old_key, RawKey new_key) {
  if (at.level == subtree_level_) return stage_subtree(at, old_key, new_key);
  std::optional<TreeNode> node;
  QUIETUS_TRY(control_.read([&](ControlReader& reader) -> Result<void> {
    QUIETUS_TRY_AS(node, tree_.load(reader, at.level, at.index, old_key));
    return {};
  }));
  QUIETUS_TRY(stage_children(*node));
  node->generation = generation_;
  return control_.update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(tree::staged_key(generation_, at.level, at.index),
                      tree_.sealed(*node, new_key));
  });
}

Result<void> TreeStaging::stage_children(TreeNode& node) {
  const auto below = static_cast<std::uint8_t>(node.level - 1);
  std::uint64_t from = node.index * tree::leaves_below(node.level);
  const std::uint64_t end = from + tree::leaves_below(node.level);
  while (from < end) {
    std::optional<std::uint64_t> leaf;
    QUIETUS_TRY(control_.read([&](ControlReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(leaf, doomed_.next(reader, from));
      return {};
    }));
    if (!leaf || *leaf >= end) return {};
    const std::uint64_t child = tree::node_index(below, *leaf);
    StackSecret<kKeySize> new_key;
    random_bytes(new_key.bytes());
    QUIETUS_TRY(node.entries.fill([&](MutableBytes entries) -> Result<void> {
      const MutableBytes entry = entries.subspan(tree::entry_offset(node.level, *leaf), kKeySize);
      if (tree::all_zero(entry)) return tree::damaged(below, child);
      QUIETUS_TRY(stage({below, child}, ByteView(entry).first<kKeySize>(), new_key.bytes()));
      std::copy(new_key.bytes().begin(), new_key.bytes().end(), entry.begin());
      return {};
    }));
    from = (child + 1) * tree::leaves_below(below);
  }
  return {};
}

Result<void> TreeStaging::stage_subtree(const Place& at, RawKey old_key, RawKey new_key) {
  const std::uint64_t from = at.index * tree::leaves_below(at.level);
  std::uint64_t leaves = 0;
  QUIETUS_TRY(control_.update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const auto doomed,
                   doomed_.between(writer, from, from + tree::leaves_below(at.level)));
    leaves = doomed.size();
    QUIETUS_TRY_AS(TreeNode node, tree_.load(writer, at.level, at.index, old_key));
    KeyTree::Rekey work{writer, generation_, true, {}};
    QUIETUS_TRY(tree_.rekey(work, std::move(node), new_key, doomed));
    if (work.not_owned.empty()) return {};
    return Error(ErrorCode::kCorrupt, "key tree: a leaf is not its key's; nothing was destroyed");
  }));
  destroyed_ += leaves;
  QUIETUS_FAILPOINT("batch/after-subtree");
  return {};
}

Result<void> carry_over(ControlWriter& writer, KeyTree& stands, KeyTree& staged,
                        std::span<const LeafRef> added) {
  std::vector<std::pair<LeafRef, LeafKey>> missing;
  for (const LeafRef& leaf : added) {
    if (staged.leaf(writer, leaf)) continue;
    QUIETUS_TRY_AS(LeafKey key, stands.leaf(writer, leaf));
    missing.emplace_back(leaf, std::move(key));
  }
  staged.stay_staged();
  for (const auto& [leaf, key] : missing) QUIETUS_TRY(staged.add(writer, leaf, key));
  return {};
}

Result<bool> fold_staged_nodes(ControlWriter& writer, std::uint64_t generation, std::size_t limit) {
  const Bytes prefix = staged_prefix(generation);
  QUIETUS_TRY_AS(const auto keys, keys_below(writer, prefix, limit));
  for (const Bytes& key : keys) {
    QUIETUS_TRY_AS(const auto row, writer.get(key));
    const Bytes node(row->begin(), row->end());
    ByteReader place(ByteView(key).subspan(prefix.size()));
    const std::uint8_t level = place.u8();
    const std::uint64_t index = place.u64();
    if (!place.done()) return tree::damaged(level, index);
    QUIETUS_TRY(writer.put(tree::row_key(level, index), node));
    QUIETUS_TRY(writer.remove(key));
  }
  return keys.size() < limit;
}

}  // namespace quietus
