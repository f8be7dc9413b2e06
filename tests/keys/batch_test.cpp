// Erasures of many scopes: one root change, a certificate for each scope, nothing left over.
#include <array>

#include "keys/batch_vault.hpp"

#include "keys/holds.hpp"
#include "keys/rotation.hpp"
#include "keys/scope_state.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

Result<void> place_hold(TestVault& vault, ScopeId scope, std::uint8_t number) {
  return vault.keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) {
    HoldRow row;
    row.scope = scope;
    row.id = {number};
    row.placed = 1790000000000;
    row.reason = "litigation";
    return place_hold_in(writer, scopes, root, {row, {}});
  });
}

Result<void> rotate(TestVault& vault, ScopeId scope) {
  return vault.keys().update(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        RotationRequest request;
        request.scope = scope;
        request.now = 1790000000000;
        request.reason = "test";
        QUIETUS_TRY(begin_rotation(writer, scopes, root, request));
        return {};
      });
}

bool log_has(TestVault& vault, std::string_view kind) {
  return vault.look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<bool> {
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
    bool found = false;
    for (std::uint64_t i = 0; i < head.size; ++i) {
      QUIETUS_TRY_AS(const Bytes text, read_entry(reader, {seal.key, seal.vault, seal.context}, i));
      QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
      found = found || entry.kind() == kind;
    }
    return found;
  });
}

}  // namespace

TEST_CASE("many scopes are erased with one root change, and each has its certificate",
          "[erase][batch]") {
  BatchVault vault;
  const std::uint64_t before = vault->root_row().generation;
  std::vector<ScopeId> named = vault.doomed;
  named.push_back(vault.doomed[3]);  // twice
  const auto outcome = must(erase_batch(*vault, named));
  CHECK(outcome.intent.batch->scopes == vault.doomed.size());
  CHECK(outcome.skipped == 0);
  CHECK(vault->root_row().generation == before + 1);
  check_settled(*vault);
  CHECK(vault.check_all_or_nothing());
  vault.check_certificates();
  // The same one again, and the same after the rows were cleaned and the vault opened anew.
  const auto first = must(vault->keys().certificate_of(outcome.intent.id, vault.doomed[0]));
  vault.check_cleaned(true);
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
  const auto again = must(vault->keys().certificate_of(outcome.intent.id, vault.doomed[0]));
  CHECK(again.document == first.document);
  vault.check_certificates();
  CHECK_FAILS_WITH(vault->keys().certificate_of(outcome.intent.id, vault.scopes[1]),
                   ErrorCode::kNotFound);
}

TEST_CASE("certificates of a batch of several blocks are proved from their block",
          "[erase][batch]") {
  BatchVault vault;
  vault.place.batch_step = 500;
  must(vault.open());
  for (std::size_t i = 0; i < 500; ++i) {
    vault.scopes.push_back(must(vault->add(vault.tenant, "more" + std::to_string(i))));
    vault.keys[vault.scopes.back()] = must(vault->record_key(vault.scopes.back()));
    vault.doomed.push_back(vault.scopes.back());
  }
  must(erase_batch(*vault, vault.doomed));
  CHECK(vault.check_all_or_nothing());
  vault.check_certificates(17);
  vault.check_cleaned(true);
}

TEST_CASE("a second batch waits for nothing, and cleans up after the first", "[erase][batch]") {
  BatchVault vault;
  must(erase_batch(*vault, {vault.doomed.begin(), vault.doomed.begin() + 10}));
  // One of a single scope, in between: on staged nodes that are in force.
  must(vault->erase({vault.doomed[10]}));
  must(vault->change_unlock(vault.place.secret));
  must(erase_batch(*vault, {vault.doomed.begin() + 11, vault.doomed.end()}));
  CHECK(vault.check_all_or_nothing());
  CHECK(must(vault->keys().clean(10000)));
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
  check_settled(*vault);
}

TEST_CASE("what cannot be erased is passed over, or refuses all of it", "[erase][batch]") {
  BatchVault vault;
  must(vault->erase({vault.doomed[0]}));
  std::vector<ScopeId> named = vault.doomed;
  named.push_back(12345);
  CHECK_FAILS_WITH(erase_batch(*vault, named, true), ErrorCode::kErased);
  CHECK_FAILS_WITH(erase_batch(*vault, {kVaultScope, vault.doomed[1]}),
                   ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(erase_batch(*vault, {vault.doomed[0]}), ErrorCode::kNotFound);
  CHECK(vault->record_key(vault.doomed[1]).ok());
  CHECK(must(erase_batch(*vault, named)).skipped == 2);
  vault.check_all_or_nothing();
  check_settled(*vault);
}

TEST_CASE("a hold on one scope refuses the whole batch", "[erase][batch]") {
  BatchVault vault;
  must(place_hold(*vault, vault.doomed[5], 1));
  CHECK_FAILS_WITH(erase_batch(*vault, vault.doomed), ErrorCode::kHeld);
  CHECK_FALSE(vault.check_all_or_nothing());
  CHECK_FALSE(log_has(*vault, "erasure-aborted"));
  vault.check_cleaned(false);
  check_settled(*vault);
}

namespace {

void damage_row(TestVault& vault, ScopeId scope) {
  must(vault.control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(ByteWriter().u8('K').u64(scope).take(), Bytes(200, 1));
  }));
}

}  // namespace

