// A vault of scopes enough for several nodes of the key tree, of which many are erased at once, in
// steps so small that each step is many transactions.
#pragma once

#include "keys/erasable_vault.hpp"

namespace quietus::test {

struct BatchVault {
  static constexpr std::size_t kScopes = 120;  // 240 leaves: three nodes

  VaultPlace place;
  std::unique_ptr<TestVault> vault;
  ScopeId tenant = 0;
  std::vector<ScopeId> scopes;
  std::vector<ScopeId> doomed;  // every fifth
  std::map<ScopeId, Bytes> keys;

  BatchVault() {
    place.batch_step = 7;
    place.map_size = std::uint64_t{512} << 20;
    vault = std::make_unique<TestVault>(place);
    must(vault->make());
    tenant = must(vault->add(kVaultScope, "acme"));
    for (std::size_t i = 0; i < kScopes; ++i) {
      scopes.push_back(must(vault->add(tenant, "s" + std::to_string(i))));
      keys[scopes.back()] = must(vault->record_key(scopes.back()));
      if (i % 5 == 0) doomed.push_back(scopes.back());
    }
  }
  TestVault* operator->() const { return vault.get(); }
  TestVault& operator*() const { return *vault; }
  Result<KeyStore::Opened> open() {
    vault.reset();
    vault = std::make_unique<TestVault>(place);
    return vault->open();
  }
  bool is_doomed(ScopeId scope) const {
    return std::find(doomed.begin(), doomed.end(), scope) != doomed.end();
  }
  // Those that are not doomed open as ever; whether the doomed are all gone, and not some of them.
  bool check_all_or_nothing() {
    std::size_t gone = 0;
    for (const ScopeId scope : scopes) {
      const auto key = vault->record_key(scope);
      const bool erased = !key && key.error().code() == ErrorCode::kErased;
      INFO("scope " << scope << ": " << describe(key));
      if (!erased) CHECK((key && *key == keys.at(scope)));
      if (erased) CHECK(is_doomed(scope));
      CHECK(vault->tombstone(scope).has_value() == erased);
      if (erased) ++gone;
    }
    CHECK((gone == 0 || gone == doomed.size()));
    must(vault->add(tenant, "later" + std::to_string(added_++)));
    return gone > 0;
  }
  // Of every erased scope.
  void check_certificates(std::size_t every = 1) {
    for (std::size_t i = 0; i < doomed.size(); i += every) {
      const Tombstone tombstone = *vault->tombstone(doomed[i]);
      CHECK(tombstone.reason == "retention-expired");
      const auto drawn = must(vault->keys().certificate_of(tombstone.erasure, doomed[i]));
      const auto verified = must(vault->verify(drawn.document));
      CHECK(verified.scope_ids() == std::vector<ScopeId>{doomed[i]});
      CHECK(verified.status() == CertificateStatus::kComplete);
    }
  }
  // Nothing is left of lists and staged nodes when everything is cleaned.
  void check_cleaned(bool happened) {
    CHECK(must(vault->keys().clean(10000)));
    const RootRow root = vault->root_row();
    CHECK(root.overlay == 0);
    CHECK(root.batch == ErasureId{});
    for (const char table : std::string_view("nawl")) CHECK(count(table) == 0);
    CHECK(count('q') == (happened ? doomed.size() : 0));
    CHECK(count('F') + living_leaves() == root.next_leaf);
  }
  std::size_t count(char table) {
    return vault->look([&](ControlReader& reader, ScopeTable&,
                           const RootRow&) -> Result<std::size_t> {
      std::size_t rows = 0;
      QUIETUS_TRY(reader.scan(Bytes{static_cast<std::uint8_t>(table)}, {}, [&](ByteView, ByteView) {
        ++rows;
        return Result<bool>(true);
      }));
      return rows;
    });
  }

 private:
  std::size_t living_leaves() { return count('L'); }
  int added_ = 0;
};

// Hands out scopes from a list.
class ListedTargets {
 public:
  explicit ListedTargets(std::vector<ScopeId> scopes) : scopes_(std::move(scopes)) {}
  Result<std::vector<BatchTarget>> operator()(std::size_t at_most) {
    std::vector<BatchTarget> page;
    while (at_ < scopes_.size() && page.size() < at_most)
      page.push_back({scopes_[at_++], "retention-expired", {}, {0, 0, 3, 300, true}});
    return page;
  }

 private:
  std::vector<ScopeId> scopes_;
  std::size_t at_ = 0;
};

inline Result<RootChangeOutcome> erase_batch(TestVault& vault, const std::vector<ScopeId>& scopes,
                                             bool all = false) {
  ListedTargets targets(scopes);
  const BatchRequest request{random_erasure_id(), "retention-expired", targets, {}, all};
  return vault.keys().erase_batch(request);
}

}  // namespace quietus::test
