// Rotation and purge beside normal work.
#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "keys/rotation.hpp"
#include "record_fence.hpp"
#include "record_format.hpp"
#include "scope_paths.hpp"
#include "support/failpoint_hook.hpp"
#include "support/record_rows.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

constexpr std::size_t kObject = 5'000'000;  // more than one piece

Bytes content(std::size_t size, std::size_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>(seed + i * 31 + i / 251);
  return bytes;
}

struct Rotated {
  TempVault place;
  Vault vault = place.vault();
  Lifecycle lifecycle = vault.lifecycle();
  Scope user = place.scope("acme/customer-data/user-7");
  std::map<std::string, Bytes> stored;
  std::map<std::string, Version> versions;

  explicit Rotated(std::size_t records = 40, std::size_t objects = 2) {
    for (std::size_t i = 0; i < records; ++i)
      put("record " + std::to_string(i), content(10 + i * 7, i));
    for (std::size_t i = 0; i < objects; ++i)
      put("object " + std::to_string(i), content(kObject + i, i));
  }
  void reopen() {
    vault = Vault(nullptr);
    place.reopen();
    vault = place.vault();
    lifecycle = vault.lifecycle();
    user = place.scope("acme/customer-data/user-7");
  }
  void put(const std::string& name, Bytes bytes) {
    versions[name] = must(user.put(name, bytes));
    stored[name] = std::move(bytes);
  }
  std::set<std::uint32_t> generations() const {
    std::set<std::uint32_t> found;
    for (const RawRow& row : rows_of(place.store(), RecordTable::kRecords, user.id()))
      found.insert(must(StoredRecord::parse(row.second)).generation());
    return found;
  }
  // `settled`: no write and no root change was interrupted.
  void check_all(bool settled = true) {
    std::set<std::string> listed;
    must(user.list("", [&](const RecordInfo& info) -> Result<bool> {
      INFO(info.name);
      CHECK(listed.insert(info.name).second);
      CHECK(info.version == versions.at(info.name));
      return true;
    }));
    CHECK(listed.size() == stored.size());
    for (const auto& [name, bytes] : stored) {
      INFO(name);
      CHECK(must(user.get(name)) == bytes);
      CHECK(must(user.stat(name))->version == versions.at(name));
    }
    if (!settled) return;
    const CheckReport report = must(vault.check());
    for (const Damage& damage : report.damages) FAIL_CHECK(damage.where << ": " << damage.what);
    CHECK(report.orphaned_rows == 0);
  }
  std::string state_of(std::string_view line, std::uint32_t generation,
                       std::string_view path = "acme/customer-data/user-7") {
    for (const KeyInfo& key : must(lifecycle.keys(path)).keys)
      if (key.line == line && key.generation == generation) return key.state;
    return "none";
  }
};

}  // namespace

TEST_CASE("rotate: all is under the new key, versions stay, the old key is kept", "[rotation]") {
  Rotated t;
  const auto report = must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  CHECK(report.generation == 2);
  CHECK(report.records == t.stored.size());
  CHECK(report.keys_destroyed == 0);
  CHECK(t.generations() == std::set<std::uint32_t>{2});
  CHECK(t.state_of("data", 1) == "deactivated");
  CHECK(t.state_of("data", 2) == "active");
  CHECK(t.state_of("lasting", 1) == "active");
  CHECK(t.state_of("lasting", 2) == "none");
  t.check_all();
  const auto rotations = must(t.lifecycle.rotations());
  REQUIRE(rotations.size() == 1);
  CHECK(rotations[0].moved);
  CHECK(rotations[0].path == "acme/customer-data/user-7");
  t.reopen();
  t.check_all();
}

TEST_CASE("purge: the old key is destroyed, once and again", "[rotation]") {
  Rotated t;
  for (std::uint32_t generation = 2; generation < 5; ++generation) {
    must(t.user.remove("record 3"));
    t.put("record 3", content(99, generation));
    t.put("object 1", content(kObject, generation));
    const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
    CHECK(report.generation == generation);
    CHECK(report.keys_destroyed == 1);
    CHECK(t.state_of("data", generation - 1) == "destroyed");
    CHECK(t.state_of("data", generation) == "active");
    CHECK(must(t.lifecycle.rotations()).empty());
    t.check_all();
  }
  // The lasting line was never touched.
  CHECK(t.state_of("lasting", 1) == "active");
}

