#include "evidence/log_store.hpp"

#include <chrono>

#include "base/byte_writer.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/memory_store.hpp"
#include "evidence/merkle_reference.hpp"
#include "evidence/test_keys.hpp"
#include "evidence/tlog_proof.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

std::string row_key(const ByteWriter& key) {
  return std::string(as_text(key.view()));
}
std::string entry_row(std::uint64_t index) {
  return row_key(ByteWriter().u8('E').u64(index));
}
std::string node_row(std::uint8_t level, std::uint64_t index) {
  return row_key(ByteWriter().u8('M').u8(level).u64(index));
}
std::string head_row() {
  return "H";
}

struct Log {
  RowKey key = key_from<RowRole>(sha256(as_bytes("rows")));
  VaultId vault{1, 2, 3};
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  LogSeal seal{key, vault, *context};
  MemoryStore store;
  reference::Leaves leaves;

  explicit Log(std::size_t size = 0) {
    while (leaves.size() < size) append();
  }
  void append() {
    leaves.push_back("entry " + std::to_string(leaves.size()));
    REQUIRE(must(append_entry(store, seal, as_bytes(leaves.back()))) == leaves.size() - 1);
  }
  Hash root(std::size_t size) const { return reference::root(reference::slice(leaves, 0, size)); }
};

TEST_CASE("an empty log has a head, no entries, and verifies", "[log]") {
  Log log;
  const TreeHead empty{0, empty_root()};
  CHECK(must(log_head(log.store)) == empty);
  CHECK(must(verify_log(log.store, log.seal)) == empty);
  CHECK(must(root_at(log.store, 0)) == empty.root);
  CHECK_FAILS_WITH(read_entry(log.store, log.seal, 0), ErrorCode::kNotFound);
}

TEST_CASE("heads, entries and proofs are those of the RFC at every size", "[log]") {
  Log log;
  for (std::size_t size = 1; size <= 20; ++size) {
    log.append();
    const TreeHead head{size, log.root(size)};
    CHECK(must(log_head(log.store)) == head);
    CHECK(must(verify_log(log.store, log.seal)) == head);
  }
  for (std::size_t size = 1; size <= 20; ++size) {
    const auto leaves = reference::slice(log.leaves, 0, size);
    CHECK(must(root_at(log.store, size)) == log.root(size));
    for (std::size_t i = 0; i < size; ++i)
      CHECK(must(inclusion_proof(log.store, i, size)) == reference::path(i, leaves));
    for (std::size_t old_size = 1; old_size <= size; ++old_size)
      CHECK(must(consistency_proof(log.store, old_size, size)) ==
            reference::proof(old_size, leaves));
  }
  for (std::size_t i = 0; i < 20; ++i)
    CHECK(as_text(must(read_entry(log.store, log.seal, i))) == log.leaves[i]);
}

TEST_CASE("entries are sealed at rest", "[log]") {
  Log log(3);
  for (const auto& [key, value] : log.store.rows())
    CHECK(as_text(value).find("entry") == std::string_view::npos);
}

TEST_CASE("a proven entry verifies as a tlog-proof", "[log]") {
  Log log(11);
  const SigningKey secret = signing_key("log");
  const NoteKey key{"quietus/test", ed25519_public_key(secret)};
  const std::string note = must(sign_checkpoint({key.name, must(log_head(log.store))}, secret));
  const ProvenEntry proven = must(prove_entry(log.store, log.seal, 4, 11, note));
  CHECK(as_text(proven.entry) == log.leaves[4]);
  CHECK(must(verify_tlog_proof(proven.proof, proven.entry, key)).head.size == 11);
}

