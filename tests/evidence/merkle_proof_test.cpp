#include "evidence/merkle_proof.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/text_encoding.hpp"
#include "evidence/merkle_reference.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

namespace quietus::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::optional<Hash> hash_of(const json& text) {
  const auto bytes = from_base64(text.get<std::string>());
  if (!bytes || bytes->size() != sizeof(Hash)) return std::nullopt;
  Hash hash;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

// Some vectors have a few bytes where any root would do; a hash of them stands for it.
Hash root_of(const json& text) {
  const std::optional<Hash> hash = hash_of(text);
  return hash ? *hash : sha256(as_bytes(text.get<std::string>()));
}

// Nothing when a hash has the wrong size: a parser refuses that before a verifier sees it.
std::optional<std::vector<Hash>> proof_of(const json& list) {
  std::vector<Hash> hashes;
  if (list.is_null()) return hashes;
  for (const json& text : list) {
    const auto hash = hash_of(text);
    if (!hash) return std::nullopt;
    hashes.push_back(*hash);
  }
  return hashes;
}

bool inclusion_holds(const json& test) {
  const auto leaf = hash_of(test["leafHash"]);
  const auto proof = proof_of(test["proof"]);
  return leaf && proof &&
         verify_inclusion(*leaf, test["leafIdx"], test["treeSize"], *proof, root_of(test["root"]))
             .ok();
}

bool consistency_holds(const json& test) {
  const auto proof = proof_of(test["proof"]);
  return proof && verify_consistency({test["size1"], root_of(test["root1"])},
                                     {test["size2"], root_of(test["root2"])}, *proof)
                      .ok();
}

// Runs `holds` on every file below `folder`; how many there were.
int run_foreign(const std::string& folder, bool (*holds)(const json&)) {
  const fs::path root =
      fs::path(QUIETUS_SHARED_VECTORS) / "merkle/transparency-dev-merkle/testdata" / folder;
  if (!fs::exists(root)) {
    WARN("skipped: no shared vectors (" << folder << ")");
    return 98;
  }
  int count = 0;
  for (const auto& file : fs::recursive_directory_iterator(root)) {
    if (file.path().extension() != ".json") continue;
    INFO(file.path());
    const json test = read_json(file.path());
    CHECK(holds(test) != test["wantErr"].get<bool>());
    ++count;
  }
  return count;
}

TEST_CASE("the 98 inclusion vectors of transparency-dev hold or fail as they say", "[merkle]") {
  CHECK(run_foreign("inclusion", inclusion_holds) == 98);
}

TEST_CASE("the 98 consistency vectors of transparency-dev hold or fail as they say", "[merkle]") {
  CHECK(run_foreign("consistency", consistency_holds) == 98);
}

struct Damage {
  const char* name;
  void (*apply)(std::vector<Hash>& proof);
};

std::vector<Damage> damages() {
  return {
      {"one hash less", [](std::vector<Hash>& proof) { proof.pop_back(); }},
      {"first hash missing", [](std::vector<Hash>& proof) { proof.erase(proof.begin()); }},
      {"one hash more", [](std::vector<Hash>& proof) { proof.push_back(Hash{}); }},
      {"last hash twice", [](std::vector<Hash>& proof) { proof.push_back(proof.back()); }},
      {"one bit of the first hash", [](std::vector<Hash>& proof) { proof.front()[31] ^= 1; }},
      {"one bit of the last hash", [](std::vector<Hash>& proof) { proof.back()[0] ^= 0x80; }},
  };
}

// Every way in which the proof of one leaf must not hold.
void check_wrong_inclusions(std::size_t index, const reference::Leaves& leaves) {
  const std::size_t size = leaves.size();
  const Hash root = reference::root(leaves);
  const Hash leaf = leaf_hash(as_bytes(leaves[index]));
  const auto proof = reference::path(index, leaves);
  for (std::size_t other = 0; other <= size; ++other)
    if (other != index)
      CHECK_FAILS_WITH(verify_inclusion(leaf, other, size, proof, root), ErrorCode::kUnverified);
  if (proof.empty()) return;
  CHECK_FAILS_WITH(verify_inclusion(root, index, size, proof, leaf), ErrorCode::kUnverified);
  for (const Damage& damage : damages()) {
    INFO(damage.name);
    auto damaged = proof;
    damage.apply(damaged);
    CHECK_FAILS_WITH(verify_inclusion(leaf, index, size, damaged, root), ErrorCode::kUnverified);
  }
}

TEST_CASE("an inclusion proof holds for its leaf, place and tree only", "[merkle]") {
  const auto all = reference::numbered_leaves(17);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const auto leaves = reference::slice(all, 0, size);
    for (std::size_t index = 0; index < size; ++index) {
      INFO("leaf " << index << " of " << size);
      must(verify_inclusion(leaf_hash(as_bytes(leaves[index])), index, size,
                            reference::path(index, leaves), reference::root(leaves)));
      check_wrong_inclusions(index, leaves);
    }
  }
}

TEST_CASE("a consistency proof holds for its two trees only", "[merkle]") {
  const auto all = reference::numbered_leaves(17);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const TreeHead newer{size, reference::root(reference::slice(all, 0, size))};
    for (std::size_t old_size = 1; old_size <= size; ++old_size) {
      INFO(old_size << " in " << size);
      const TreeHead older{old_size, reference::root(reference::slice(all, 0, old_size))};
      const auto proof = reference::proof(old_size, reference::slice(all, 0, size));
      must(verify_consistency(older, newer, proof));
      if (old_size == size) continue;
      CHECK_FAILS_WITH(verify_consistency(newer, older, proof), ErrorCode::kUnverified);
      CHECK_FAILS_WITH(verify_consistency({old_size, newer.root}, newer, proof),
                       ErrorCode::kUnverified);
      CHECK_FAILS_WITH(verify_consistency(older, {size, older.root}, proof),
                       ErrorCode::kUnverified);
      for (const Damage& damage : damages()) {
        INFO(damage.name);
        auto damaged = proof;
        damage.apply(damaged);
        CHECK_FAILS_WITH(verify_consistency(older, newer, damaged), ErrorCode::kUnverified);
      }
    }
  }
}

TEST_CASE("nothing is consistent with an empty tree", "[merkle]") {
  const TreeHead empty{0, empty_root()};
  CHECK_FAILS_WITH(verify_consistency(empty, empty, {}), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(verify_consistency(empty, {1, Hash{}}, {}), ErrorCode::kUnverified);
}

TEST_CASE("sizes at the end of the number range neither hang nor overflow", "[merkle]") {
  const std::uint64_t huge = ~std::uint64_t{0};
  const std::vector<Hash> proof(64, Hash{});
  CHECK_FAILS_WITH(verify_inclusion(Hash{}, huge - 1, huge, proof, Hash{}), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(verify_inclusion(Hash{}, huge, huge, proof, Hash{}), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(verify_consistency({huge - 1, Hash{}}, {huge, Hash{}}, proof),
                   ErrorCode::kUnverified);
}

}  // namespace
}  // namespace quietus::test
