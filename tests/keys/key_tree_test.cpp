#include "keys/key_tree.hpp"

#include <map>
#include <random>
#include <set>

#include "keys/sample_tree.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

TEST_CASE("a leaf is what was added, under its owner's id", "[tree]") {
  Tree tree;
  const std::uint64_t index =
      GENERATE(0ULL, 99ULL, 100ULL, 12599ULL, 12600ULL, 1587600ULL, std::uint64_t{kMaxLeaves - 1});
  const Bytes key = tree.add_random({7, index});
  CHECK(bytes_of(must(tree.leaf({7, index}))) == key);
  CHECK_FAILS_WITH(tree.leaf({8, index}), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(tree.leaf({7, index ^ 1}), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(tree.leaf({0, index ^ 1}), ErrorCode::kCorrupt);
}

TEST_CASE("indices beyond the tree are refused", "[tree]") {
  Tree tree;
  for (const std::uint64_t index : {kMaxLeaves, ~std::uint64_t{0}}) {
    CHECK_FAILS_WITH(tree.tree().add(tree.store, {7, index}, random_key<LeafRole>()),
                     ErrorCode::kFull);
    CHECK_FAILS_WITH(tree.leaf({7, index}), ErrorCode::kCorrupt);
    CHECK_FAILS_WITH(tree.destroy({{7, index}}), ErrorCode::kCorrupt);
  }
}

TEST_CASE("an entry that is taken is not written over", "[tree]") {
  Tree tree;
  const Bytes key = tree.add_random({7, 5});
  CHECK_FAILS_WITH(tree.tree().add(tree.store, {8, 5}, random_key<LeafRole>()),
                   ErrorCode::kCorrupt);
  CHECK(bytes_of(must(tree.leaf({7, 5}))) == key);
}

TEST_CASE("adding a leaf changes neither the root key nor any node key", "[tree]") {
  Tree tree;
  tree.add_random({1, 0});
  const auto before = tree.store.rows;
  const std::size_t written = tree.store.written.size();
  tree.add_random({2, 1});
  CHECK(tree.store.written.size() - written == 1);
  // The nodes of before still open the way they did: put back, they show the tree of before.
  const auto after = tree.store.rows;
  tree.store.rows = before;
  CHECK(tree.leaf({1, 0}).ok());
  CHECK_FAILS_WITH(tree.leaf({2, 1}), ErrorCode::kCorrupt);
  tree.store.rows = after;
  CHECK(tree.leaf({2, 1}).ok());
}

TEST_CASE("the tree behaves like a map, and what was destroyed opens for nobody", "[tree]") {
  std::mt19937_64 random(GENERATE(1U, 2U, 3U));
  Tree tree;
  std::map<LeafRef, Bytes> model;
  std::set<std::uint64_t> used;
  std::vector<Bytes> destroyed;
  KeyId next_owner = 1;
  const std::vector<std::uint64_t> regions = {0, 100, 12600, 12700, 1587600, 3175200};
  const auto add = [&] {
    const std::uint64_t index = regions[random() % regions.size()] + random() % 4;
    if (!used.insert(index).second) return;
    const LeafRef leaf{next_owner++, index};
    model[leaf] = tree.add_random(leaf);
  };
  const auto destroy = [&] {
    std::vector<LeafRef> chosen;
    for (const auto& entry : model)
      if (random() % 5 == 0) chosen.push_back(entry.first);
    std::shuffle(chosen.begin(), chosen.end(), random);
    CHECK(must(tree.destroy(chosen)).empty());
    for (const LeafRef& leaf : chosen) {
      destroyed.push_back(model[leaf]);
      used.erase(leaf.index);
      model.erase(leaf);
      CHECK_FAILS_WITH(tree.leaf(leaf), ErrorCode::kCorrupt);
    }
  };
  for (int step = 0; step < 60; ++step) {
    if (random() % 4 == 0)
      destroy();
    else
      add();
    for (const auto& [leaf, key] : model) CHECK(bytes_of(must(tree.leaf(leaf))) == key);
  }
  REQUIRE(destroyed.size() > 5);
  const TreeAdversary adversary(tree);
  for (const auto& entry : model) CHECK(adversary.has(entry.second));
  for (const Bytes& key : destroyed) CHECK_FALSE(adversary.has(key));
}

TEST_CASE("the adversary of these tests finds what a root key of before would open", "[tree]") {
  Tree tree;
  const Bytes key = tree.add_random({1, 0});
  const RootKey before = tree.root.duplicate();
  must(tree.destroy({{1, 0}}));
  CHECK_FALSE(TreeAdversary(tree).has(key));
  tree.root = before.duplicate();
  CHECK(TreeAdversary(tree).has(key));
}

TEST_CASE("C4: nodes of a change that never committed open nothing that was destroyed", "[tree]") {
  Tree tree;
  const Bytes erased = tree.add_random({1, 0});
  const Bytes kept = tree.add_random({2, 1});
  // An attempt writes its nodes, and the transaction is given up: its root key is abandoned.
  const auto before = tree.store.rows;
  const RootKey abandoned = random_key<RootRole>();
  must(tree.tree().destroy(tree.store, {{2, 1}}, 2, abandoned));
  tree.store.rows = before;
  must(tree.destroy({{1, 0}}));
  CHECK_FALSE(TreeAdversary(tree).has(erased));
  CHECK(TreeAdversary(tree).has(kept));
  // With the abandoned key it would: that is why its slot must go before an erasure is complete.
  tree.root = abandoned.duplicate();
  CHECK(TreeAdversary(tree).has(erased));
}

TEST_CASE("I6: an index that is somebody else's by now is left alone and told", "[tree]") {
  Tree tree;
  const Bytes others = tree.add_random({8, 3});
  const Bytes own = tree.add_random({9, 4});
  const auto not_owned = must(tree.destroy({{7, 3}, {9, 4}, {7, 5}}));
  CHECK(not_owned == std::vector<LeafRef>{{7, 3}, {7, 5}});
  CHECK(bytes_of(must(tree.leaf({8, 3}))) == others);
  CHECK_FAILS_WITH(tree.leaf({9, 4}), ErrorCode::kCorrupt);
  CHECK_FALSE(TreeAdversary(tree).has(own));
}

TEST_CASE("I5: a damaged node on the path is refused and named", "[tree]") {
  Tree tree;
  tree.add_random({1, 12600});
  tree.add_random({2, 0});
  const std::uint8_t level =
      GENERATE(std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3});
  const std::uint64_t index = level == 0 ? 126 : level == 1 ? 1 : 0;
  const bool missing = GENERATE(false, true);
  const auto before = tree.store.rows;
  Bytes& node = tree.store.rows.at(node_key(level, index));
  if (missing)
    tree.store.rows.erase(node_key(level, index));
  else
    node[100] ^= 1;
  const auto damaged = tree.store.rows;
  const auto failed = tree.leaf({1, 12600});
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().context().find("node " + std::to_string(level) + "/") != std::string::npos);
  CHECK_FAILS_WITH(tree.tree().add(tree.store, {3, 12601}, random_key<LeafRole>()),
                   ErrorCode::kCorrupt);
  tree.store.rows = damaged;
  CHECK_FAILS_WITH(tree.destroy({{1, 12600}}), ErrorCode::kCorrupt);
  // What lies elsewhere can still be destroyed, and the rest is whole once the node is repaired.
  tree.store.rows = damaged;
  if (level < 2) {
    must(tree.destroy({{2, 0}}));
    tree.store.rows[node_key(level, index)] = before.at(node_key(level, index));
    CHECK(tree.leaf({1, 12600}).ok());
  }
}

