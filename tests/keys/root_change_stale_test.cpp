// I-21: rows of root changes that are over, put back from an old page of the control store.
#include "keys/erasable_vault.hpp"
#include "keys/root_change.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

// The intents' rows that were ever written, newest last.
std::vector<RowVersion> intent_versions(TestVault& vault) {
  std::vector<RowVersion> found;
  for (RowVersion& version : vault.control().versions())
    if (!version.key.empty() && version.key[0] == 'J' && !version.value.empty())
      found.push_back(std::move(version));
  return found;
}

void put_back(TestVault& vault, const RowVersion& version) {
  must(vault.control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(version.key, version.value);
  }));
}

std::size_t entries(TestVault& vault) {
  return must(vault.keys().log_head()).size;
}

}  // namespace

TEST_CASE("I-21: the row of an erasure that was given up, put back, destroys nothing", "[erase]") {
  ErasableVault vault;
  must(vault.open());
  // A damaged node on the path: the decision is refused, and the erasure taken back.
  const ScopeId hit = many_scopes(*vault).back();
  const Bytes node = damage_second_node(*vault);
  REQUIRE_FALSE(vault->erase({hit}).ok());
  repair_second_node(*vault, node);
  REQUIRE_FALSE(vault.check_all_or_nothing());
  REQUIRE(vault->record_key(hit).ok());
  const RowVersion stale = intent_versions(*vault).front();
  put_back(*vault, stale);
  CHECK(must(vault->keys().pending()).empty());
  const std::size_t before = entries(*vault);
  CHECK(must(vault->keys().recover(milliseconds(100))).empty());
  CHECK_FALSE(must(vault.open()).recovery_pending);
  CHECK_FALSE(vault.check_all_or_nothing());
  CHECK(vault->record_key(hit).ok());
  CHECK(entries(*vault) == before);
  // Nor does it come back to life with the next erasure, of something else.
  must(vault->erase({vault.scopes.other}));
  must(vault.open());
  CHECK(vault->record_key(hit).ok());
  vault.scopes.check_erased(*vault, {vault.scopes.other});
  check_settled(*vault);
}

TEST_CASE("I-21: an erasure that was given up is not made when the root row is put back with it",
          "[erase]") {
  ErasableVault vault;
  must(vault.open());
  const ScopeId hit = many_scopes(*vault).back();
  const Bytes node = damage_second_node(*vault);
  REQUIRE_FALSE(vault->erase({hit}).ok());
  repair_second_node(*vault, node);
  // Both rows as T1 wrote them.
  const auto all = vault->control().versions();
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const bool intent = !all[i].key.empty() && all[i].key[0] == 'J' && !all[i].value.empty();
    if (!intent) continue;
    REQUIRE(all[i + 1].key == Bytes{'R'});
    put_back(*vault, all[i]);
    put_back(*vault, all[i + 1]);
  }
  REQUIRE(must(vault->keys().pending()).size() == 1);
  must(vault.open());
  CHECK(vault->record_key(hit).ok());
  CHECK(vault->certificates().empty());
  CHECK(must(vault->keys().pending()).empty());
  check_settled(*vault);
}

TEST_CASE("I-21: the row of an erasure that is certified, put back, is not certified again",
          "[erase]") {
  ErasableVault vault;
  must(vault.open());
  must(vault->erase({vault.scopes.user}));
  std::vector<RowVersion> stale = intent_versions(*vault);
  REQUIRE(stale.size() == 2);  // begun, committed
  for (const RowVersion& version : stale) {
    put_back(*vault, version);
    const std::size_t before = entries(*vault);
    must(vault.open());
    CHECK(vault.check_all_or_nothing());
    CHECK(entries(*vault) == before);
    check_settled(*vault);
  }
}

