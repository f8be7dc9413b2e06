#include <sys/resource.h>

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
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  const bool read = file != nullptr && std::fscanf(file, "%lu", &pages) == 1;  // NOLINT: cert-err34
  if (file != nullptr) std::fclose(file);
  const rlim_t bytes = pages * 4096 + more;
  const rlimit limit{bytes, bytes};
  return read && setrlimit(RLIMIT_AS, &limit) == 0;
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

TEST_CASE("a process without address space is told so, and nothing is left of what it made") {
  if (sanitized()) return;
  TemporaryFolder folder;
  const auto path = folder / "records.mdb";
  CHECK(true_in_child([&] {
    if (!limit_address_space(16 * kMiB)) return false;
    const auto made = open_lmdb_records(path, making(64 * kGiB));
    return !made.ok() && made.error().code() == ErrorCode::kUnavailable &&
           made.error().context().find("address space") != std::string::npos;
  }));
  CHECK_FALSE(std::filesystem::exists(path));
}
