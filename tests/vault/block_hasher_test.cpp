// Blocks of a backup, hashed on another thread or here: the tree is the same.
#include <catch2/catch.hpp>

#include <algorithm>

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
  Bytes room;
  ByteView before;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    room = blocks[i];
    const ByteView kept = hasher.add(7, room);
    CHECK(std::ranges::equal(kept, blocks[i]));
    room.assign(std::size_t{1} << 20, 0xFF);  // is nobody's any more
    if (i > 0) CHECK(std::ranges::equal(before, blocks[i - 1]));
    before = kept;
  }
  CHECK(hasher.root() == plain_root(blocks));
  CHECK(hasher.root() == plain_root(blocks));
}

TEST_CASE("a hasher can go while it hashes", "[backup][hasher][concurrent]") {
  for (int i = 0; i < 20; ++i) {
    BlockHasher hasher;
    for (int blocks = 0; blocks < i % 4; ++blocks) {
      Bytes block(std::size_t{4} << 20, 1);
      hasher.add(1, block);
    }
  }
  CHECK(BlockHasher().root() == empty_root());
}

}  // namespace