TEST_CASE("a purge of a tenant keeps what opens the commitments of its certificates",
          "[rotation]") {
  Rotated t(2, 0);
  const std::string paths[] = {"acme/customer-data/user-7"};
  const ErasureReport report = must(t.vault.erase(paths, "test"));
  REQUIRE(report.subjects.size() == 1);
  for (int round = 0; round < 2; ++round) {
    must(t.lifecycle.purge("acme", "test"));
    const auto openings = must(t.vault.reveal(report.certificate_id));
    REQUIRE(openings.size() == 1);
    CHECK(openings[0].salt == report.subjects[0].salt);
  }
}

TEST_CASE("a plan of an erasure counts the keys that are still there", "[rotation]") {
  Rotated t(2, 0);
  must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  const std::string paths[] = {"acme/customer-data/user-7"};
  CHECK(must(t.vault.plan_erase(paths)).keys_destroyed == 3);
}

TEST_CASE("a purge takes up what rotations left behind", "[rotation]") {
  Rotated t(10, 0);
  must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  CHECK(report.generation == 4);
  CHECK(report.keys_destroyed == 3);
  t.check_all();
}

TEST_CASE("a parent's rotation re-wraps its children and touches no record", "[rotation]") {
  Rotated t(5, 0);
  must(t.vault.create_scope("globex"));
  must(t.vault.create_scope("globex/derived", {"", {"acme/customer-data"}}));
  Scope derived = must(t.vault.scope("globex/derived"));
  must(derived.put("a", as_bytes("b")));
  const std::string gone[] = {"acme/customer-data/user-8"};
  must(t.vault.create_scope(gone[0]));
  must(t.vault.erase(gone, "no reason at all"));
  const auto before = rows_of(t.place.store(), RecordTable::kRecords, t.user.id());
  must(t.lifecycle.rotate("acme/customer-data", "test"));
  // Names of the erased are known as long as the old key is there.
  CHECK_FAILS_WITH(t.vault.scope(gone[0]), kErased);
  for (const char* path : {"acme/customer-data", "acme"}) must(t.lifecycle.purge(path, "test"));
  CHECK(rows_of(t.place.store(), RecordTable::kRecords, t.user.id()) == before);
  t.check_all();
  CHECK(must(derived.get("a")).has_value());
  CHECK(must(t.vault.describe("acme/customer-data/user-7")).name == "user-7");
  CHECK(must(t.vault.children("acme/customer-data")).size() == 1);
  CHECK_FAILS_WITH(t.vault.scope(gone[0]), kNotFound);
  derived = t.user;
  t.reopen();
  t.check_all();
}

TEST_CASE("more children and derived scopes than one transaction moves", "[rotation]") {
  Rotated t(0, 0);
  must(t.vault.create_scope("globex"));
  constexpr int kMany = 600;
  const auto child = [](int n) { return "acme/customer-data/child " + std::to_string(n); };
  const auto derived = [](int n) { return "globex/derived " + std::to_string(n); };
  for (int n = 0; n < kMany; ++n) {
    must(t.vault.create_scope(child(n)));
    must(t.vault.create_scope(derived(n), {"", {"acme/customer-data"}}));
  }
  for (int round = 0; round < 2; ++round) {
    must(t.lifecycle.purge("acme/customer-data", "test"));
    CHECK(must(t.vault.children("acme/customer-data")).size() == kMany + 1);
    for (int n = 0; n < kMany; ++n) {
      REQUIRE(t.vault.scope(child(n)).ok());
      REQUIRE(t.vault.scope(derived(n)).ok());
    }
    t.check_all();
  }
}

TEST_CASE("a rotation after a compromise makes the scope active again", "[rotation]") {
  Rotated t(5, 1);
  must(t.lifecycle.compromise("acme/customer-data/user-7", "incident"));
  CHECK_FAILS_WITH(t.user.get("record 1"), kRefused);
  must(t.lifecycle.purge("acme/customer-data/user-7", "incident"));
  // Whoever follows the states in the log knows that it may be used again.
  std::size_t logged = 0;
  for (std::uint64_t i = 0; i < must(t.vault.log_head()).size; ++i)
    logged += must(t.vault.log_entry(i)).find(R"("from":"compromised","to":"active")") !=
                      std::string::npos
                  ? 1
                  : 0;
  CHECK(logged == 1);
  CHECK(t.state_of("data", 1) == "destroyed-compromised");
  CHECK(t.state_of("data", 2) == "active");
  CHECK(t.state_of("lasting", 1) == "compromised");
  CHECK(t.state_of("lasting", 2) == "active");
  t.check_all();
}

