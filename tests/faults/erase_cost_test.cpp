// Must hold 3: an erasure costs at most 16 syncs and 512 KiB of writes, however much the scope
// holds.
#include <quietus/vault.hpp>

#include <cstdio>
#include <string>

#include "crypto/random.hpp"
#include "faults/write_recorder.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

constexpr std::size_t kFew = 10;
constexpr std::size_t kMany = QUIETUS_TEST_SANITIZED != 0 ? 20'000 : 1'000'000;
constexpr std::size_t kBatch = 10'000;
constexpr std::uint64_t kPage = 4096;

void fill(Scope& scope, std::size_t records) {
  Bytes content(1024);
  for (std::size_t done = 0; done < records;) {
    Batch batch;
    for (std::size_t i = 0; i < kBatch && done < records; ++i, ++done) {
      random_bytes(MutableBytes(content).first(32));
      batch.put("record-" + std::to_string(done), content);
    }
    must(scope.write(batch));
  }
}

// Of one tenant, in a vault of its own on a disk.
WriteCost cost_of_erasing(std::size_t records) {
  const TemporaryFolder folder;
  must(new_key_file(folder / "key"));
  CreateOptions options;
  options.root_folder = folder / "roots";
  options.accept_unknown_medium = true;
  const Unlock unlock = Unlock::key_file(folder / "key");
  {
    Vault filled = must(Vault::create(folder / "vault", unlock, options));
    Scope tenant = must(filled.create_scope("tenant"));
    fill(tenant, records);
    REQUIRE(must(tenant.stat("record-" + std::to_string(records - 1))));
  }
  // Opened again, so that nothing of the filling is still to be written.
  Vault vault = must(Vault::open(folder / "vault", unlock));
  const Scope tenant = must(vault.scope("tenant"));

  const std::string paths[] = {"tenant"};
  const WriteRecorder recorder(folder.path());
  must(vault.erase(paths, "contract-ended"));
  const WriteCost cost = cost_of(recorder.calls());
  CHECK_FAILS_WITH(tenant.get("record-0"), ErrorCode::kErased);
  std::printf("erasing a tenant of %zu records: %lu syncs, %lu bytes written\n", records,
              static_cast<unsigned long>(cost.syncs), static_cast<unsigned long>(cost.bytes));
  return cost;
}

TEST_CASE("erasing a tenant costs the same, few records or many") {
  const WriteCost few = cost_of_erasing(kFew);
  const WriteCost many = cost_of_erasing(kMany);
  CHECK(few.syncs <= 16);
  CHECK(many.syncs <= 16);
  CHECK(few.bytes <= std::uint64_t{512} * 1024);
  CHECK(many.bytes <= std::uint64_t{512} * 1024);
  CHECK(few.syncs == many.syncs);
  CHECK(many.bytes <= few.bytes + 4 * kPage);
  CHECK(few.bytes <= many.bytes + 4 * kPage);
}

}  // namespace
}  // namespace quietus::test
