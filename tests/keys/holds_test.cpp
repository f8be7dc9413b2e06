// Legal holds (I-22): what they keep from being destroyed, and when they come too late.
#include "keys/holds.hpp"

#include "crypto/random.hpp"
#include "keys/erasable_vault.hpp"
#include "keys/scope_state.hpp"
#include "support/failpoint_hook.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

Result<HoldRow> place(TestVault& vault, ScopeId scope, std::string_view authority = {}) {
  HoldRow hold;
  random_bytes(hold.id);
  hold.scope = scope;
  hold.placed = 1790000001000;
  hold.reason = "litigation";
  QUIETUS_TRY(
      vault.keys().update_standing([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) {
        return place_hold_in(writer, scopes, root, {hold, authority});
      }));
  return hold;
}

Result<HolderCount> release(TestVault& vault, const HoldRow& hold) {
  return vault.keys().update_standing([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return release_hold_in(writer, scopes.seal(), hold, 1790000002000);
  });
}

std::set<ScopeId> blocked_by_hold_on(ErasableVault& vault, ScopeId held) {
  const HoldRow hold = must(place(*vault, held));
  std::set<ScopeId> blocked;
  for (const ScopeId scope : vault.scopes.all()) {
    const bool covered =
        vault->look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<bool> {
          const auto checked = check_not_held(reader, scopes.seal(), {scope});
          if (!checked && checked.error().code() != ErrorCode::kHeld) return checked.error();
          return !checked;
        });
    if (covered) blocked.insert(scope);
  }
  must(release(*vault, hold));
  return blocked;
}

std::size_t entries_of_kind(TestVault& vault, std::string_view kind) {
  return vault.look([&](ControlReader& reader, ScopeTable& scopes,
                        const RootRow&) -> Result<std::size_t> {
    std::size_t count = 0;
    QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
    const RowSeal seal = scopes.seal();
    for (std::uint64_t i = 0; i < head.size; ++i) {
      QUIETUS_TRY_AS(const Bytes text, read_entry(reader, {seal.key, seal.vault, seal.context}, i));
      QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
      count += entry.kind() == kind ? 1 : 0;
    }
    return count;
  });
}

}  // namespace

TEST_CASE("I-22: a hold blocks whatever would destroy something that it covers", "[holds]") {
  ErasableVault vault;
  const Tenancy& s = vault.scopes;
  // `derived` lies below globex and was derived from user, so each of the two takes it along.
  CHECK(blocked_by_hold_on(vault, s.user) ==
        std::set<ScopeId>{s.acme, s.data, s.user, s.globex, s.derived});
  CHECK(blocked_by_hold_on(vault, s.acme) ==
        std::set<ScopeId>{s.acme, s.data, s.user, s.other, s.globex, s.derived});
  CHECK(blocked_by_hold_on(vault, s.derived) ==
        std::set<ScopeId>{s.acme, s.data, s.user, s.globex, s.derived});
  CHECK(blocked_by_hold_on(vault, s.globex) ==
        std::set<ScopeId>{s.acme, s.data, s.user, s.globex, s.derived});
  CHECK(blocked_by_hold_on(vault, s.other) == std::set<ScopeId>{s.acme, s.data, s.other});
  // What is gone already is in the way of nothing.
  must(vault->erase({s.derived}));
  CHECK(blocked_by_hold_on(vault, s.globex) == std::set<ScopeId>{s.globex});
  CHECK(blocked_by_hold_on(vault, s.user) == std::set<ScopeId>{s.acme, s.data, s.user});
}

TEST_CASE("I-22: an erasure of what is held is refused, of anything else it is not", "[holds]") {
  ErasableVault vault;
  const HoldRow hold = must(place(*vault, vault.scopes.user));
  CHECK_FAILS_WITH(vault->erase({vault.scopes.acme}), kHeld);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.other, vault.scopes.derived}), kHeld);
  CHECK_FAILS_WITH(vault->destroy(), kHeld);
  vault.scopes.check_erased(*vault, {});
  must(vault->change_unlock(key_file_secret("secret")));
  must(vault->erase({vault.scopes.other}));
  vault.scopes.check_erased(*vault, {vault.scopes.other});
  must(release(*vault, hold));
  must(vault->erase({vault.scopes.user}));
  vault.scopes.check_erased(*vault, {vault.scopes.other, vault.scopes.user, vault.scopes.derived});
  CHECK(entries_of_kind(*vault, entry_kinds::kHoldPlaced) == 1);
  CHECK(entries_of_kind(*vault, entry_kinds::kHoldReleased) == 1);
  CHECK_FAILS_WITH(release(*vault, hold), kNotFound);
}

TEST_CASE("C12: a hold that is placed between T1 and T2 aborts the erasure", "[holds]") {
  for (const bool on_tenant : {false, true}) {
    ErasableVault vault;
    {
      const FailpointHook hook([&](std::string_view name) -> Result<void> {
        if (name != "change/after-slot") return {};
        must(place(*vault, on_tenant ? vault.scopes.acme : vault.scopes.user));
        return {};
      });
      CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), kHeld);
    }
    vault.scopes.check_erased(*vault, {});
    check_settled(*vault);
    CHECK(entries_of_kind(*vault, entry_kinds::kErasureAborted) == 1);
    // Nor is it resumed.
    must(vault.open());
    vault.scopes.check_erased(*vault, {});
    CHECK(vault->certificates().empty());
    CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), kHeld);
  }
}

