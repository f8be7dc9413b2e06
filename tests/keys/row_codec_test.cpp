#include "keys/row_codec.hpp"

#include <functional>

#include "keys/sample_secrets.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

KeyRow key_row() {
  KeyRow row;
  row.parent = 5;
  row.sources = {7, 9};
  row.state = KeyState::kActive;
  row.changed = 1234567890123;
  row.reason = "objection";
  for (const KeyLine line : {KeyLine::kData, KeyLine::kLasting}) {
    KeyRecord key;
    key.id = 77;
    key.line = line;
    key.generation = 3;
    key.state = line == KeyLine::kData ? KeyState::kActive : KeyState::kDestroyed;
    key.created = -1;
    key.changed = 99;
    key.leaf = 123;
    key.parent_generation = 2;
    key.source_generations = {4, 1};
    key.log_index = 8;
    key.commitment.fill(0xCC);
    if (line == KeyLine::kData) key.wrapped = Bytes(kWrappedKeySize, 0xEE);
    row.keys.push_back(key);
  }
  return row;
}

Intent intent() {
  Intent row;
  row.kind = ChangeKind::kErase;
  row.state = IntentState::kSlotDestroyed;
  row.begun = 1;
  row.committed = 2;
  row.reason = "customer-request";
  row.targets = {{1, {2, 3}, 3, Sha256{7}}, {4, {}, 1, std::nullopt}};
  row.unreadable = {10, 20, 30, 40, true};
  row.slot = slot_name(9, 9);
  row.generation_before = 8;
  row.old_slots = {slot_name(8, 8)};
  row.log_index = 77;
  SlotDestruction gone;
  gone.slot = slot_name(8, 8);
  gone.mirrors = 2;
  gone.overwritten = gone.read_back = true;
  row.destroyed = {gone};
  return row;
}

// A row in its stored form, and the form of what it decodes to.
struct Sample {
  std::string name;
  Bytes content;
  std::function<std::optional<Bytes>(ByteView)> again;
};

template <class T>
Sample sample(std::string name, const T& row, std::optional<T> (*decode)(ByteView)) {
  return {std::move(name), codec::encode(row), [decode](ByteView content) -> std::optional<Bytes> {
            const auto decoded = decode(content);
            return decoded ? std::optional(codec::encode(*decoded)) : std::nullopt;
          }};
}

BatchRow batch_row() {
  BatchRow row;
  row.state = BatchState::kFinished;
  row.intent = intent();
  row.intent.targets.clear();
  row.intent.batch = BatchHead{20, 41, {9}};
  row.holders = {3, 1, 0};
  row.destroyed_index = 77;
  row.destroyed_time = 88;
  row.assurance = {"overwritten", true};
  row.next_to_clean = 5;
  return row;
}

BatchStatement batch_statement() {
  BatchStatement row;
  row.id = {4};
  row.target = {0, 3, Sha256{7}, {{11, KeyLine::kData, 2, {1}}, {12, KeyLine::kLasting, 1, {2}}}};
  row.log_indices = {5, 6};
  row.leaves = {100, 101};
  row.unreadable = {1, 2, 3, 4, true};
  row.reason = "retention-expired";
  return row;
}

std::vector<Sample> samples() {
  return {
      sample("key row", key_row(), codec::decode_key_row),
      sample("empty key row", KeyRow{}, codec::decode_key_row),
      sample("info", InfoRow{"ada@example.org", "customer-data", 1}, codec::decode_info_row),
      sample("tombstone", Tombstone{{1, 2, 3}, 99, "customer-request"}, codec::decode_tombstone),
      sample("intent", intent(), codec::decode_intent),
      sample("certificate", CertificateRow{{1}, 7, CertificateStatus::kComplete, 3},
             codec::decode_certificate_row),
      sample("export", ExportRow{0, 1, 2, 3}, codec::decode_export_row),
      sample("batch", batch_row(), codec::decode_batch_row),
      sample("statement", batch_statement(), codec::decode_batch_statement),
      sample("block", BatchBlock{8, {5}}, codec::decode_batch_block)};
}

}  // namespace

TEST_CASE("rows are read as they were written", "[codec]") {
  for (const Sample& row : samples()) {
    INFO(row.name);
    const auto again = row.again(row.content);
    REQUIRE(again);
    CHECK(*again == row.content);
  }
  const auto key = codec::decode_key_row(codec::encode(key_row()));
  REQUIRE(key);
  CHECK(key->sources == std::vector<ScopeId>{7, 9});
  CHECK(key->newest(KeyLine::kData) != nullptr);
  CHECK(key->newest(KeyLine::kLasting) == nullptr);
  CHECK(key->reason == "objection");
  CHECK(key->keys[0].created == -1);
  CHECK(key->keys[0].changed == 99);
  CHECK(key->keys[0].source_generations == std::vector<std::uint32_t>{4, 1});
  CHECK(key->keys[0].wrapped == Bytes(kWrappedKeySize, 0xEE));
  const auto change = codec::decode_intent(codec::encode(intent()));
  REQUIRE(change);
  CHECK(change->targets[0].keys == std::vector<KeyId>{2, 3});
  CHECK(change->targets[0].level == 3);
  CHECK(change->targets[0].subject == Sha256{7});
  CHECK_FALSE(change->targets[1].subject);
  CHECK(change->unreadable.records == 30);
  CHECK(change->unreadable.bytes == 40);
  CHECK(change->destroyed[0].mirrors == 2);
  CHECK_FALSE(change->destroyed[0].gone);
}

TEST_CASE("no truncated or lengthened row is accepted", "[codec]") {
  for (const Sample& row : samples()) {
    for (std::size_t size = 0; size < row.content.size(); ++size) {
      INFO(row.name << " cut to " << size);
      CHECK_FALSE(row.again(ByteView(row.content).first(size)));
    }
    Bytes longer = row.content;
    longer.push_back(0);
    CHECK_FALSE(row.again(longer));
  }
}

TEST_CASE("one content has one form: what is accepted is written the same again", "[codec]") {
  for (const Sample& row : samples())
    for (std::size_t offset = 0; offset < row.content.size(); ++offset)
      for (int value = 0; value < 256; ++value) {
        Bytes changed = row.content;
        changed[offset] = static_cast<std::uint8_t>(value);
        const auto again = row.again(changed);
        const bool same = !again || *again == changed;
        if (same) continue;
        FAIL_CHECK(row.name << " is accepted with " << value << " at " << offset);
        break;
      }
}

TEST_CASE("scopes and keys are in a state of SP 800-57 or not understood", "[codec]") {
  for (int number = 0; number < 256; ++number) {
    INFO(number);
    KeyRow scope = key_row();
    scope.state = static_cast<KeyState>(number);
    KeyRow key = key_row();
    key.keys[0].state = static_cast<KeyState>(number);
    for (const KeyRow& row : {scope, key})
      CHECK(codec::decode_key_row(codec::encode(row)).has_value() == (number >= 1 && number <= 7));
  }
}

TEST_CASE("a row of another version is not understood", "[codec]") {
  for (Sample& row : samples()) {
    row.content[0] = 2;
    CHECK_FALSE(row.again(row.content));
  }
}
