#include "keys/holders.hpp"

#include <sched.h>

#include <fstream>
#include <thread>

#include "keys/key_cache.hpp"
#include "keys/other_process.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

constexpr auto kSoon = milliseconds(30);
constexpr auto kLong = milliseconds(5000);

// A process that has the vault open, with a cache as the vault has it.
struct Member {
  std::unique_ptr<Holders> holders;
  std::unique_ptr<KeyCache> cache;
};

struct Place {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  Holders::Options options{folder / "control.mdb", folder / "runtime", false, false};

  Place() {
    std::ofstream(options.control_store) << "store";
    std::filesystem::create_directory(options.runtime_folder);
  }
  std::unique_ptr<Holders> join() const { return must(Holders::join(options)); }
  // In a forked child: no checks there.
  std::unique_ptr<Member> member(bool without_cache = false) const {
    Holders::Options how = options;
    how.without_cache = without_cache;
    auto joined = Holders::join(how);
    if (!joined) return nullptr;
    auto member = std::make_unique<Member>();
    member->holders = std::move(joined).value();
    member->cache = std::make_unique<KeyCache>(
        *member->holders, without_cache ? KeyCache::Mode::kNone : KeyCache::Mode::kGuarded);
    return member;
  }
  std::filesystem::path table() const { return options.runtime_folder / "holders"; }
};

// Waits until so many have acknowledged; what holds then of the others.
HolderCount once_acknowledged(const Holders& holders, std::uint64_t epoch, std::uint32_t by) {
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (true) {
    const HolderCount count = must(holders.await(epoch, milliseconds(0)));
    if (count.acknowledged >= by || std::chrono::steady_clock::now() > deadline) return count;
    std::this_thread::sleep_for(milliseconds(1));
  }
}

void check(const HolderCount& count, std::uint32_t acknowledged, std::uint32_t ended,
           std::uint32_t missing) {
  CHECK(count.acknowledged == acknowledged);
  CHECK(count.ended == ended);
  CHECK(count.missing == missing);
}

}  // namespace

TEST_CASE("a holder is waited for until it has acknowledged", "[holders]") {
  const Place place;
  const auto holders = place.join();
  CHECK(must(holders->count()) == 1);
  check(must(holders->await(holders->epoch(), kSoon)), 1, 0, 0);
  const std::uint64_t epoch = holders->publish();
  CHECK(holders->epoch() == epoch);
  check(must(holders->await(epoch, kSoon)), 0, 0, 1);
  holders->acknowledge(epoch);
  check(must(holders->await(epoch, kLong)), 1, 0, 0);
}

TEST_CASE("one that joins after the publication holds nothing older", "[holders]") {
  const Place place;
  const auto first = place.join();
  const std::uint64_t epoch = first->publish();
  first->acknowledge(epoch);
  const auto second = place.join();
  CHECK(second->epoch() == epoch);
  check(must(first->await(epoch, kLong)), 2, 0, 0);
}

TEST_CASE("holders of other processes acknowledge by themselves", "[holders]") {
  const Place place;
  const auto own = place.member();
  const OtherProcess one([&] { return place.member(); });
  const OtherProcess two([&] { return place.member(true); });
  CHECK(must(own->holders->count()) == 3);
  check(must(own->holders->await(own->holders->publish(), kLong)), 3, 0, 0);
}

TEST_CASE("C13: a stopped process is missing until it goes on", "[holders]") {
  const Place place;
  const auto own = place.member();
  const OtherProcess other([&] { return place.member(); });
  other.stop();
  const std::uint64_t epoch = own->holders->publish();
  check(once_acknowledged(*own->holders, epoch, 1), 1, 0, 1);
  std::this_thread::sleep_for(kSoon);
  check(must(own->holders->await(epoch, kSoon)), 1, 0, 1);
  other.go_on();
  check(must(own->holders->await(epoch, kLong)), 2, 0, 0);
}