TEST_CASE("a key that is compromised while it takes over is replaced too", "[rotation]") {
  Rotated t(1500, 0);
  RotationOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) { return done < 600; };
  CHECK_FAILS_WITH(t.lifecycle.rotate("acme/customer-data/user-7", "test", options), kRefused);
  must(t.lifecycle.compromise("acme/customer-data/user-7", "incident"));
  CHECK_FAILS_WITH(t.user.get("record 1"), kRefused);
  const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "incident"));
  CHECK(report.keys_destroyed == 2);
  CHECK(t.generations() == std::set<std::uint32_t>{3});
  CHECK(t.state_of("data", 2) == "destroyed-compromised");
  CHECK(t.state_of("data", 3) == "active");
  t.check_all();
}

TEST_CASE("what is suspended or deactivated can be purged and stays what it is", "[rotation]") {
  Rotated t(5, 1);
  must(t.lifecycle.suspend("acme/customer-data/user-7", "objection"));
  must(t.lifecycle.purge("acme/customer-data/user-7", "objection"));
  CHECK(t.state_of("data", 2) == "suspended");
  CHECK_FAILS_WITH(t.user.get("record 1"), kRestricted);
  must(t.lifecycle.resume("acme/customer-data/user-7", "resolved"));
  t.check_all();
  must(t.lifecycle.deactivate("acme", "contract-ended"));
  must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  t.check_all();
  CHECK_FAILS_WITH(t.user.put("new", as_bytes("x")), kRefused);
}

TEST_CASE("I-22: what is held is rotated but not purged", "[rotation][holds]") {
  Rotated t(5, 0);
  const HoldInfo hold = must(t.lifecycle.place_hold("acme", "audit"));
  CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test"), kHeld);
  CHECK(t.state_of("data", 2) == "none");
  must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test"), kHeld);
  CHECK(t.state_of("data", 1) == "deactivated");
  must(t.lifecycle.release_hold(hold.id));
  must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  t.check_all();
}

TEST_CASE("compare-and-set goes on over a rotation, for records and large objects", "[rotation]") {
  Rotated t(3, 1);
  const auto versions = t.versions;
  must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  for (const std::string name : {"record 1", "object 0"}) {
    PutOptions options;
    options.expected = versions.at(name);
    t.versions[name] = must(t.user.put(name, content(77, 1), options));
    t.stored[name] = content(77, 1);
    CHECK_FAILS_WITH(t.user.put(name, content(78, 1), options), kConflict);
    CHECK_FAILS_WITH(t.user.remove(name, versions.at(name)), kConflict);
  }
  t.check_all();
}

TEST_CASE("an object that is being read while it is re-encrypted is read to its end",
          "[rotation]") {
  Rotated t(1, 1);
  Bytes read;
  bool rotated = false;
  must(t.user.get_stream("object 0", [&](ByteView piece) -> Result<void> {
    read.insert(read.end(), piece.begin(), piece.end());
    if (!rotated) must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
    rotated = true;
    return {};
  }));
  CHECK(read == t.stored.at("object 0"));
}

TEST_CASE("a list that a rotation overtakes shows every record once", "[rotation]") {
  Rotated t(1200, 0);
  std::size_t stop_at = 0;
  for (const bool destroys : {false, true}) {
    stop_at += 300;
    std::set<std::string> listed;
    must(t.user.list("", [&](const RecordInfo& info) -> Result<bool> {
      CHECK(listed.insert(info.name).second);
      if (listed.size() == stop_at) {
        RotationOptions options;
        options.destroy_old = destroys;
        must(t.lifecycle.rotate("acme/customer-data/user-7", "test", options));
      }
      return true;
    }));
    CHECK(listed.size() == 1200);
  }
}

TEST_CASE("C9: a write that was sealed under the old key is not lost", "[rotation]") {
  Rotated t(20, 1);
  bool rotating = false;
  int pieces = 0;
  int at_piece = 1;
  const FailpointHook hook([&](std::string_view name) -> Result<void> {
    if (name == "objects/before-rows" || name == "records/before-update") ++pieces;
    if (rotating || pieces != at_piece) return {};
    rotating = true;
    must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
    return {};
  });
  t.put("late", content(100, 9));
  t.check_all();
  for (at_piece = 1; at_piece <= 3; ++at_piece) {  // the third is the flip
    rotating = false;
    pieces = 0;
    t.put("late and large " + std::to_string(at_piece), content(kObject, 9));
    CHECK(rotating);
    CHECK(t.generations().size() == 1);
    t.check_all();
  }
}

