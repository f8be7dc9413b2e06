#include "evidence/merkle_tree.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "evidence/merkle_reference.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

Hash hash_from_hex(const std::string& text) {
  const Bytes bytes = from_hex(text).value();
  REQUIRE(bytes.size() == sizeof(Hash));
  Hash hash;
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

std::vector<std::string> hex_list(const std::vector<Hash>& hashes) {
  std::vector<std::string> texts;
  texts.reserve(hashes.size());
  for (const Hash& hash : hashes) texts.push_back(to_hex(hash));
  return texts;
}

// The hash of a range through its complete nodes, each hashed by the reference.
Hash folded(const LeafRange& range, const reference::Leaves& leaves) {
  std::vector<Hash> hashes;
  for (const NodeId& node : complete_nodes(range))
    hashes.push_back(reference::root(
        reference::slice(leaves, node.index << node.level, (node.index + 1) << node.level)));
  return fold(hashes);
}

TEST_CASE("roots of the certificate transparency leaves are the published ones", "[merkle]") {
  const auto vectors = own_vectors("merkle/quietus_rfc6962.json");
  reference::Leaves leaves;
  CHECK(empty_root() == hash_from_hex(vectors["ct_roots"][0]));
  for (std::size_t i = 0; i < vectors["ct_leaves"].size(); ++i) {
    const Bytes leaf = from_hex(vectors["ct_leaves"][i].get<std::string>()).value();
    leaves.emplace_back(as_text(leaf));
    const Hash expected = hash_from_hex(vectors["ct_roots"][i + 1]);
    CHECK(reference::root(leaves) == expected);
    CHECK(folded({0, leaves.size()}, leaves) == expected);
  }
}

TEST_CASE("paths name the subtrees whose hashes the vectors list", "[merkle]") {
  const auto vectors = own_vectors("merkle/quietus_rfc6962.json");
  const auto leaves = vectors["leaves_ascii"].get<reference::Leaves>();
  for (std::size_t size = 0; size <= leaves.size(); ++size)
    CHECK(to_hex(folded({0, size}, leaves)) == vectors["roots"][size]);

  for (const auto& test : vectors["inclusion"]) {
    const std::size_t size = test["size"];
    const auto path = inclusion_path(test["index"], size);
    CHECK(hex_list(reference::hashes_of(path, leaves)) ==
          test["proof"].get<std::vector<std::string>>());
  }
  for (const auto& test : vectors["consistency"]) {
    const auto path = consistency_path(test["size1"], test["size2"]);
    CHECK(hex_list(reference::hashes_of(path, leaves)) ==
          test["proof"].get<std::vector<std::string>>());
  }
}

TEST_CASE("paths agree with the recursion of the RFC for every size up to 33", "[merkle]") {
  const auto all = reference::numbered_leaves(33);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const auto leaves = reference::slice(all, 0, size);
    for (std::size_t index = 0; index < size; ++index)
      REQUIRE(reference::hashes_of(inclusion_path(index, size), leaves) ==
              reference::path(index, leaves));
    for (std::size_t old_size = 1; old_size <= size; ++old_size)
      REQUIRE(reference::hashes_of(consistency_path(old_size, size), leaves) ==
              reference::proof(old_size, leaves));
  }
}

TEST_CASE("complete nodes cover a range from left to right without gaps", "[merkle]") {
  const std::uint64_t size = GENERATE(0U, 1U, 2U, 3U, 7U, 8U, 1000003U);
  std::uint64_t at = 0;
  for (const NodeId& node : complete_nodes({0, size})) {
    CHECK(node.index << node.level == at);
    at = (node.index + 1) << node.level;
  }
  CHECK(at == size);
  // The right part of a tree of 7 leaves.
  CHECK(complete_nodes({4, 7}) == std::vector<NodeId>{{1, 2}, {0, 6}});
}

TEST_CASE("paths in the largest tree are short", "[merkle]") {
  CHECK(inclusion_path(kMaxTreeSize - 1, kMaxTreeSize).size() == 62);
  CHECK(inclusion_path(0, kMaxTreeSize).size() == 62);
  CHECK(consistency_path(kMaxTreeSize - 1, kMaxTreeSize).size() <= 63);
}

}  // namespace
}  // namespace quietus::test