TEST_CASE("C13: a killed process has ended and is not waited for", "[holders]") {
  const Place place;
  const auto own = place.member();
  OtherProcess other([&] { return place.member(); });
  other.stop();
  const std::uint64_t epoch = own->holders->publish();
  std::thread killer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    other.end();
  });
  const auto count = own->holders->await(epoch, kLong);
  killer.join();
  check(must(count), 1, 1, 0);
}

TEST_CASE("a row that a killed process left is taken over clean", "[holders]") {
  const Place place;
  {
    OtherProcess other([&] { return place.member(true); });
    other.end();
  }
  const auto holders = place.join();
  const std::uint64_t epoch = holders->publish();
  check(must(holders->await(epoch, kSoon)), 0, 0, 1);
}

TEST_CASE("C13: a reader that cannot acknowledge counts as missing", "[holders]") {
  const Place place;
  const auto own = place.member();
  Holders::Options reading = place.options;
  reading.read_only = true;
  auto reader = must(Holders::join(reading));
  CHECK(must(own->holders->count()) == 2);
  const std::uint64_t epoch = own->holders->publish();
  CHECK(reader->epoch() == epoch);
  check(once_acknowledged(*own->holders, epoch, 1), 1, 0, 1);
  reader.reset();
  check(must(own->holders->await(epoch, kLong)), 1, 0, 0);
}

TEST_CASE("a reader without a runtime folder is still seen", "[holders]") {
  const Place place;
  Holders::Options reading = place.options;
  reading.read_only = true;
  const auto reader = must(Holders::join(reading));
  CHECK(reader->epoch() == 1);
  const auto own = place.member();
  check(once_acknowledged(*own->holders, own->holders->publish(), 1), 1, 0, 1);
}

TEST_CASE("C13: with the runtime folder gone every holder is missing", "[holders]") {
  const Place place;
  const auto own = place.member();
  const OtherProcess other([&] { return place.member(); });
  std::filesystem::remove_all(place.options.runtime_folder);
  SECTION("gone") {}
  SECTION("and replaced") {
    std::filesystem::create_directory(place.options.runtime_folder);
    std::ofstream(place.table()) << "something";
  }
  check(must(own->holders->await(own->holders->publish(), kSoon)), 0, 0, 2);
}

TEST_CASE("C13: a lock without a row is a holder that nobody knows", "[holders]") {
  const Place place;
  const auto own = place.member();
  LockFile stranger = must(LockFile::open(place.options.control_store, false));
  REQUIRE(must(stranger.try_lock(lock_bytes::kFirstHolder + 500, LockFile::Mode::kExclusive)));
  check(once_acknowledged(*own->holders, own->holders->publish(), 1), 1, 0, 1);
}

TEST_CASE("too many holders are refused", "[holders]") {
  const Place place;
  LockFile crowd = must(LockFile::open(place.options.control_store, false));
  for (std::uint64_t n = 0; n < lock_bytes::kMaxHolders; ++n)
    REQUIRE(must(crowd.try_lock(lock_bytes::kFirstHolder + n, LockFile::Mode::kExclusive)));
  CHECK_FAILS_WITH(Holders::join(place.options), ErrorCode::kUnavailable);
}

