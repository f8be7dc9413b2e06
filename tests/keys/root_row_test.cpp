#include "keys/root_row.hpp"

#include "keys/sample_secrets.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

// A control store of one row.
class OneRow final : public ControlWriter {
 public:
  std::optional<Bytes> row;

  Result<std::optional<ByteView>> get(ByteView key) override {
    if (as_text(key) != "R" || !row) return std::optional<ByteView>();
    return std::optional<ByteView>(*row);
  }
  Result<void> scan(ByteView, ByteView, Visitor) override { return {}; }
  Result<void> put(ByteView key, ByteView value) override {
    REQUIRE(as_text(key) == "R");
    row = Bytes(value.begin(), value.end());
    return {};
  }
  Result<void> remove(ByteView) override { return {}; }
};

RootRow sample() {
  RootRow row;
  row.vault = vault_id(1);
  row.generation = 7;
  row.next_generation = 9;
  row.confirmed = true;
  row.height = 4;
  row.next_leaf = 12345;
  row.attempts = {{{8}, slot_name(8, 8)}, {{9}, slot_name(9, 9)}};
  row.slots = {slot_name(7, 7), slot_name(7, 6)};
  row.provider = "file";
  return row;
}

// What is made of a stored row.
Result<SealedRootRow> read(ByteView content) {
  OneRow store;
  store.row = Bytes(content.begin(), content.end());
  return read_root_row(store);
}

}  // namespace

TEST_CASE("a root row is read as it was written", "[root-row]") {
  const RootKey key = named_key<RootRole>("root");
  OneRow store;
  CHECK_FAILS_WITH(read_root_row(store), ErrorCode::kCorrupt);
  RootRow row = sample();
  SECTION("everything set") {}
  SECTION("no attempt") {
    row.attempts.clear();
  }
  SECTION("no slots, being destroyed") {
    row.slots.clear();
    row.state = VaultState::kDestroying;
    row.confirmed = false;
  }
  must(write_root_row(store, row, key));
  const SealedRootRow read = must(read_root_row(store));
  CHECK(read.authentic(key));
  CHECK_FALSE(read.authentic(named_key<RootRole>("other")));
  CHECK(read.row.vault == row.vault);
  CHECK(read.row.state == row.state);
  CHECK(read.row.generation == row.generation);
  CHECK(read.row.next_generation == row.next_generation);
  CHECK(read.row.confirmed == row.confirmed);
  CHECK(read.row.height == row.height);
  CHECK(read.row.next_leaf == row.next_leaf);
  CHECK(read.row.attempts == row.attempts);
  CHECK(read.row.slots == row.slots);
  CHECK(read.row.provider == row.provider);
}

TEST_CASE("a truncated root row is corrupt", "[root-row]") {
  const RootKey key = named_key<RootRole>("root");
  const Bytes good = sample().encode(key);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto cut = read(ByteView(good).first(size));
    INFO("size " << size);
    CHECK((!cut || !cut->authentic(key)));
  }
}

TEST_CASE("no changed byte of a root row goes unnoticed", "[root-row]") {
  const RootKey key = named_key<RootRole>("root");
  const Bytes good = sample().encode(key);
  for (std::size_t offset = 0; offset < good.size(); ++offset)
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
      Bytes bad = good;
      bad[offset] = static_cast<std::uint8_t>(bad[offset] ^ flip);
      const auto changed = read(bad);
      INFO("offset " << offset);
      CHECK((!changed || !changed->authentic(key)));
    }
}

TEST_CASE("a root row of a newer version is unsupported", "[root-row]") {
  Bytes row = sample().encode(named_key<RootRole>("root"));
  row[1] = 2;
  CHECK_FAILS_WITH(read(row), ErrorCode::kUnsupported);
  row[0] = 1;
  CHECK_FAILS_WITH(read(row), ErrorCode::kUnsupported);
  row[0] = row[1] = 0;
  CHECK_FAILS_WITH(read(row), ErrorCode::kCorrupt);
}

TEST_CASE("a root row has one form: states and flags that do not exist are corrupt", "[root-row]") {
  const Bytes good = sample().encode(named_key<RootRole>("root"));
  for (const std::size_t offset : {34U, 51U}) {  // state, confirmed
    Bytes bad = good;
    bad[offset] = 2;
    INFO("offset " << offset);
    CHECK_FAILS_WITH(read(bad), ErrorCode::kCorrupt);
  }
}

TEST_CASE("a root row knows its attempts by change and slot, each change once", "[root-row]") {
  RootRow row;
  must(row.begin_attempt({{1}, slot_name(2, 2)}));
  must(row.begin_attempt({{1}, slot_name(3, 3)}));
  CHECK(row.attempts.size() == 1);
  CHECK(row.attempts_slot(slot_name(3, 3)));
  CHECK_FALSE(row.attempts_slot(slot_name(2, 2)));
  CHECK(row.attempts_change({1}, slot_name(3, 3)));
  CHECK_FALSE(row.attempts_change({2}, slot_name(3, 3)));
  for (std::uint8_t n = 2; n <= kMaxAttempts; ++n) must(row.begin_attempt({{n}, slot_name(n, n)}));
  CHECK_FAILS_WITH(row.begin_attempt({{99}, slot_name(99, 99)}), ErrorCode::kBusy);
  must(row.begin_attempt({{1}, slot_name(20, 20)}));
  row.end_attempt({1});
  CHECK_FALSE(row.attempts_slot(slot_name(20, 20)));
  must(row.begin_attempt({{99}, slot_name(99, 99)}));
}

TEST_CASE("a root row that names very many slots or attempts is corrupt", "[root-row]") {
  RootRow crowded = sample();
  for (std::uint8_t n = 0; n < 16; ++n) crowded.attempts.push_back({{n}, slot_name(n, n)});
  CHECK_FAILS_WITH(read(crowded.encode(named_key<RootRole>("root"))), ErrorCode::kCorrupt);
  RootRow row = sample();
  for (std::uint8_t n = 0; n < 16; ++n) row.slots.push_back(slot_name(n, n));
  CHECK_FAILS_WITH(read(row.encode(named_key<RootRole>("root"))), ErrorCode::kCorrupt);
}
