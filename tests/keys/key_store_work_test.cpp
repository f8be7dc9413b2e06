// Work with keys while the root is being changed.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <mutex>
#include <thread>

#include "keys/erasable_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

TEST_CASE("work with a scope's keys is done again when the root was changed meanwhile", "[work]") {
  ErasableVault vault;
  int runs = 0;
  must(vault->keys().with_scope(vault.scopes.user, KeyUse::kProcess,
                                [&](const ScopeKeys&, const KeyCache::Use&) {
                                  if (++runs == 1) vault->holders().publish();
                                  return Result<void>();
                                }));
  CHECK(runs == 2);
}

TEST_CASE("work that was committed is not done again", "[work]") {
  ErasableVault vault;
  int runs = 0;
  must(vault->keys().with_scope(vault.scopes.user, KeyUse::kProcess,
                                [&](const ScopeKeys&, const KeyCache::Use& use) {
                                  ++runs;
                                  use.set_committed();
                                  vault->holders().publish();
                                  return Result<void>();
                                }));
  CHECK(runs == 1);
  // Nor when something failed after the commit: doing it twice would be wrong.
  runs = 0;
  CHECK_FAILS_WITH(
      vault->keys().with_scope(vault.scopes.user, KeyUse::kProcess,
                               [&](const ScopeKeys&, const KeyCache::Use& use) {
                                 ++runs;
                                 use.set_committed();
                                 vault->holders().publish();
                                 return Result<void>(Error(ErrorCode::kConflict, "planned"));
                               }),
      ErrorCode::kConflict);
  CHECK(runs == 1);
}

TEST_CASE("an error of work that ran with replaced keys is not believed", "[work]") {
  ErasableVault vault;
  int runs = 0;
  must(vault->keys().with_scope(vault.scopes.user, KeyUse::kProcess,
                                [&](const ScopeKeys&, const KeyCache::Use&) -> Result<void> {
                                  if (++runs > 1) return {};
                                  vault->holders().publish();
                                  return Error(ErrorCode::kBusy,
                                               "the keys were replaced meanwhile");
                                }));
  CHECK(runs == 2);
}

TEST_CASE("when the root changes all the time, work gives up busy", "[work]") {
  ErasableVault vault;
  CHECK_FAILS_WITH(vault->keys().with_scope(vault.scopes.user, KeyUse::kProcess,
                                            [&](const ScopeKeys&, const KeyCache::Use&) {
                                              vault->holders().publish();
                                              return Result<void>();
                                            }),
                   ErrorCode::kBusy);
}

TEST_CASE("C13: a key that another process holds dies with the erasure there", "[work]") {
  ErasableVault vault;
  vault.place.mode = GENERATE(KeyCache::Mode::kGuarded, KeyCache::Mode::kNone);
  std::array<int, 2> go{};
  std::array<int, 2> said{};
  REQUIRE(pipe2(go.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(said.data(), O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    vault.place.forked();
    TestVault theirs(vault.place);
    char byte = 'o';
    const bool opened = theirs.open().ok() && theirs.record_key(vault.scopes.user).ok();
    if (!opened || write(said[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    const auto key = theirs.record_key(vault.scopes.user);
    const bool others = theirs.record_key(vault.scopes.other).ok();
    _exit(!key && key.error().code() == ErrorCode::kErased && others ? 0 : 2);
  }
  close(go[0]);
  close(said[1]);
  char byte = 0;
  REQUIRE(read(said[0], &byte, 1) == 1);
  const auto outcome = must(vault->erase({vault.scopes.user}));
  CHECK(outcome.holders.acknowledged == 2);
  REQUIRE(write(go[1], "g", 1) == 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  close(go[1]);
  close(said[0]);
}

namespace {

// What went wrong in threads, where nothing may be checked.
class Wrongs {
 public:
  void note(std::string_view what, const std::string& why) {
    const std::lock_guard lock(mutex_);
    all_.append(what).append(": ").append(why).append("\n");
  }
  std::string take() { return std::move(all_); }

 private:
  std::mutex mutex_;
  std::string all_;
};

}  // namespace

TEST_CASE("threads that read and write go on while scopes are erased", "[work][concurrent]") {
  ErasableVault vault;
  // However slow the machine is: three threads that never rest confirm late under a sanitizer.
  vault.place.acknowledgement_timeout = std::chrono::seconds(60);
  must(vault.open());
  std::vector<ScopeId> doomed;
  for (int i = 0; i < 6; ++i)
    doomed.push_back(must(vault->add(vault.scopes.acme, "d" + std::to_string(i))));
  std::atomic<bool> stop{false};
  Wrongs wrongs;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; !stop; ++i) {
        const auto key = vault->record_key(vault.scopes.other);
        if (!key) wrongs.note("other", key.error().context());
        if (key && *key != vault.scopes.keys.at(vault.scopes.other))
          wrongs.note("other", "changed");
        if (thread == 0 && i % 20 == 0) {
          const auto added = vault->add(vault.scopes.globex, "t" + std::to_string(i));
          if (!added) wrongs.note("add", added.error().context());
        }
        const auto dying = vault->record_key(doomed[static_cast<std::size_t>(i) % doomed.size()]);
        if (!dying && dying.error().code() != ErrorCode::kErased)
          wrongs.note("dying", dying.error().context());
      }
    });
  const auto erase_every_second = [&](std::size_t first) {
    for (std::size_t i = first; i < doomed.size(); i += 2) {
      const auto erased = vault->erase({doomed[i]});
      if (!erased) wrongs.note("erase", erased.error().context());
      const auto key = vault->record_key(doomed[i]);
      if (key.ok() || key.error().code() != ErrorCode::kErased) wrongs.note("erased", "opens");
    }
  };
  std::thread eraser([&] { erase_every_second(0); });
  erase_every_second(1);
  eraser.join();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrongs.take() == std::string());
  CHECK(vault->certificates().size() == doomed.size());
  check_settled(*vault);
}
