// A copy of the key tree and the rows: it opens what there was, and nothing that comes later.
#include "keys/key_tree_copy.hpp"

#include "crypto/row_seal.hpp"
#include "keys/erasable_vault.hpp"
#include "keys/instances.hpp"
#include "keys/key_store_steps.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

using CopiedRows = std::map<Bytes, Bytes>;

struct Copied {
  KeyCopy key;
  CopiedRows rows;
};

Copied copy_of(TestVault& vault) {
  CopiedRows rows;
  KeyCopy key = must(vault.keys().copy_keys([&](ByteView row, ByteView value) -> Result<void> {
    rows[Bytes(row.begin(), row.end())] = Bytes(value.begin(), value.end());
    return {};
  }));
  return {std::move(key), std::move(rows)};
}

// Rows as a control store would show them; `over` lies over `under`, as when somebody puts newer
// nodes beside older ones.
class RowsReader final : public ControlReader {
 public:
  explicit RowsReader(CopiedRows rows) : rows_(std::move(rows)) {}
  Result<std::optional<ByteView>> get(ByteView key) override {
    const auto found = rows_.find(Bytes(key.begin(), key.end()));
    if (found == rows_.end()) return std::optional<ByteView>();
    return std::optional<ByteView>(found->second);
  }
  Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
    const Bytes start =
        from.empty() ? Bytes(prefix.begin(), prefix.end()) : Bytes(from.begin(), from.end());
    for (auto at = rows_.lower_bound(start); at != rows_.end(); ++at) {
      if (!std::ranges::equal(prefix,
                              ByteView(at->first).first(std::min(prefix.size(), at->first.size()))))
        break;
      QUIETUS_TRY_AS(const bool more, visit(at->first, at->second));
      if (!more) break;
    }
    return {};
  }

 private:
  CopiedRows rows_;
};

CopiedRows rows_now(TestVault& vault) {
  CopiedRows rows;
  must(vault.control().read([&](ControlReader& reader) {
    return reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
      rows[Bytes(key.begin(), key.end())] = Bytes(value.begin(), value.end());
      return true;
    });
  }));
  return rows;
}

struct Opening {
  const RootKey& root;
  LeafRef leaf;
};

Result<LeafKey> leaf_in(const VaultId& vault, CopiedRows rows, const Opening& opening) {
  const auto context = openssl_engine().make_context();
  RowsReader reader(std::move(rows));
  return KeyTree(vault, opening.root, *context).leaf(reader, opening.leaf);
}

LeafRef leaf_of(TestVault& vault, ScopeId scope) {
  const KeyRecord key = vault.key_row(scope)->keys[0];
  return {key.id, key.leaf};
}

TEST_CASE("a copy has every leaf that there was", "[copy]") {
  ErasableVault vault;
  const Copied copied = copy_of(*vault);
  for (const ScopeId scope : {vault.scopes.user, vault.scopes.data, vault.scopes.globex})
    CHECK(leaf_in(vault->keys().vault_id(), copied.rows, {copied.key.root, leaf_of(*vault, scope)})
              .ok());
  CHECK(copied.rows.contains(Bytes{'R'}));
  CHECK(copied.rows.contains(Bytes{'i'}));
  for (const auto& [key, value] : copied.rows) {
    CHECK(key[0] != 'V');  // no signing key, but who signs
    CHECK(key[0] != 'W');
  }
}

TEST_CASE("a copy says whose it is, under its own row key", "[copy]") {
  ErasableVault vault;
  const Copied copied = copy_of(*vault);
  const VaultId id = vault->keys().vault_id();
  const LeafKey control = must(leaf_in(id, copied.rows, {copied.key.root, kControlLeaf}));
  const RowKey row_key = derive(edges::kControlRows, control);
  const auto context = openssl_engine().make_context();
  RowsReader reader(copied.rows);
  const OriginKeys signs = must(rows::origin_keys(reader, {row_key, id, *context}));
  CHECK(ed25519_to_pem(signs.issuing) == vault->issuer_pem());
  CHECK(signs.log != signs.issuing);
  CHECK(signs.log != Ed25519PublicKey{});
  RowsReader without({});
  CHECK_FAILS_WITH(rows::origin_keys(without, {row_key, id, *context}), ErrorCode::kCorrupt);
}

TEST_CASE("what is added after a copy does not open with its root, whatever rows are put together",
          "[copy]") {
  ErasableVault vault;
  const Copied copied = copy_of(*vault);
  const CopiedRows before = rows_now(*vault);
  const ScopeId late = must(vault->add(vault.scopes.data, "late"));
  const LeafRef leaf = leaf_of(*vault, late);
  const CopiedRows after = rows_now(*vault);
  // The leaf lies in a node that was there when the copy was made.
  REQUIRE(leaf.index / kLeafNodeEntries ==
          leaf_of(*vault, vault.scopes.user).index / kLeafNodeEntries);
  CHECK_FALSE(leaf_in(vault->keys().vault_id(), after, {copied.key.root, leaf}).ok());
  CHECK_FALSE(leaf_in(vault->keys().vault_id(), copied.rows, {copied.key.root, leaf}).ok());
  // Every choice of a node from the copy or from the vault.
  std::vector<Bytes> nodes;
  for (const auto& [key, value] : after)
    if (key[0] == 'N') nodes.push_back(key);
  REQUIRE(nodes.size() < 10);
  for (unsigned choice = 0; choice < (1U << nodes.size()); ++choice) {
    CopiedRows mixed = after;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if ((choice >> i & 1U) != 0 && copied.rows.contains(nodes[i]))
        mixed[nodes[i]] = copied.rows.at(nodes[i]);
    CHECK_FALSE(leaf_in(vault->keys().vault_id(), mixed, {copied.key.root, leaf}).ok());
  }
  // The other way round: a copy's root opens no node of the vault, and none of its rows.
  for (const Bytes& node : nodes) CHECK(copied.rows.at(node) != before.at(node));
}

TEST_CASE("rows of the vault do not open under the row key of a copy", "[copy]") {
  ErasableVault vault;
  const Copied copied = copy_of(*vault);
  const LeafKey control =
      must(leaf_in(vault->keys().vault_id(), copied.rows, {copied.key.root, kControlLeaf}));
  const RowKey row_key = derive(edges::kControlRows, control);
  const auto context = openssl_engine().make_context();
  const CopiedRows now = rows_now(*vault);
  int opened = 0;
  for (const auto& [key, value] : now)
    CHECK_FALSE(open_row(*context, row_key, vault->keys().vault_id(), key, value).ok());
  for (const auto& [key, value] : copied.rows)
    opened += open_row(*context, row_key, vault->keys().vault_id(), key, value).ok() ? 1 : 0;
  CHECK(opened > 20);
}

}  // namespace
