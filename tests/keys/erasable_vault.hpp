// A vault to be erased from, with what must hold of it afterwards, and processes that are killed on
// the way.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "keys/key_tree.hpp"
#include "keys/test_vault.hpp"
#include "support/child_process.hpp"

namespace quietus::test {

struct ErasableVault {
  VaultPlace place;
  std::unique_ptr<TestVault> vault = std::make_unique<TestVault>(place);
  Tenancy scopes;

  ErasableVault() {
    must(vault->make());
    scopes.fill(*vault);
  }
  TestVault* operator->() const { return vault.get(); }
  TestVault& operator*() const { return *vault; }
  Result<KeyStore::Opened> open() {
    vault.reset();
    vault = std::make_unique<TestVault>(place);
    return vault->open();
  }
  std::set<ScopeId> erased_with_user() const { return {scopes.user, scopes.derived}; }

  // After a fault and a reopening: the erasure of `user` happened and is certified, or it did not.
  bool check_all_or_nothing() {
    const bool erased = vault->tombstone(scopes.user).has_value();
    scopes.check_erased(*vault, erased ? erased_with_user() : std::set<ScopeId>{});
    check_settled(*vault);
    const auto certificates = vault->certificates();
    CHECK(certificates.size() == (erased ? 1 : 0));
    for (const auto& [id, row] : certificates) {
      CHECK(row.status == CertificateStatus::kComplete);
      const auto verified = must(vault->verify(vault->document(id)));
      CHECK(verified.scope_ids() == std::vector<ScopeId>{scopes.user});
    }
    return erased;
  }
};

// What another process of the test does that has the vault open.
inline auto opener(ErasableVault& vault) {
  return [&vault] {
    vault.place.forked();
    auto theirs = std::make_unique<TestVault>(vault.place);
    return theirs->open().ok() ? std::move(theirs) : nullptr;
  };
}

inline bool fails_with(const Result<RootChangeOutcome>& result, ErrorCode code) {
  return !result && result.error().code() == code;
}

// Scopes enough to fill the first leaf node, so that the vault's own leaf and the last of them lie
// in different ones.
inline std::vector<ScopeId> many_scopes(TestVault& vault) {
  std::vector<ScopeId> made;
  for (std::uint64_t i = 0; i < kLeafNodeEntries / 2; ++i)
    made.push_back(must(vault.add(kVaultScope, "many" + std::to_string(i))));
  return made;
}

// Damages the second leaf node; what was there before.
inline Bytes damage_second_node(TestVault& vault) {
  const Bytes node = ByteWriter().u8('N').u8(0).u64(1).take();
  Bytes before;
  must(vault.control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const auto row, writer.get(node));
    before = Bytes(row->begin(), row->end());
    Bytes bad = before;
    bad[100] ^= 1;
    return writer.put(node, bad);
  }));
  return before;
}

inline void repair_second_node(TestVault& vault, const Bytes& content) {
  const Bytes node = ByteWriter().u8('N').u8(0).u64(1).take();
  must(vault.control().update(WriteClass::kOrdinary,
                              [&](ControlWriter& writer) { return writer.put(node, content); }));
}

#ifdef QUIETUS_FAILPOINTS

// Ends the process, as a kill would, at the n-th fail point or at the one of that name.
inline failpoint::Hook die_at(int n) {
  return failpoint::at_nth(n, [](std::string_view) -> Result<void> { _exit(9); });
}
inline failpoint::Hook die_at(std::string_view name) {
  return [name](std::string_view reached) -> Result<void> {
    if (reached == name) _exit(9);
    return {};
  };
}

// Runs `work` in a process of its own that dies as planned. False when it did not come to that.
template <class Point, class F>
bool dies_in(VaultPlace& place, Point point, F&& work) {
  const int status = status_of_child([&] {
    place.forked();
    TestVault theirs(place);
    failpoint::install(die_at(point));
    work(theirs);
    return true;
  });
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 9;
}

#endif  // QUIETUS_FAILPOINTS

}  // namespace quietus::test