TEST_CASE("what is interrupted at any step is taken up again", "[rotation]") {
  for (int step = 1;; ++step) {
    INFO("step " << step);
    Rotated t(30, 1);
    bool failed = false;
    {
      const FailpointHook hook(failpoint::at_nth(step, [&](std::string_view) -> Result<void> {
        failed = true;
        return Error(kIo, "planned");
      }));
      const auto purged = t.lifecycle.purge("acme/customer-data/user-7", "test");
      if (!failed) {
        CHECK(step > 10);
        break;
      }
      if (purged) CHECK(step > 10);
    }
    // After a commit of unknown outcome the vault is opened anew.
    if (!t.lifecycle.rotations() || !t.user.put("probe", {})) t.reopen();
    must(t.user.remove("probe"));
    // Beside the interrupted rotation, work goes on.
    t.put("record 5", content(321, 5));
    t.put("new", content(5, 5));
    must(t.user.remove("record 6"));
    t.stored.erase("record 6");
    t.check_all(false);
    t.reopen();
    must(t.lifecycle.resume_rotations());
    CHECK(must(t.lifecycle.rotations()).empty());
    CHECK(t.generations().size() == 1);
    CHECK(t.state_of("data", *t.generations().begin()) == "active");
    t.check_all();
  }
}

TEST_CASE("the caller can stop a rotation, and it is taken up by the next", "[rotation]") {
  Rotated t(1500, 0);
  RotationOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t total) {
    CHECK(total == 1500);
    return done < 600;
  };
  CHECK_FAILS_WITH(t.lifecycle.rotate("acme/customer-data/user-7", "test", options), kRefused);
  CHECK(t.generations() == std::set<std::uint32_t>{1, 2});
  t.check_all();
  const auto report = must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  CHECK(report.generation == 2);
  t.check_all();
}

TEST_CASE("a purge does not leave the key of a stopped rotation, under which records were removed",
          "[rotation]") {
  Rotated t(1500, 0);
  RotationOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) { return done < 600; };
  CHECK_FAILS_WITH(t.lifecycle.rotate("acme/customer-data/user-7", "test", options), kRefused);
  must(t.user.put("removed", as_bytes("sealed under the new key")));
  must(t.user.remove("removed"));
  const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  CHECK(report.generation == 3);
  CHECK(report.keys_destroyed == 2);
  t.check_all();
}

TEST_CASE("a purge does not leave the key of a stopped purge, under which records were removed",
          "[rotation]") {
  Rotated t(1500, 0);
  RotationOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) { return done < 600; };
  CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test", options), kRefused);
  must(t.user.put("removed", as_bytes("sealed under the new key")));
  must(t.user.remove("removed"));
  const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  CHECK(report.generation == 3);
  CHECK(report.keys_destroyed == 2);
  t.check_all();
}

TEST_CASE("a damaged record keeps the old key alive", "[rotation]") {
  Rotated t(10, 0);
  RawRow row = rows_of(t.place.store(), RecordTable::kRecords, t.user.id()).at(4);
  row.second.back() ^= 1;
  put_row(t.place.store(), RecordTable::kRecords, t.user.id(), row);
  CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test"), kCorrupt);
  CHECK(t.state_of("data", 1) == "deactivated");
  CHECK(t.generations() == std::set<std::uint32_t>{1, 2});
  row.second.back() ^= 1;
  put_row(t.place.store(), RecordTable::kRecords, t.user.id(), row);
  CHECK(must(t.lifecycle.resume_rotations()) == 1);
  t.check_all();
  CHECK(t.state_of("data", 1) == "destroyed");
}

TEST_CASE("a scope that is erased while its key is replaced is erased", "[rotation]") {
  for (const char* path : {"acme/customer-data/user-7", "acme"}) {
    Rotated t(30, 1);
    {
      const FailpointHook hook([](std::string_view name) -> Result<void> {
        return name == "move/before-fence" ? Result<void>(Error(kIo, "planned")) : Result<void>();
      });
      CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test"), kIo);
    }
    const std::string paths[] = {path};
    must(t.vault.erase(paths, "test"));
    CHECK_FAILS_WITH(t.user.get("record 1"), kErased);
    CHECK(must(t.lifecycle.resume_rotations()) == 0);
    CHECK(must(t.lifecycle.rotations()).empty());
  }
}