TEST_CASE("a damaged row keeps its scope out of a batch, and what was decided from nothing",
          "[erase][batch]") {
  BatchVault vault;
  const ScopeId damaged = vault.doomed[3];
  vault.doomed.erase(vault.doomed.begin() + 3);
  vault.scopes.erase(std::find(vault.scopes.begin(), vault.scopes.end(), damaged));
  damage_row(*vault, damaged);
  std::vector<ScopeId> named = vault.doomed;
  named.push_back(damaged);
  CHECK(must(erase_batch(*vault, named)).skipped == 1);
  CHECK(vault.check_all_or_nothing());
  // Decided, and damaged before it was cleaned.
  damage_row(*vault, vault.doomed[5]);
  CHECK(must(vault->keys().clean(10000)));
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
  CHECK(vault->key_row(vault.doomed[5])->state == KeyState::kDestroyed);
  vault.check_certificates();
}

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("a row that is damaged while a batch is staged takes its scope out of it",
          "[erase][batch]") {
  BatchVault vault;
  const ScopeId damaged = vault.doomed[3];
  std::vector<ScopeId> named = vault.doomed;
  vault.doomed.erase(vault.doomed.begin() + 3);
  vault.scopes.erase(std::find(vault.scopes.begin(), vault.scopes.end(), damaged));
  failpoint::install([&](std::string_view reached) {
    if (reached == "change/after-t1") damage_row(*vault, damaged);
    return Result<void>();
  });
  CHECK(must(erase_batch(*vault, named)).skipped == 1);
  failpoint::install({});
  CHECK(vault.check_all_or_nothing());
  vault.check_certificates();
  CHECK(must(vault->keys().clean(10000)));
  CHECK_FALSE(vault->tombstone(damaged));
}

namespace {

// Does something once, at the n-th time that a fail point of that name is reached.
class Meanwhile {
 public:
  Meanwhile(std::string_view name, int n, std::function<void()> work) {
    failpoint::install([this, name, n, work = std::move(work)](std::string_view reached) {
      if (reached != name || ++seen_ != n) return Result<void>();
      work();
      done_ = true;
      return Result<void>();
    });
  }
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  ~Meanwhile() { failpoint::install({}); }
  bool done() const { return done_; }

 private:
  int seen_ = 0;
  bool done_ = false;
};

constexpr std::array<const char*, 6> kWhileBegun = {
    "change/after-t1",     "batch/after-look-at-page", "batch/after-look",
    "batch/after-subtree", "batch/after-staging",      "change/after-slot"};

}  // namespace

TEST_CASE("a hold that is placed while a batch is staged keeps all of it", "[erase][batch]") {
  for (const char* const at : kWhileBegun) {
    INFO(at);
    BatchVault vault;
    const Meanwhile hold(at, 1, [&] { must(place_hold(*vault, vault.doomed[2], 7)); });
    CHECK_FAILS_WITH(erase_batch(*vault, vault.doomed), ErrorCode::kHeld);
    CHECK(hold.done());
    CHECK_FALSE(vault.check_all_or_nothing());
    CHECK(log_has(*vault, "erasure-aborted"));
    check_settled(*vault);
    vault.check_cleaned(false);
  }
}

TEST_CASE(
    "who postpones the end of a batch's scope takes the begun batch back, and of others does not",
    "[erase][batch]") {
  for (const char* const at : kWhileBegun) {
    INFO(at);
    BatchVault vault;
    const auto postpone = [&](ScopeId scope) {
      must(vault->keys().update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) {
        return give_up_begun(writer, scopes, root, {scope, "postponed", 1790000000000});
      }));
    };
    {
      const Meanwhile other(at, 1, [&] { postpone(vault.scopes[1]); });
      must(erase_batch(*vault, {vault.doomed[7]}));
      CHECK(other.done());
      CHECK(vault->tombstone(vault.doomed[7]));
    }
    const std::vector<ScopeId> few(vault.doomed.begin(), vault.doomed.begin() + 5);
    const Meanwhile taken_back(at, 1, [&] { postpone(few[2]); });
    CHECK_FAILS_WITH(erase_batch(*vault, few), ErrorCode::kBusy);
    CHECK(taken_back.done());
    for (const ScopeId scope : few) CHECK(must(vault->record_key(scope)) == vault.keys.at(scope));
    CHECK(log_has(*vault, "erasure-aborted"));
    check_settled(*vault);
  }
}

