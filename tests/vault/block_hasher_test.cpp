// Blocks of a backup, hashed on another thread or here: the tree is the same.
#include <catch2/catch.hpp>

#include <quietus/result.hpp>

#include "block_hasher.hpp"

using namespace quietus;

namespace {

Hash plain_root(const std::vector<Bytes>& blocks) {
  std::vector<Hash> level;
  for (const Bytes& block : blocks) {
    Bytes leaf = {7};
    leaf.insert(leaf.end(), block.begin(), block.end());
    level.push_back(leaf_hash(leaf));
  }
  GrowingTree tree;
  for (const Hash& leaf : level)
    static_cast<void>(tree.push(leaf, [](NodeId, const Hash&) { return Result<void>(); }));
  return tree.root();
}

TEST_CASE("blocks of any size make the tree that they are the leaves of",
          "[backup][hasher][concurrent]") {
  std::vector<Bytes> blocks;
  for (const std::size_t size :
       {0UL, 1UL, 131'071UL, 131'072UL, 131'073UL, 1UL << 20, 5UL, 3UL << 20, 1UL << 20})
    blocks.emplace_back(size, static_cast<std::uint8_t>(blocks.size()));
  BlockHasher hasher;
  Bytes kept[2];  // as those who use it: one is filled while the other is hashed
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    kept[i % 2] = blocks[i];
    hasher.add(7, kept[i % 2]);
  }
  CHECK(hasher.root() == plain_root(blocks));
  CHECK(hasher.root() == plain_root(blocks));
}

TEST_CASE("a hasher can go while it hashes", "[backup][hasher][concurrent]") {
  const Bytes block(std::size_t{4} << 20, 1);
  for (int i = 0; i < 20; ++i) {
    BlockHasher hasher;
    hasher.add(1, block);
    if (i % 2 == 0) hasher.settle();
  }
  CHECK(BlockHasher().root() == empty_root());
}

}  // namespace