TEST_CASE("I-5: an erasure that a rotation comes in between destroys the new key too",
          "[rotation]") {
  for (const char* path : {"acme/customer-data/user-7", "acme/customer-data"}) {
    INFO(path);
    Rotated t(10, 0);
    bool rotated = false;
    ErasureReport erased;
    {
      const FailpointHook hook([&](std::string_view name) -> Result<void> {
        if (name != "change/after-t1" || std::exchange(rotated, true)) return {};
        // What another process does meanwhile; the rest of its rotation waits for the lock.
        return t.place.keys().update(
            [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
              QUIETUS_TRY_AS(const ScopeId scope, resolve_path(writer, scopes, path));
              QUIETUS_TRY(begin_rotation(writer, scopes, root, {scope, "test", false, 1}));
              return {};
            });
      });
      const std::string paths[] = {path};
      erased = must(t.vault.erase(paths, "test"));
    }
    REQUIRE(rotated);
    // The certificate names three keys: two generations of the data line, and the lasting one.
    const std::string payload =
        must(read_unverified_certificate(as_bytes(erased.certificate))).payload;
    std::size_t keys = 0;
    for (std::size_t at = 0; (at = payload.find("\"key_id\"", at)) != std::string::npos; ++at)
      ++keys;
    CHECK(keys == 3);
    CHECK_FAILS_WITH(t.user.get("record 1"), kErased);
    // No leaf of a destroyed key is left in the key tree.
    for (const Damage& damage : must(t.vault.check()).damages)
      FAIL_CHECK(damage.where << ": " << damage.what);
  }
}

TEST_CASE("a rotation that others finished, and whose key was replaced again, ends", "[rotation]") {
  const std::string path = "acme/customer-data/user-7";
  Rotated t(1200, 1);
  bool overtaken = false;
  const FailpointHook hook([&](std::string_view name) -> Result<void> {
    if (name != "move/before-update" || std::exchange(overtaken, true)) return {};
    must(t.lifecycle.rotate(path, "test"));
    must(t.lifecycle.rotate(path, "test"));
    return {};
  });
  RotationOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t) { return done < 10'000; };
  CHECK_FAILS_WITH(t.lifecycle.rotate(path, "test", options), kBusy);
  CHECK(overtaken);
  CHECK(t.generations() == std::set<std::uint32_t>{3});
  t.check_all();
}

TEST_CASE("threads read and write while the key is replaced again and again",
          "[rotation][concurrent]") {
  Rotated t(300, 1);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> reads{0};
  std::atomic<std::size_t> failures{0};
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t n = 0; n < 3; ++n)
    threads.emplace_back([&, n] {
      for (std::size_t i = n; !stop; i += 7) {
        const std::string name = "record " + std::to_string(i % 300);
        const auto got = t.user.get(name);
        failures += got ? 0 : 1;
        wrong += got && *got != t.stored.at(name) ? 1 : 0;
        ++reads;
      }
    });
  threads.emplace_back([&] {
    for (std::size_t i = 0; !stop; ++i) {
      const std::string name = "mine " + std::to_string(i % 20);
      const Bytes bytes = content(50 + i % 50, i);
      failures += t.user.put(name, bytes) ? 0 : 1;
      const auto back = t.user.get(name);
      failures += back ? 0 : 1;
      wrong += back && *back != bytes ? 1 : 0;
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      const auto got = t.user.get("object 0");
      failures += got ? 0 : 1;
      wrong += got && *got != t.stored.at("object 0") ? 1 : 0;
    }
  });
  for (int i = 0; i < 5; ++i) must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(wrong == 0);
  CHECK(reads > 0);
}

TEST_CASE("a check beside a purge finds no damage", "[rotation][concurrent]") {
  Rotated t(1000, 1);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> failures{0};  // Catch2's checks are not for several threads
  std::thread purger([&] {
    while (!stop) failures += t.lifecycle.purge("acme/customer-data/user-7", "test") ? 0 : 1;
  });
  for (int i = 0; i < 40; ++i)
    for (const Damage& damage : must(t.vault.check()).damages)
      FAIL_CHECK(damage.where << ": " << damage.what);
  stop = true;
  purger.join();
  CHECK(failures == 0);
}