TEST_CASE("a guard that objects in T1 or T2 gives a batch up", "[erase][batch]") {
  BatchVault vault;
  for (const auto when : {RootChangeRequest::Moment::kBegin, RootChangeRequest::Moment::kDecide}) {
    ListedTargets targets(vault.doomed);
    BatchRequest request{random_erasure_id(), "retention-expired", targets, {}, false};
    request.guard = [when](ControlReader&, const RowSeal&, UnixMillis,
                           RootChangeRequest::Moment moment) {
      return moment == when ? Result<void>(Error(ErrorCode::kRefused, "the clock"))
                            : Result<void>();
    };
    CHECK_FAILS_WITH(vault->keys().erase_batch(request), ErrorCode::kRefused);
    CHECK_FALSE(vault.check_all_or_nothing());
    check_settled(*vault);
  }
}

TEST_CASE("a hold on something else does not keep a batch", "[erase][batch]") {
  BatchVault vault;
  const Meanwhile hold("change/after-slot", 1,
                       [&] { must(place_hold(*vault, vault.scopes[1], 7)); });
  must(erase_batch(*vault, vault.doomed));
  CHECK(hold.done());
  CHECK(vault.check_all_or_nothing());
}

TEST_CASE("a scope made below a batch's target and derived from a held one keeps the batch",
          "[erase][batch]") {
  for (const char* const at : kWhileBegun) {
    INFO(at);
    BatchVault vault;
    must(place_hold(*vault, vault.scopes[1], 7));
    const Meanwhile made(at, 1,
                         [&] { must(vault->add(vault.doomed[0], "below", {vault.scopes[1]})); });
    CHECK_FAILS_WITH(erase_batch(*vault, vault.doomed), ErrorCode::kHeld);
    CHECK(made.done());
    CHECK_FALSE(vault.check_all_or_nothing());
  }
}

TEST_CASE("a key that a target of a batch is given while it is staged dies with the others",
          "[erase][batch]") {
  const std::vector<std::string> places = {"batch/after-list",    "change/after-t1",
                                           "batch/after-look",    "batch/after-subtree",
                                           "batch/after-staging", "change/after-slot"};
  for (const std::string& at : places) {
    INFO(at);
    BatchVault vault;
    const Meanwhile rotated(at, 1, [&] {
      must(rotate(*vault, vault.doomed.back()));
      must(rotate(*vault, vault.doomed.front()));
    });
    const auto outcome = must(erase_batch(*vault, vault.doomed));
    CHECK(rotated.done());
    CHECK(outcome.intent.batch->keys == 2 * vault.doomed.size() + 2);
    CHECK(vault.check_all_or_nothing());
    for (const ScopeId scope : {vault.doomed.front(), vault.doomed.back()}) {
      const KeyRow row = *vault->key_row(scope);
      CHECK(row.keys.size() == 3);
      for (const KeyRecord& key : row.keys) CHECK(is_destroyed(key.state));
    }
    vault.check_certificates();
    vault.check_cleaned(true);
    CHECK(vault.check_all_or_nothing());
  }
}

TEST_CASE("scopes made while a batch is staged live on after it", "[erase][batch]") {
  for (const char* const at : kWhileBegun) {
    INFO(at);
    BatchVault vault;
    std::map<ScopeId, Bytes> made;
    // More than the decision itself carries over, and more than the last node holds.
    const Meanwhile adding(at, 1, [&] {
      for (int i = 0; i < 110; ++i) {
        const ScopeId scope = must(vault->add(vault.tenant, "meanwhile" + std::to_string(i)));
        made[scope] = must(vault->record_key(scope));
      }
    });
    must(erase_batch(*vault, vault.doomed));
    CHECK(adding.done());
    CHECK(vault.check_all_or_nothing());
    must(vault.open());
    for (const auto& [scope, key] : made) CHECK(must(vault->record_key(scope)) == key);
    vault.check_cleaned(true);
    must(vault.open());
    for (const auto& [scope, key] : made) CHECK(must(vault->record_key(scope)) == key);
    CHECK(vault.check_all_or_nothing());
  }
}

TEST_CASE("another erasure between the list and the intent takes its scopes out of the batch",
          "[erase][batch]") {
  BatchVault vault;
  const Meanwhile erased("batch/after-list", 1, [&] { must(vault->erase({vault.doomed[4]})); });
  const auto outcome = must(erase_batch(*vault, vault.doomed));
  CHECK(erased.done());
  CHECK(outcome.skipped == 1);
  CHECK(outcome.intent.batch->scopes == vault.doomed.size() - 1);
  CHECK(vault.check_all_or_nothing());
  CHECK(vault->tombstone(vault.doomed[4])->erasure != outcome.intent.id);
}

#endif  // QUIETUS_FAILPOINTS
