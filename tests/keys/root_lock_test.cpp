#include "keys/root_lock.hpp"

#include <sys/stat.h>

#include <fstream>
#include <vector>

#include "keys/other_process.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using Mode = LockFile::Mode;

namespace {

constexpr auto kNow = std::chrono::milliseconds(0);

struct Locks {
  TemporaryFolder folder;
  std::filesystem::path path = folder / "control.mdb";

  Locks() { std::ofstream(path) << "store"; }
  Result<RootChangeLock> take(Mode mode, std::chrono::milliseconds timeout = kNow) const {
    return RootChangeLock::take({path, {}}, mode, timeout);
  }
};

std::optional<RootChangeLock> held(Result<RootChangeLock> lock) {
  if (!lock) return std::nullopt;
  return std::move(lock).value();
}

}  // namespace

TEST_CASE("shared locks go together, an exclusive one goes alone", "[lock]") {
  const Locks locks;
  {
    const auto one = must(locks.take(Mode::kShared));
    const auto two = must(locks.take(Mode::kShared));
    CHECK_FAILS_WITH(locks.take(Mode::kExclusive), ErrorCode::kBusy);
  }
  const auto alone = must(locks.take(Mode::kExclusive));
  CHECK_FAILS_WITH(locks.take(Mode::kShared), ErrorCode::kBusy);
  CHECK_FAILS_WITH(locks.take(Mode::kExclusive), ErrorCode::kBusy);
}

TEST_CASE("a lock waits as long as it was told to", "[lock]") {
  const Locks locks;
  const auto alone = must(locks.take(Mode::kExclusive));
  const auto began = std::chrono::steady_clock::now();
  CHECK_FAILS_WITH(locks.take(Mode::kShared, std::chrono::milliseconds(50)), ErrorCode::kBusy);
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(50));
}

TEST_CASE("another process is kept out, and so is this one by it", "[lock]") {
  const Locks locks;
  const Mode theirs = GENERATE(Mode::kShared, Mode::kExclusive);
  OtherProcess other([&] { return held(locks.take(theirs)); });
  CHECK_FAILS_WITH(locks.take(Mode::kExclusive), ErrorCode::kBusy);
  CHECK(locks.take(Mode::kShared).ok() == (theirs == Mode::kShared));
  other.end();
  const auto alone = must(locks.take(Mode::kExclusive));
  CHECK(true_in_child([&] {
    const auto tried = locks.take(Mode::kShared);
    return !tried && tried.error().code() == ErrorCode::kBusy;
  }));
}

TEST_CASE("C13: a stopped process keeps its lock, a killed one gives it up", "[lock]") {
  const Locks locks;
  OtherProcess other([&] { return held(locks.take(Mode::kExclusive)); });
  other.stop();
  CHECK_FAILS_WITH(locks.take(Mode::kShared, std::chrono::milliseconds(20)), ErrorCode::kBusy);
  other.end();
  CHECK(locks.take(Mode::kExclusive).ok());
}

TEST_CASE("a child forked while the lock is held keeps it held", "[lock]") {
  const Locks locks;
  std::optional<RootChangeLock> lock = held(locks.take(Mode::kExclusive));
  REQUIRE(lock);
  OtherProcess child([&] { return std::optional(true); });
  lock.reset();
  CHECK_FAILS_WITH(locks.take(Mode::kShared), ErrorCode::kBusy);
  child.end();
  CHECK(locks.take(Mode::kExclusive).ok());
}

TEST_CASE("another descriptor of the file may come and go", "[lock]") {
  const Locks locks;
  const auto lock = must(locks.take(Mode::kExclusive));
  { const std::ifstream file(locks.path); }
  { const auto file = must(LockFile::open(locks.path, false)); }
  CHECK_FAILS_WITH(locks.take(Mode::kShared), ErrorCode::kBusy);
}

TEST_CASE("the lock is not taken through a link, nor where there is no store", "[lock]") {
  const Locks locks;
  CHECK_FAILS_WITH(RootChangeLock::take({locks.folder / "absent", {}}, Mode::kShared, kNow),
                   ErrorCode::kNotFound);
  std::filesystem::create_symlink(locks.path, locks.folder / "link");
  CHECK_FAILS_WITH(RootChangeLock::take({locks.folder / "link", {}}, Mode::kShared, kNow),
                   ErrorCode::kIo);
}