TEST_CASE("reclaim frees the rows of erased scopes and of nothing else", "[rotation]") {
  Rotated t(30, 1);
  Scope other = t.place.scope("globex/customer-data");
  must(other.put("a", as_bytes("b")));
  CHECK(must(t.lifecycle.reclaim()) == 0);
  const std::string paths[] = {"acme"};
  must(t.vault.erase(paths, "test"));
  CHECK(must(t.lifecycle.reclaim(1000)) > 1000);  // one transaction
  std::uint64_t all = 0;
  for (std::uint64_t some = 1; some > 0; all += some) some = must(t.lifecycle.reclaim(100'000));
  CHECK(all > kObject / 2);
  for (const RecordTable table : {RecordTable::kRecords, RecordTable::kChunks})
    CHECK(rows_of(t.place.store(), table, t.user.id()).empty());
  CHECK(must(other.get("a")).has_value());
  CHECK(must(t.vault.check()).erased_records == 0);
}

TEST_CASE("I-1: nothing is reclaimed before an erasure is confirmed", "[rotation]") {
  Rotated t(5, 0);
  std::vector<ScopeId> ids;
  for (const char* path : {"acme", "acme/customer-data", "acme/customer-data/user-7"})
    ids.push_back(must(t.vault.describe(path)).id);
  const std::string paths[] = {"acme"};
  {
    const FailpointHook hook([](std::string_view name) -> Result<void> {
      return name == "change/after-t2" ? Result<void>(Error(kIo, "planned")) : Result<void>();
    });
    CHECK_FALSE(t.vault.erase(paths, "test").ok());
  }
  for (const ScopeId id : ids) must(t.place.core().cache->begin()).forget(id);  // as elsewhere
  CHECK(must(t.lifecycle.reclaim()) == 0);
  must(t.vault.resume());
  CHECK(must(t.lifecycle.reclaim()) > 0);
}

TEST_CASE(
    "parents, children and sources are purged at once, beside erasures, holds, new scopes and "
    "a changed unlock secret",
    "[rotation][concurrent]") {
  Rotated t(50, 1);
  must(t.vault.create_scope("globex"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  std::map<std::string, std::string> other_failures;
  std::mutex mutex;
  // What may happen to the loser of two changes at once.
  const auto note = [&](const std::string& what, const auto& result) {
    const ErrorCode code = result ? kInternal : result.error().code();
    if (result || code == kBusy || code == kRefused || code == kHeld) return;
    const std::lock_guard lock(mutex);
    other_failures[what] = std::string(name_of(result.error().code())) + result.error().context();
  };
  for (const std::string path : {"acme", "acme/customer-data", "acme/customer-data/user-7"})
    threads.emplace_back([&, path] {
      while (!stop) note("purge " + path, t.lifecycle.purge(path, "test"));
    });
  std::set<std::string> made;
  threads.emplace_back([&] {
    for (int n = 0; !stop; ++n) {
      const std::string child = "acme/customer-data/child " + std::to_string(n);
      const std::string derived = "globex/derived " + std::to_string(n);
      for (const std::string& path : {child, derived}) {
        ScopeOptions options;
        if (path == derived) options.derived_from = {"acme/customer-data"};
        const auto scope = t.vault.create_scope(path, options);
        note("create", scope);
        if (scope) made.insert(path);
      }
      if (n % 5 != 0) continue;
      const std::string paths[] = {child};
      const auto erased = t.vault.erase(paths, "a reason in words");
      note("erase", erased);
      if (erased) made.erase(child);
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      const auto hold = t.lifecycle.place_hold("globex", "audit");
      note("hold", hold);
      if (hold) note("release", t.lifecycle.release_hold(hold->id));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      note("unlock", t.vault.change_unlock(t.place.unlock()));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  threads.emplace_back([&] {
    for (int n = 0; !stop; ++n) {
      const std::string name = "record " + std::to_string(n % 50);
      const auto got = t.user.get(name);
      note("get", got);
      if (got && *got != t.stored.at(name)) note("get", Result<void>(Error(kInternal, "wrong")));
    }
  });
  std::this_thread::sleep_for(std::chrono::seconds(2));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& [what, failure] : other_failures) FAIL_CHECK(what << ": " << failure);
  for (const std::string path : {"acme", "acme/customer-data", "acme/customer-data/user-7"})
    must(t.lifecycle.purge(path, "test"));
  for (const std::string& path : made) {
    INFO(path);
    CHECK(t.vault.scope(path).ok());
  }
  t.check_all();
}

TEST_CASE("a purge that was begun is not forgotten by a rotation", "[rotation]") {
  for (const std::string step : {"move/before-fence", "change/before-t1"}) {
    INFO(step);
    Rotated t(5, 0);
    {
      const FailpointHook hook([&](std::string_view name) -> Result<void> {
        return name == step ? Result<void>(Error(kIo, "planned")) : Result<void>();
      });
      CHECK_FAILS_WITH(t.lifecycle.purge("acme/customer-data/user-7", "test"), kIo);
    }
    must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
    CHECK(t.state_of("data", 1) == "destroyed");
    CHECK(must(t.lifecycle.rotations()).empty());
    t.check_all();
  }
}

TEST_CASE("a rotation that cannot be finished does not hold up the others", "[rotation]") {
  const std::string paths[] = {"acme/customer-data/user-7", "acme/customer-data/user-8"};
  for (const std::string& held : paths) {
    Rotated t(5, 0);
    must(t.place.scope(paths[1]).put("a", as_bytes("b")));
    {
      const FailpointHook hook([](std::string_view name) -> Result<void> {
        return name == "change/before-t1" ? Result<void>(Error(kIo, "planned")) : Result<void>();
      });
      for (const std::string& path : paths) CHECK_FAILS_WITH(t.lifecycle.purge(path, "test"), kIo);
    }
    const HoldInfo hold = must(t.lifecycle.place_hold(held, "audit"));
    CHECK_FAILS_WITH(t.lifecycle.resume_rotations(), kHeld);
    for (const std::string& path : paths)
      CHECK(t.state_of("data", 1, path) == (path == held ? "deactivated" : "destroyed"));
    must(t.lifecycle.release_hold(hold.id));
    CHECK(must(t.lifecycle.resume_rotations()) == 1);
    CHECK(t.state_of("data", 1, held) == "destroyed");
    t.check_all();
  }
}

TEST_CASE("a scope is purged for ever, and not rotated for ever", "[rotation]") {
  Rotated t(1, 0);
  const auto keys = [&] { return must(t.lifecycle.keys("acme/customer-data/user-7")).keys.size(); };
  for (std::size_t i = 0; i < kMaxOlderKeys; ++i)
    must(t.lifecycle.rotate("acme/customer-data/user-7", "test"));
  CHECK_FAILS_WITH(t.lifecycle.rotate("acme/customer-data/user-7", "test"), kRefused);
  const auto report = must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  CHECK(report.keys_destroyed == kMaxOlderKeys + 1);
  CHECK(keys() == kMaxDestroyedKeys + 2);
  must(t.lifecycle.purge("acme/customer-data/user-7", "test"));
  CHECK(keys() == kMaxDestroyedKeys + 2);
  CHECK(t.state_of("data", 2) == "none");
  CHECK(t.state_of("data", 66) == "destroyed");
  CHECK(t.state_of("data", 67) == "active");
  CHECK(t.state_of("lasting", 1) == "active");
  t.check_all();
  t.place.erase("acme/customer-data/user-7");
  CHECK_FAILS_WITH(t.user.get("record 0"), kErased);
}

TEST_CASE("why a child was erased, in words, goes with its name and no sooner", "[rotation]") {
  Rotated t(1, 0);
  const std::string gone[] = {"acme/customer-data/gone"};
  must(t.vault.create_scope(gone[0]));
  must(t.vault.erase(gone, "Ada asked for it by letter"));
  const auto texts = [&] {
    std::size_t found = 0;
    must(t.place.core().read([&](ControlReader& reader, ScopeTable&, const RootRow&) {
      return reader.scan(Bytes{'Z'}, {}, [&](ByteView, ByteView) -> Result<bool> {
        ++found;
        return true;
      });
    }));
    return found;
  };
  REQUIRE(texts() == 1);
  must(t.lifecycle.rotate("acme/customer-data", "test"));
  CHECK(texts() == 1);
  CHECK_FAILS_WITH(t.vault.scope(gone[0]), kErased);
  must(t.lifecycle.purge("acme/customer-data", "test"));
  CHECK(texts() == 0);
  CHECK_FAILS_WITH(t.vault.scope(gone[0]), kNotFound);
  t.check_all();
}
