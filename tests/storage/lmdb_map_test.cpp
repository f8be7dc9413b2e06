#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "storage/stores.hpp"
#include "support/child_process.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

bool sanitized() {
  if (QUIETUS_TEST_SANITIZED != 0) WARN("skipped: sanitizers take address space of their own");
  return QUIETUS_TEST_SANITIZED != 0;
}

// Not more address space than this process has now, and that many bytes.
bool limit_address_space(std::uint64_t more) {
  std::uint64_t pages = 0;
  const bool read = static_cast<bool>(std::ifstream("/proc/self/statm") >> pages);
  const rlim_t bytes = pages * 4096 + more;
  const rlimit limit{bytes, bytes};
  return read && setrlimit(RLIMIT_AS, &limit) == 0;
}

constexpr int kSawTheEnd = 0;
constexpr int kToldSo = 2;

// Reads with some threads until the last row is there (kSawTheEnd), or until the store says that it
// cannot be mapped any more (kToldSo).
int read_with_little(const std::filesystem::path& path, std::uint64_t more, int ready) {
  if (!limit_address_space(more)) return 1;
  const auto store = open_lmdb_records(path, opening(64 * kGiB));
  if (!store) return 1;
  std::atomic<int> answer{-1};
  const auto look = [&] {
    while (answer < 0) {
      const auto done = (*store)->read([&](RecordReader& rows) -> Result<void> {
        QUIETUS_TRY_AS(const auto last, rows.get(record_key(1, "end")));
        if (last) answer = kSawTheEnd;
        return {};
      });
      if (!done) answer = done.error().code() == ErrorCode::kUnavailable ? kToldSo : 1;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(look);
  if (write(ready, "r", 1) != 1) return 1;
  for (std::thread& thread : threads) thread.join();
  return answer;
}

// What becomes of one that may have so much address space more, when the store grows to 200 MB.
int status_of_reader(std::uint64_t more) {
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  std::array<int, 2> ready{};
  REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
  { must(open_lmdb_records(path, making(64 * kGiB))); }
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(read_with_little(path, more, ready[1]));
  close(ready[1]);
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  const auto whole = must(open_lmdb_records(path, opening(64 * kGiB)));
  for (int i = 0; i < 50; ++i)
    must(put(*whole, record_key(2, std::to_string(i)), std::string(4 * kMiB, 'x')));
  must(put(*whole, record_key(1, "end"), "v"));
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("a process with little address space maps less of a store, and reads and writes it") {
  if (sanitized()) return;
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  CHECK(true_in_child([&] {
    if (!limit_address_space(kGiB)) return false;
    const auto made = open_lmdb_records(path, making(64 * kGiB));
    return made.ok() && put(**made, record_key(1, "k"), "v").ok();
  }));
  const auto whole = must(open_lmdb_records(path, opening(64 * kGiB)));
  CHECK(value_of(*whole, record_key(1, "k")) == "v");
  must(put(*whole, record_key(1, "k"), "w"));
  CHECK(true_in_child([&] {
    if (!limit_address_space(kGiB)) return false;
    const auto opened = open_lmdb_records(path, opening(64 * kGiB));
    return opened.ok() && value_of(**opened, record_key(1, "k")) == "w" &&
           put(**opened, record_key(1, "l"), "x").ok();
  }));
  CHECK(value_of(*whole, record_key(1, "l")) == "x");
}

TEST_CASE(
    "a store that another process enlarges beyond a small map is mapped anew while it is read") {
  if (sanitized()) return;
  const int status = status_of_reader(2 * kGiB);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kSawTheEnd);
}

TEST_CASE("threads that read a store that cannot be mapped any more are told, and do not crash") {
  if (sanitized()) return;
  const int status = status_of_reader(160 * kMiB);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kToldSo);
}

TEST_CASE("a small map that is full is told apart from a full disk") {
  if (sanitized()) return;
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  CHECK(true_in_child([&] {
    if (!limit_address_space(kGiB)) return false;
    const auto store = open_lmdb_records(path, making(64 * kGiB));
    for (int i = 0; store.ok() && i < 300; ++i) {
      const auto done = put(**store, record_key(1, std::to_string(i)), std::string(kMiB, 'x'));
      if (!done)
        return done.error().code() == ErrorCode::kFull &&
               done.error().context().find("ulimit -v") != std::string::npos;
    }
    return false;
  }));
}

TEST_CASE("a process without address space is told so, and nothing is left of what it made") {
  if (sanitized()) return;
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  CHECK(true_in_child([&] {
    if (!limit_address_space(4 * kMiB)) return false;
    const auto made = open_lmdb_records(path, making(64 * kGiB));
    return !made.ok() && made.error().code() == ErrorCode::kUnavailable &&
           made.error().context().find("address space") != std::string::npos;
  }));
  CHECK_FALSE(std::filesystem::exists(path));
}