TEST_CASE("a forked child holds nothing for its parent", "[holders]") {
  const Place place;
  const auto own = place.member();
  std::array<int, 2> alive{};
  std::array<int, 2> forked{};
  REQUIRE(pipe2(alive.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(forked.data(), O_CLOEXEC) == 0);
  const auto began = std::chrono::steady_clock::now();
  OtherProcess parent([&] {
    auto member = place.member();
    const pid_t child = fork();
    if (child == 0) {
      static_cast<void>(write(forked[1], "!", 1));
      // Until the test closes its end.
      close(alive[1]);
      char byte = 0;
      static_cast<void>(read(alive[0], &byte, 1));
      _exit(0);
    }
    // What the child does at its start is done only once it has been given time to run.
    char byte = 0;
    static_cast<void>(read(forked[0], &byte, 1));
    return member;
  });
  // Forking the child waited neither for it nor for what it had inherited itself.
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
  CHECK(must(own->holders->count()) == 2);
  parent.end();
  // The child lives on, and has closed its copies of the descriptors.
  CHECK(must(own->holders->count()) == 1);
  check(must(own->holders->await(own->holders->publish(), kLong)), 1, 0, 0);
  for (const int end : {alive[0], alive[1], forked[0], forked[1]}) close(end);
}

TEST_CASE("without a cache, an operation under way is waited for", "[holders]") {
  const Place place;
  Holders::Options options = place.options;
  options.without_cache = true;
  const auto holders = must(Holders::join(options));
  const std::uint64_t before = holders->begin_operation();
  const std::uint64_t epoch = holders->publish();
  check(must(holders->await(epoch, kSoon)), 0, 0, 1);
  const std::uint64_t after = holders->begin_operation();
  CHECK(after == epoch);
  holders->end_operation(before);
  check(must(holders->await(epoch, kSoon)), 1, 0, 0);
  holders->end_operation(after);
}

TEST_CASE("C13: without a cache, an operation is waited for however many epochs ago it began",
          "[holders]") {
  const Place place;
  Holders::Options options = place.options;
  options.without_cache = true;
  const auto holders = must(Holders::join(options));
  const std::uint64_t before = holders->begin_operation();
  for (int n = 0; n < 5; ++n) {
    const std::uint64_t epoch = holders->publish();
    check(must(holders->await(epoch, milliseconds(0))), 0, 0, 1);
  }
  holders->end_operation(before);
  check(must(holders->await(holders->epoch(), kLong)), 1, 0, 0);
}

TEST_CASE("a table that was damaged while nobody was there is laid out anew", "[holders]") {
  const Place place;
  { const auto before = place.join(); }
  const auto size = std::filesystem::file_size(place.table());
  SECTION("zeros, as after a power cut") {
    std::ofstream(place.table()) << std::string(size, '\0');
  }
  SECTION("empty") {
    std::filesystem::resize_file(place.table(), 0);
  }
  SECTION("short") {
    std::filesystem::resize_file(place.table(), 100);
  }
  SECTION("longer") {
    std::filesystem::resize_file(place.table(), size + 1);
  }
  const auto own = place.member();
  REQUIRE(own);
  check(must(own->holders->await(own->holders->publish(), kLong)), 1, 0, 0);
}

TEST_CASE("a table that was damaged while others use it is refused", "[holders]") {
  const Place place;
  const OtherProcess other([&] { return place.member(); });
  std::filesystem::remove(place.table());
  std::ofstream(place.table()) << "something else";
  CHECK_FAILS_WITH(Holders::join(place.options), ErrorCode::kCorrupt);
}

TEST_CASE("a process stopped while it lays out the table does not stop the others for ever",
          "[holders][slow]") {
  const Place place;
  LockFile layout = must(LockFile::open(place.options.control_store, false));
  REQUIRE(must(layout.try_lock(lock_bytes::kTableLayout, LockFile::Mode::kExclusive)));
  CHECK_FAILS_WITH(Holders::join(place.options), ErrorCode::kBusy);
}

TEST_CASE("C13: processes of another PID namespace are refused while one is there", "[holders]") {
  const Place place;
  if (!true_in_child([] { return unshare(CLONE_NEWPID) == 0; })) {
    WARN("skipped: no right to make a PID namespace");
    return;
  }
  const auto joins_elsewhere = [&] {
    if (unshare(CLONE_NEWPID) != 0) return false;
    const pid_t child = fork();
    if (child == 0) _exit(Holders::join(place.options).ok() ? 0 : 1);
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
  };
  auto own = place.join();
  CHECK_FALSE(true_in_child(joins_elsewhere));
  own.reset();
  CHECK(true_in_child(joins_elsewhere));
  CHECK(place.join() != nullptr);
}