TEST_CASE("C12: a hold elsewhere does not abort an erasure that was begun", "[holds]") {
  ErasableVault vault;
  {
    const FailpointHook hook([&](std::string_view name) -> Result<void> {
      if (name == "change/after-slot") must(place(*vault, vault.scopes.other));
      return {};
    });
    must(vault->erase({vault.scopes.user}));
  }
  vault.scopes.check_erased(*vault, vault.erased_with_user());
  check_settled(*vault);
}

TEST_CASE("C12: a begun erasure that a crash interrupted is not resumed once it is held",
          "[holds]") {
  ErasableVault vault;
  // Killed between T1 and the slot.
  CHECK(status_of_child([&] {
          vault.place.forked();
          TestVault theirs(vault.place);
          if (!theirs.open().ok()) return false;
          const FailpointHook hook([&](std::string_view name) -> Result<void> {
            if (name == "change/after-t1") _exit(9);
            return {};
          });
          return theirs.erase({vault.scopes.user}).ok();
        }) != 0);
  REQUIRE(must(vault->keys().pending()).size() == 1);
  must(place(*vault, vault.scopes.data));
  CHECK(must(vault->keys().pending()).empty());
  CHECK_FALSE(must(vault.open()).recovery_pending);
  vault.scopes.check_erased(*vault, {});
  check_settled(*vault);
}

TEST_CASE("C12: an erasure that a hold overtook on its way to T1 is not resumed after a crash",
          "[holds]") {
  ErasableVault vault;
  vault.vault.reset();
  CHECK(status_of_child([&] {
          vault.place.forked();
          TestVault theirs(vault.place);
          // The keys are at hand: nobody gets them while the root changes.
          if (!theirs.open().ok() || !theirs.record_key(vault.scopes.data)) return false;
          const FailpointHook hook([&](std::string_view name) -> Result<void> {
            if (name == "change/before-t1") QUIETUS_TRY(place(theirs, vault.scopes.data));
            if (name == "change/after-slot") _exit(9);
            return {};
          });
          return theirs.erase({vault.scopes.user}).ok();
        }) != 0);
  CHECK_FALSE(must(vault.open()).recovery_pending);
  vault.scopes.check_erased(*vault, {});
  check_settled(*vault);
  CHECK(entries_of_kind(*vault, entry_kinds::kErasureAborted) == 1);
  const auto holds = vault->look([](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
    return rows::all_holds(reader, scopes.seal());
  });
  REQUIRE(holds.size() == 1);
  must(release(*vault, holds[0]));
  must(vault.open());
  vault.scopes.check_erased(*vault, {});
}

TEST_CASE("C12: a hold that is placed after T2 comes too late, and says so", "[holds]") {
  ErasableVault vault;
  std::optional<ErrorCode> answer;
  {
    const FailpointHook hook([&](std::string_view name) -> Result<void> {
      if (name != "change/before-t3") return {};
      const auto placed = place(*vault, vault.scopes.user);
      answer = placed ? std::optional<ErrorCode>() : placed.error().code();
      return {};
    });
    must(vault->erase({vault.scopes.user}));
  }
  CHECK(answer == ErrorCode::kErased);
  vault.scopes.check_erased(*vault, vault.erased_with_user());
}

TEST_CASE("where a damaged row hides what a scope depends on, any hold counts", "[holds]") {
  ErasableVault vault;
  const HoldRow hold = must(place(*vault, vault.scopes.globex));
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(ByteWriter().u8('K').u64(vault.scopes.other).take(), Bytes(40, 1));
  }));
  CHECK_FAILS_WITH(vault->erase({vault.scopes.other}), kHeld);
  must(release(*vault, hold));
  must(vault->erase({vault.scopes.other}));
  CHECK(vault->tombstone(vault.scopes.other).has_value());
}

TEST_CASE("a hold whose own row is damaged still keeps everything from being destroyed",
          "[holds]") {
  ErasableVault vault;
  const HoldRow hold = must(place(*vault, vault.scopes.globex));
  const Bytes key = ByteWriter().u8('B').u64(hold.scope).raw(hold.id).take();
  must(vault->control().update(
      WriteClass::kOrdinary, [&](ControlWriter& writer) { return writer.put(key, Bytes(60, 1)); }));
  CHECK_FAILS_WITH(vault->erase({vault.scopes.other}), kCorrupt);
  CHECK_FAILS_WITH(vault->destroy(), kCorrupt);
  CHECK_FAILS_WITH(release(*vault, hold), kCorrupt);
  check_settled(*vault);
  CHECK_FALSE(vault->tombstone(vault.scopes.other).has_value());
}

TEST_CASE("the authority of a hold is sealed under the scope that is held", "[holds]") {
  ErasableVault vault;
  const HoldRow hold = must(place(*vault, vault.scopes.user, "file number 7"));
  const auto read = [&](ScopeId scope) {
    return vault->look([&](ControlReader& reader, ScopeTable& scopes,
                           const RootRow&) -> Result<std::optional<std::string>> {
      QUIETUS_TRY_AS(const auto keys, scopes.keys(reader, scope));
      return rows::authority(reader, scopes.seal_under(*keys), hold);
    });
  };
  CHECK(read(vault.scopes.user) == "file number 7");
  CHECK(read(vault.scopes.acme) == std::nullopt);
}
