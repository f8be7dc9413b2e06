#include "keys/key_cache.hpp"

#include <fstream>

#include "crypto/random.hpp"
#include "keys/other_process.hpp"
#include "keys/sample_secrets.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

constexpr auto kFewMillis = milliseconds(30);
constexpr auto kTenSeconds = milliseconds(10000);

std::shared_ptr<const ScopeKeys> scope_keys(ScopeId id, std::uint64_t mark = 1) {
  return std::make_shared<const ScopeKeys>(ScopeKeys{
      {static_cast<std::uint32_t>(mark), named_key<RecordRole>("r"), named_key<NamePrfRole>("n"),
       named_key<RowRole>("w"), named_key<ChildWrapRole>("c")},
      id,
      {},
      {}});
}

std::shared_ptr<const VaultKeys> vault_keys() {
  return std::make_shared<const VaultKeys>(VaultKeys{
      1, named_key<RootRole>("root"), named_key<RowRole>("rows"), named_key<AnchorRole>("anchor")});
}

struct Cached {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  std::unique_ptr<Holders> holders;
  std::unique_ptr<KeyCache> cache;

  explicit Cached(KeyCache::Mode mode = KeyCache::Mode::kGuarded) {
    std::ofstream(folder / "control.mdb") << "store";
    holders = must(Holders::join(
        {folder / "control.mdb", folder.path(), false, mode == KeyCache::Mode::kNone}));
    cache = std::make_unique<KeyCache>(*holders, mode);
  }
  bool acknowledged(std::uint64_t epoch, milliseconds timeout) const {
    return must(holders->await(epoch, timeout)).missing == 0;
  }
};

}  // namespace

TEST_CASE("keys that were kept are there for the next operation", "[cache]") {
  const Cached cached;
  {
    const auto use = must(cached.cache->begin());
    CHECK(use.vault() == nullptr);
    CHECK(use.scope(7) == nullptr);
    use.keep(vault_keys());
    use.keep(scope_keys(7));
    CHECK(use.current());
    CHECK_FALSE(use.committed());
  }
  const auto use = must(cached.cache->begin());
  CHECK(use.vault() != nullptr);
  REQUIRE(use.scope(7) != nullptr);
  CHECK(use.scope(7)->id == 7);
  CHECK(use.scope(8) == nullptr);
}

TEST_CASE("a publication drops every key, without anybody running an operation", "[cache]") {
  const Cached cached;
  std::weak_ptr<const VaultKeys> vault;
  std::weak_ptr<const ScopeKeys> scope;
  {
    const auto use = must(cached.cache->begin());
    auto keys = vault_keys();
    auto more = scope_keys(7);
    vault = keys;
    scope = more;
    use.keep(std::move(keys));
    use.keep(std::move(more));
  }
  REQUIRE_FALSE(vault.expired());
  REQUIRE(cached.acknowledged(cached.holders->publish(), kTenSeconds));
  CHECK(vault.expired());
  CHECK(scope.expired());
  const auto use = must(cached.cache->begin());
  CHECK(use.vault() == nullptr);
  CHECK(use.scope(7) == nullptr);
}

TEST_CASE("an operation under way keeps the eraser waiting", "[cache]") {
  const KeyCache::Mode mode = GENERATE(KeyCache::Mode::kGuarded, KeyCache::Mode::kNone);
  const Cached cached(mode);
  std::uint64_t epoch = 0;
  {
    const auto use = must(cached.cache->begin());
    epoch = cached.holders->publish();
    CHECK_FALSE(use.current());
    CHECK_FALSE(cached.acknowledged(epoch, kFewMillis));
  }
  CHECK(cached.acknowledged(epoch, kTenSeconds));
}

TEST_CASE("C13: a key that an operation of before finds late is not kept", "[cache]") {
  const Cached cached;
  std::uint64_t epoch = 0;
  {
    const auto before = must(cached.cache->begin());
    epoch = cached.holders->publish();
    before.keep(scope_keys(7));
    CHECK(before.scope(7) != nullptr);
    const auto after = must(cached.cache->begin());
    CHECK(after.current());
    CHECK(after.scope(7) == nullptr);
  }
  REQUIRE(cached.acknowledged(epoch, kTenSeconds));
  CHECK(must(cached.cache->begin()).scope(7) == nullptr);
}

TEST_CASE("C13: an operation from several epochs ago is still waited for", "[cache]") {
  const KeyCache::Mode mode = GENERATE(KeyCache::Mode::kGuarded, KeyCache::Mode::kNone);
  const Cached cached(mode);
  auto use = std::make_unique<KeyCache::Use>(must(cached.cache->begin()));
  for (int n = 0; n < 4; ++n)
    CHECK_FALSE(cached.acknowledged(cached.holders->publish(), milliseconds(10)));
  use.reset();
  CHECK(cached.acknowledged(cached.holders->epoch(), kTenSeconds));
}