TEST_CASE("what the log never had is refused", "[log]") {
  Log log(5);
  CHECK_FAILS_WITH(read_entry(log.store, log.seal, 5), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(root_at(log.store, 6), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(inclusion_proof(log.store, 5, 5), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(inclusion_proof(log.store, 0, 6), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(consistency_proof(log.store, 0, 5), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(consistency_proof(log.store, 5, 4), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(consistency_proof(log.store, 5, 6), ErrorCode::kInvalidArgument);
}

TEST_CASE("an entry has one byte at least and fits a row at most", "[log]") {
  Log log;
  const Bytes largest(kMaxLogEntry, 'x');
  CHECK(kMaxLogEntry <= 65535);
  CHECK_FAILS_WITH(append_entry(log.store, log.seal, {}), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(append_entry(log.store, log.seal, Bytes(kMaxLogEntry + 1, 'x')),
                   ErrorCode::kInvalidArgument);
  CHECK(must(append_entry(log.store, log.seal, largest)) == 0);
  CHECK(must(read_entry(log.store, log.seal, 0)) == largest);
  for (const auto& [key, value] : log.store.rows()) CHECK(value.size() <= 65536);
}

struct StoreDamage {
  const char* name;
  void (*apply)(MemoryStore::Rows& rows);
  ErrorCode code;
  const char* named;  // in the error
};

// Each to a log of 11 entries.
std::vector<StoreDamage> store_damages() {
  return {
      {"an entry is missing", [](auto& rows) { rows.erase(entry_row(4)); }, ErrorCode::kCorrupt,
       "gap: log entry 4"},
      {"the first entry is missing", [](auto& rows) { rows.erase(entry_row(0)); },
       ErrorCode::kCorrupt, "gap: log entry 0"},
      {"the last entry is missing", [](auto& rows) { rows.erase(entry_row(10)); },
       ErrorCode::kCorrupt, "gap: log entry 10"},
      {"one bit of an entry", [](auto& rows) { rows.at(entry_row(7)).back() ^= 1; },
       ErrorCode::kCorrupt, "entry 7"},
      {"an entry is cut short", [](auto& rows) { rows.at(entry_row(7)).resize(8); },
       ErrorCode::kCorrupt, "entry 7"},
      {"two entries changed places",
       [](auto& rows) { std::swap(rows.at(entry_row(2)), rows.at(entry_row(3))); },
       ErrorCode::kCorrupt, "entry 2"},
      {"an entry under a key that is none",
       [](auto& rows) { rows.emplace(row_key(ByteWriter().u8('E').u8(0)), Bytes(50)); },
       ErrorCode::kCorrupt, "entry 0"},
      {"one bit of a leaf hash", [](auto& rows) { rows.at(node_row(0, 6))[0] ^= 1; },
       ErrorCode::kUnverified, "rewritten: log entry 6"},
      {"one bit of an inner hash", [](auto& rows) { rows.at(node_row(2, 1))[31] ^= 1; },
       ErrorCode::kUnverified, "rewritten: log entry 7"},
      {"an inner hash is missing", [](auto& rows) { rows.erase(node_row(3, 0)); },
       ErrorCode::kCorrupt, "entries from 0 at level 3"},
      {"a hash has another size", [](auto& rows) { rows.at(node_row(1, 0)).push_back(0); },
       ErrorCode::kCorrupt, "entries from 0 at level 1"},
      {"a hash beyond the log", [](auto& rows) { rows.emplace(node_row(0, 11), Bytes(32)); },
       ErrorCode::kCorrupt, "beyond entry 11"},
      {"a hash of a subtree that is not complete",
       [](auto& rows) { rows.emplace(node_row(4, 0), Bytes(32)); }, ErrorCode::kCorrupt,
       "beyond entry 11"},
      {"a hash at a level that no tree has",
       [](auto& rows) { rows.emplace(node_row(200, 0), Bytes(32)); }, ErrorCode::kCorrupt,
       "beyond entry 11"},
      {"one bit of the root", [](auto& rows) { rows.at(head_row()).back() ^= 1; },
       ErrorCode::kUnverified, "rewritten: log root"},
      {"the head is missing", [](auto& rows) { rows.erase(head_row()); }, ErrorCode::kUnverified,
       "entry 0 lies beyond"},
      {"the head is cut short", [](auto& rows) { rows.at(head_row()).pop_back(); },
       ErrorCode::kCorrupt, "head"},
      {"the head is older", [](auto& rows) { rows.at(head_row())[7] = 10; }, ErrorCode::kUnverified,
       "entry 10 lies beyond"},
      {"the head is newer", [](auto& rows) { rows.at(head_row())[7] = 12; }, ErrorCode::kCorrupt,
       "entry 11"},
  };
}

TEST_CASE("verifying the log finds every damage and names the place", "[log]") {
  for (const StoreDamage& damage : store_damages()) {
    INFO(damage.name);
    Log log(11);
    must(verify_log(log.store, log.seal));
    damage.apply(log.store.rows());
    const Result<TreeHead> verdict = verify_log(log.store, log.seal);
    INFO(describe(verdict));
    REQUIRE_FALSE(verdict.ok());
    CHECK(verdict.error().code() == damage.code);
    CHECK(verdict.error().context().find(damage.named) != std::string::npos);
  }
}

TEST_CASE("a log does not open under another key or vault", "[log]") {
  Log log(3);
  const RowKey other_key = key_from<RowRole>(sha256(as_bytes("other rows")));
  const VaultId other_vault{9};
  const LogSeal under_other_key{other_key, log.vault, *log.context};
  const LogSeal of_other_vault{log.key, other_vault, *log.context};
  CHECK_FAILS_WITH(verify_log(log.store, under_other_key), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(verify_log(log.store, of_other_vault), ErrorCode::kCorrupt);
}

TEST_CASE("appending to a damaged log fails instead of papering over it", "[log]") {
  Log log(7);
  log.store.rows().erase(node_row(1, 2));
  CHECK_FAILS_WITH(append_entry(log.store, log.seal, as_bytes("next")), ErrorCode::kCorrupt);
}

TEST_CASE("proofs read and hold O(log n) hashes", "[log]") {
  Log log;
  const Bytes entry(20, 'x');
  for (int i = 0; i < 10000; ++i) must(append_entry(log.store, log.seal, entry));
  constexpr std::size_t kHeight = 14;  // 2^14 > 10,000
  for (const std::uint64_t at : {1, 2, 4095, 4096, 4097, 9999}) {
    INFO(at);
    std::size_t before = log.store.reads();
    const auto inclusion = must(inclusion_proof(log.store, at, 10000));
    CHECK(inclusion.size() <= kHeight);
    CHECK(log.store.reads() - before <= 2 * kHeight + 1);
    before = log.store.reads();
    const auto consistency = must(consistency_proof(log.store, at, 10000));
    CHECK(consistency.size() <= kHeight + 1);
    CHECK(log.store.reads() - before <= 2 * kHeight + 1);
  }
}

TEST_CASE("ten thousand entries append in O(log n) and verify within a second", "[log]") {
  Log log;
  const Bytes entry(200, 'x');
  for (int i = 0; i < 10000; ++i) must(append_entry(log.store, log.seal, entry));

  const std::size_t reads = log.store.reads();
  const std::size_t writes = log.store.writes();
  must(append_entry(log.store, log.seal, entry));
  CHECK(log.store.reads() - reads <= 2 * 14 + 1);
  CHECK(log.store.writes() - writes <= 14 + 3);

  const auto start = std::chrono::steady_clock::now();
  CHECK(must(verify_log(log.store, log.seal)).size == 10001);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  INFO("took " << took.count() << " s");
#ifdef NDEBUG
  CHECK(took.count() < 1.0);
#endif
}

}  // namespace
}  // namespace quietus::test
