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
  row.attempt = slot_name(8, 8);
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
  CHECK_FAILS_WITH(read_root_row(store), ErrorCode::kNotFound);
  RootRow row = sample();
  SECTION("everything set") {}
  SECTION("no attempt") {
    row.attempt.reset();
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
  CHECK(read.row.attempt == row.attempt);
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
  for (const std::size_t offset : {18U, 35U, 45U}) {  // state, confirmed, has attempt
    Bytes bad = good;
    bad[offset] = 2;
    INFO("offset " << offset);
    CHECK_FAILS_WITH(read(bad), ErrorCode::kCorrupt);
  }
}

TEST_CASE("a root row that names very many slots is corrupt", "[root-row]") {
  RootRow row = sample();
  for (std::uint8_t n = 0; n < 16; ++n) row.slots.push_back(slot_name(n, n));
  CHECK_FAILS_WITH(read(row.encode(named_key<RootRole>("root"))), ErrorCode::kCorrupt);
}
