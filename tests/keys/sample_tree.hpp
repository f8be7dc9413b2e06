// A key tree in memory, and the adversary of the promise: who has the root key of now and every
// version of every node that was ever written.
#pragma once

#include <catch2/catch.hpp>
#include <set>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/random.hpp"
#include "keys/key_tree.hpp"
#include "keys/memory_rows.hpp"
#include "keys/sample_secrets.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {

inline constexpr std::size_t kNodePrefix = 8 + kGcmNonceSize;

// A tree with the root key that stands, and nothing of the ones before.
struct Tree {
  VaultId vault = vault_id(1);
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  MemoryRows store;
  RootKey root = random_key<RootRole>();
  std::uint64_t generation = 1;
  std::uint64_t overlay = 0;  // generation of the staged nodes in force

  Tree() { must(tree().create(store, generation)); }

  KeyTree tree() { return KeyTree(vault, root, *context, overlay); }
  void add(const LeafRef& leaf, const LeafKey& key) { must(tree().add(store, leaf, key)); }
  Bytes add_random(const LeafRef& leaf) {
    const LeafKey key = random_key<LeafRole>();
    add(leaf, key);
    return bytes_of(key);
  }
  Result<std::vector<LeafRef>> destroy(const std::vector<LeafRef>& leaves) {
    RootKey next = random_key<RootRole>();
    QUIETUS_TRY_AS(auto not_owned, tree().destroy(store, leaves, generation + 1, next));
    root = std::move(next);
    ++generation;
    return not_owned;
  }
  Result<LeafKey> leaf(const LeafRef& at) { return tree().leaf(store, at); }
};

// Everything that can be opened by somebody who has the root key of now and every version of every
// node that was ever written: the promise of the game in the design.
class TreeAdversary {
 public:
  explicit TreeAdversary(Tree& tree) : tree_(tree), closed_(tree.store.written) {
    keys_.push_back(bytes_of(tree.root));
    // Every key that turns up is tried on everything that is still closed, wherever it belongs.
    for (std::size_t next = 0; next < keys_.size(); ++next) {
      const Bytes key = keys_[next];
      std::erase_if(closed_, [&](const auto& row) { return open(row, key); });
    }
  }
  bool has(const Bytes& key) const { return found_.contains(key); }

 private:
  bool open(const std::pair<Bytes, Bytes>& row, const Bytes& key) {
    ByteReader name(row.first);
    if (name.u8() == 'n') name.u64();  // a staged one
    const std::uint8_t level = name.u8();
    ByteReader prefix(row.second);
    const std::uint64_t generation = prefix.u64();
    const auto nonce = prefix.array<kGcmNonceSize>();
    ByteWriter associated;
    associated.raw(as_bytes(labels::kNodeData)).raw(tree_.vault).u8(level).u64(name.u64());
    associated.u8(kTreeHeight).u64(generation);
    Bytes entries(row.second.size() - kNodePrefix - kTagSize);
    const auto opened =
        tree_.context->open(std::span<const std::uint8_t, 32>(key.data(), 32), nonce,
                            associated.view(), ByteView(row.second).subspan(kNodePrefix), entries);
    if (!opened) return false;
    const std::size_t size = level == 0 ? 40 : 32;
    for (std::size_t at = 0; at + size <= entries.size(); at += size) take(entries, at + size - 32);
    return true;
  }
  void take(const Bytes& entries, std::size_t offset) {
    const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(offset);
    Bytes key(begin, begin + 32);
    if (key == Bytes(32) || !found_.insert(key).second) return;
    keys_.push_back(std::move(key));
  }

  Tree& tree_;
  std::vector<std::pair<Bytes, Bytes>> closed_;
  std::vector<Bytes> keys_;
  std::set<Bytes> found_;
};

inline Bytes node_key(std::uint8_t level, std::uint64_t index) {
  return ByteWriter().u8('N').u8(level).u64(index).take();
}

}  // namespace quietus::test