TEST_CASE("locked bytes of others are seen, one after the other, and own ones are not", "[lock]") {
  const Locks locks;
  LockFile mine = must(LockFile::open(locks.path, false));
  const LockFile eyes = must(LockFile::open(locks.path, true));
  CHECK_FALSE(must(eyes.first_locked(10, 100)));
  CHECK(must(mine.try_lock(20, Mode::kExclusive)));
  CHECK(must(mine.try_lock(30, Mode::kShared)));
  CHECK(must(eyes.first_locked(10, 100)) == 20);
  CHECK(must(eyes.first_locked(20, 1)) == 20);
  CHECK(must(eyes.first_locked(21, 100)) == 30);
  CHECK_FALSE(must(eyes.first_locked(31, 100)));
  CHECK_FALSE(must(eyes.first_locked(10, 10)));
  CHECK_FALSE(must(mine.first_locked(10, 100)));
}

TEST_CASE("the first locked byte is the lowest one, whoever locked it first", "[lock]") {
  const Locks locks;
  const LockFile eyes = must(LockFile::open(locks.path, true));
  std::vector<LockFile> files;
  for (const std::uint64_t byte : {50, 20, 40, 10, 30}) {
    files.push_back(must(LockFile::open(locks.path, false)));
    CHECK(must(files.back().try_lock(byte, Mode::kExclusive)));
  }
  for (const std::uint64_t byte : {10, 20, 30, 40, 50})
    CHECK(must(eyes.first_locked(byte - 9, 100)) == byte);
}

TEST_CASE("neighbouring locked bytes that the kernel joins are seen one by one", "[lock]") {
  const Locks locks;
  LockFile mine = must(LockFile::open(locks.path, false));
  const LockFile eyes = must(LockFile::open(locks.path, true));
  for (std::uint64_t byte = 20; byte < 25; ++byte)
    CHECK(must(mine.try_lock(byte, Mode::kExclusive)));
  std::uint64_t seen = 0;
  for (std::uint64_t next = 10; next < 100; ++seen) {
    const auto locked = must(eyes.first_locked(next, 100 - next));
    if (!locked) break;
    next = *locked + 1;
  }
  CHECK(seen == 5);
}

TEST_CASE("copies of a vault that share a folder of root slots exclude each other", "[lock]") {
  const Locks locks;
  const Locks copy;
  const auto shared_slots = locks.folder / "lock";
  std::ofstream(locks.folder / "anchor") << "here are slots";
  const auto take = [&](const Locks& vault, Mode mode) {
    return held(RootChangeLock::take({vault.path, shared_slots}, mode, kNow));
  };
  // Nobody changed the root yet: there is no file, and readers need none.
  CHECK(take(locks, Mode::kShared));
  {
    const auto first = take(locks, Mode::kExclusive);
    REQUIRE(first);
    CHECK_FALSE(take(copy, Mode::kExclusive));
    CHECK_FALSE(take(copy, Mode::kShared));
  }
  const auto reading = take(locks, Mode::kShared);
  CHECK(take(copy, Mode::kShared));
  CHECK_FALSE(take(copy, Mode::kExclusive));
  // A folder that is gone is no reason not to take the lock: it is found missing later.
  CHECK(held(
      RootChangeLock::take({copy.path, copy.folder / "gone" / "lock"}, Mode::kExclusive, kNow)));
}

TEST_CASE("two copies of a vault are not open at once, and one copy as often as one likes",
          "[lock]") {
  const Locks locks;
  const Locks copy;
  const auto slots = locks.folder / "lock";
  std::ofstream(locks.folder / "anchor") << "here are slots";
  const auto enter = [&](const Locks& vault, bool read_only = false) {
    return VaultPresence::take({vault.path, slots}, read_only);
  };
  CHECK(enter(copy, true).ok());  // nobody ever wrote: there is no file to lock
  {
    const auto first = enter(locks);
    REQUIRE(first.ok());
    CHECK(enter(locks).ok());
    CHECK(enter(locks, true).ok());
    CHECK_FAILS_WITH(enter(copy), ErrorCode::kBusy);
    CHECK_FAILS_WITH(enter(copy, true), ErrorCode::kBusy);
    CHECK_FALSE(must(first->copy_is_open()));
    const auto lock = held(RootChangeLock::take({locks.path, slots}, Mode::kExclusive, kNow));
    CHECK(lock);
  }
  CHECK(enter(copy).ok());
}

TEST_CASE("in a folder that holds no slots, as of a disk that is not mounted, no lock file is made",
          "[lock]") {
  const Locks locks;
  const RootLockFiles files{locks.path, locks.folder / "empty" / "lock"};
  std::filesystem::create_directory(locks.folder / "empty");
  CHECK(VaultPresence::take(files, false).ok());
  CHECK(RootChangeLock::take(files, Mode::kExclusive, kNow).ok());
  CHECK(std::filesystem::is_empty(locks.folder / "empty"));
}