TEST_CASE("I-17: a key that only the log knows is not left over when the scope's row is damaged",
          "[erase]") {
  ErasableVault vault;
  const KeyRow row = *vault->key_row(vault.scopes.user);
  const KeyId lasting = row.newest(KeyLine::kLasting)->id;
  const Bytes key_row = ByteWriter().u8('K').u64(vault.scopes.user).take();
  const Bytes leaf_row = ByteWriter().u8('L').u64(lasting).take();
  Bytes kept;
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY(writer.put(key_row, Bytes(40, 0)));
    QUIETUS_TRY_AS(const auto leaf, writer.get(leaf_row));
    kept = Bytes(leaf->begin(), leaf->end());
    return writer.remove(leaf_row);
  }));
  must(vault.open());
  // The leaf of one key cannot be found, so it cannot be destroyed: nothing is.
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kCorrupt);
  CHECK(vault->certificates().empty());
  must(vault->control().update(WriteClass::kOrdinary,
                               [&](ControlWriter& writer) { return writer.put(leaf_row, kept); }));
  const auto outcome = must(vault->erase({vault.scopes.user}));
  REQUIRE(outcome.intent.targets.size() == 1);
  CHECK(outcome.intent.targets[0].keys.size() == 2);
  must(vault->verify(outcome.certificate_document));
}

TEST_CASE("an erasure that fills the disk again when it is resumed does not keep the vault shut",
          "[erase]") {
  ErasableVault vault;
  vault->control().fail_at(2, UpdateFault::kUnknownLost);
  CHECK_FAILS_WITH(vault->erase({vault.scopes.user}), ErrorCode::kErasureIncomplete);
  vault.vault.reset();
  vault.vault = std::make_unique<TestVault>(vault.place);
  must(vault->connect(TestVault::How::kOpen));
  vault->control().fail_at(1, UpdateFault::kRefused, ErrorCode::kFull);
  CHECK(must(vault->keys().open(vault.place.vault)).recovery_pending);
  vault.scopes.check_erased(*vault, {});
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

#ifdef QUIETUS_FAILPOINTS

TEST_CASE("a damaged entry of the log holds up a begun erasure, and does not keep the vault shut",
          "[erase]") {
  ErasableVault vault;
  REQUIRE(dies_in(vault.place, "change/after-t1", [&](TestVault& theirs) {
    if (theirs.open()) static_cast<void>(theirs.erase({vault.scopes.user}));
  }));
  // Of what was logged since it was begun; what is older has no say in it.
  must(vault->add(kVaultScope, "later"));
  const std::uint64_t size = must(vault->keys().log_head()).size;
  vault.vault.reset();
  vault.vault = std::make_unique<TestVault>(vault.place);
  must(vault->connect(TestVault::How::kOpen));
  const Bytes entry = ByteWriter().u8('E').u64(size - 1).take();
  Bytes before;
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) -> Result<void> {
    QUIETUS_TRY_AS(const auto row, writer.get(entry));
    REQUIRE(row);
    before = Bytes(row->begin(), row->end());
    return writer.put(entry, Bytes(before.size(), 0));
  }));
  CHECK(must(vault.open()).recovery_pending);
  vault.scopes.check_erased(*vault, {});
  must(vault->control().update(WriteClass::kOrdinary,
                               [&](ControlWriter& writer) { return writer.put(entry, before); }));
  must(vault.open());
  CHECK(vault.check_all_or_nothing());
}

#endif  // QUIETUS_FAILPOINTS

TEST_CASE("a freed leaf's row that was not written by the vault is not believed", "[erase]") {
  ErasableVault vault;
  const Bytes forged = ByteWriter().u8('F').u64(7).take();
  must(vault->control().update(WriteClass::kOrdinary, [&](ControlWriter& writer) {
    return writer.put(forged, Bytes(40, 1));
  }));
  CHECK_FAILS_WITH(vault->add(kVaultScope, "new"), ErrorCode::kCorrupt);
  vault.scopes.check_erased(*vault, {});
}