TEST_CASE("a node cannot be moved, nor put back from before its path was given new keys",
          "[tree]") {
  Tree tree;
  tree.add_random({1, 0});
  tree.add_random({2, 100});
  tree.add_random({3, 1});
  const auto before = tree.store.rows;
  tree.store.rows[node_key(0, 1)] = before.at(node_key(0, 0));
  CHECK_FAILS_WITH(tree.leaf({2, 100}), ErrorCode::kCorrupt);
  tree.store.rows = before;
  must(tree.destroy({{1, 0}}));
  const auto after = tree.store.rows;
  for (std::uint8_t level = 0; level < kTreeHeight; ++level) {
    tree.store.rows = after;
    tree.store.rows[node_key(level, 0)] = before.at(node_key(level, 0));
    CHECK_FAILS_WITH(tree.leaf({3, 1}), ErrorCode::kCorrupt);
  }
}

TEST_CASE("a tree is bound to its vault", "[tree]") {
  Tree tree;
  must(tree.tree().open_root(tree.store));
  tree.vault = vault_id(2);
  CHECK_FAILS_WITH(tree.tree().open_root(tree.store), ErrorCode::kCorrupt);
}

TEST_CASE("destroying nothing gives the root node a new key and leaves the rest", "[tree]") {
  Tree tree;
  const Bytes key = tree.add_random({1, 0});
  const RootKey before = tree.root.duplicate();
  const std::size_t written = tree.store.written.size();
  must(tree.destroy({}));
  CHECK(tree.store.written.size() - written == 1);
  CHECK(bytes_of(must(tree.leaf({1, 0}))) == key);
  KeyTree old(tree.vault, before, *tree.context);
  CHECK_FAILS_WITH(old.open_root(tree.store), ErrorCode::kCorrupt);
}

TEST_CASE("twenty thousand leaves span nodes, and destroying shares their rewriting", "[tree]") {
  constexpr std::uint64_t kLeaves = 20000;
  Tree tree;
  std::vector<Bytes> keys;
  for (std::uint64_t i = 0; i < kLeaves; ++i) keys.push_back(tree.add_random({i + 1, i}));
  CHECK(tree.store.rows.size() == 200 + 2 + 1 + 1);
  const auto writes_of = [&](const std::vector<LeafRef>& leaves) {
    const std::size_t before = tree.store.written.size();
    CHECK(must(tree.destroy(leaves)).empty());
    return tree.store.written.size() - before;
  };
  CHECK(writes_of({{1, 0}}) == kTreeHeight);
  std::vector<LeafRef> same_node;
  for (std::uint64_t i = 1; i < 100; ++i) same_node.push_back({i + 1, i});
  CHECK(writes_of(same_node) == kTreeHeight);
  std::vector<LeafRef> one_of_each;
  for (std::uint64_t i = 150; i < kLeaves; i += 100) one_of_each.push_back({i + 1, i});
  CHECK(writes_of(one_of_each) == 199 + 2 + 1 + 1);
  std::vector<LeafRef> many;
  for (std::uint64_t i = 200; i < kLeaves; ++i)
    if (i % 100 != 50) many.push_back({i + 1, i});
  CHECK(writes_of(many) == 198 + 2 + 1 + 1);
  CHECK(bytes_of(must(tree.leaf({102, 101}))) == keys[101]);
  for (const std::uint64_t i : {0U, 50U, 150U, 250U, 19999U})
    CHECK_FAILS_WITH(tree.leaf({i + 1, i}), ErrorCode::kCorrupt);
  std::set<Bytes> nonces;
  for (const auto& row : tree.store.written)
    nonces.emplace(row.second.begin() + 8, row.second.begin() + kNodePrefix);
  CHECK(nonces.size() == tree.store.written.size());
}