TEST_CASE("without a cache nothing outlives the operation", "[cache]") {
  const Cached cached(KeyCache::Mode::kNone);
  std::weak_ptr<const ScopeKeys> scope;
  {
    const auto use = must(cached.cache->begin());
    auto keys = scope_keys(7);
    scope = keys;
    use.keep(std::move(keys));
    CHECK(use.scope(7) != nullptr);
    CHECK(must(cached.cache->begin()).scope(7) == nullptr);
  }
  CHECK(scope.expired());
  CHECK(must(cached.cache->begin()).scope(7) == nullptr);
}

TEST_CASE("the cipher's working memory is wiped before a publication is acknowledged", "[cache]") {
  const Cached cached;
  const LeafKey key = random_key<LeafRole>();
  Bytes sealed(32 + kTagSize);
  {
    const auto use = must(cached.cache->begin());
    key.expose([&](std::span<const std::uint8_t, 32> bytes) {
      use.context().seal(bytes, std::array<std::uint8_t, 12>{}, {}, Bytes(32), sealed);
    });
  }
  REQUIRE(cached.acknowledged(cached.holders->publish(), kTenSeconds));
  // It works on as before.
  const auto use = must(cached.cache->begin());
  Bytes opened(32);
  must(key.expose([&](std::span<const std::uint8_t, 32> bytes) {
    return use.context().open(bytes, std::array<std::uint8_t, 12>{}, {}, sealed, opened);
  }));
}

TEST_CASE("a forked child has neither keys nor the right to use them", "[cache]") {
  const Cached cached;
  const auto keys = scope_keys(7);
  must(cached.cache->begin()).keep(keys);
  CHECK_FALSE(cached.cache->forked());
  CHECK(true_in_child([&] {
    const auto use = cached.cache->begin();
    const bool refused = !use && use.error().code() == ErrorCode::kUnavailable;
    return refused && cached.cache->forked() && bytes_of(keys->records) == Bytes(kKeySize);
  }));
  // The parent goes on.
  CHECK(must(cached.cache->begin()).scope(7) == keys);
  CHECK(bytes_of(keys->records) != Bytes(kKeySize));
  CHECK(cached.acknowledged(cached.holders->publish(), kTenSeconds));
}

TEST_CASE("forking from inside an operation does not wait for itself for ever", "[cache][slow]") {
  const Cached cached;
  const auto use = must(cached.cache->begin());
  const auto began = std::chrono::steady_clock::now();
  CHECK(true_in_child([&] { return !cached.cache->begin(); }));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  CHECK(use.current());
}

TEST_CASE("a cache can be taken down while an operation of another cache goes on", "[cache]") {
  const Cached one;
  const auto use = must(one.cache->begin());
  { const Cached two; }
  CHECK(use.current());
}

TEST_CASE("a committed operation says so", "[cache]") {
  const Cached cached;
  const auto use = must(cached.cache->begin());
  use.set_committed();
  CHECK(use.committed());
}

TEST_CASE("many threads and many publications: no operation sees a key of another epoch",
          "[cache][concurrent]") {
  const KeyCache::Mode mode = GENERATE(KeyCache::Mode::kGuarded, KeyCache::Mode::kNone);
  const Cached cached(mode);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> operations{0};
  std::vector<std::thread> threads;
  for (ScopeId thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      while (!stop) {
        const auto use = cached.cache->begin();
        if (!use) {
          ++wrong;
          return;
        }
        const ScopeId scope = thread % 2;
        const auto kept = use->scope(scope);
        if (kept && kept->generation != use->epoch()) ++wrong;
        if (!kept) use->keep(scope_keys(scope, use->epoch()));
        ++operations;
      }
    });
  for (int n = 0; n < 50; ++n) {
    for (const std::uint64_t seen = operations; operations == seen && wrong == 0;)
      std::this_thread::yield();
    const std::uint64_t epoch = cached.holders->publish();
    const auto count = cached.holders->await(epoch, kTenSeconds);
    if (!count || count->missing != 0) ++wrong;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("busy threads keep neither an eraser nor a fork waiting", "[cache]") {
  const Cached cached;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      while (!stop) static_cast<void>(cached.cache->begin());
    });
  // On a machine that is busy with other things one round may take longer.
  bool soon = false;
  for (int round = 0; round < 5 && !soon; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (int n = 0; n < 5; ++n) CHECK(cached.acknowledged(cached.holders->publish(), kTenSeconds));
    CHECK(true_in_child([&] { return !cached.cache->begin(); }));
    soon = std::chrono::steady_clock::now() - began < std::chrono::milliseconds(1500);
  }
  CHECK(soon);
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("an epoch that was raised while a cache was being made is acknowledged", "[cache]") {
  const Cached cached;
  const auto theirs = must(Holders::join({cached.folder / "control.mdb", cached.folder.path()}));
  const std::uint64_t epoch = cached.holders->publish();
  const KeyCache late(*theirs, KeyCache::Mode::kGuarded);
  CHECK(must(cached.holders->await(epoch, kTenSeconds)).missing == 0);
}
