// Must hold: a rotation that is killed at any point loses nothing and is taken up again; beside it,
// other processes read and write, one of them stopped in the middle of a write, and nothing fails,
// is wrong or is lost.
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

#include "faults/killing.hpp"
#include "record_format.hpp"
#include "support/record_rows.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

std::string state_of_first_key(Vault& vault, const std::string& scope) {
  for (const KeyInfo& key : must(vault.lifecycle().keys(scope)).keys)
    if (key.line == "data" && key.generation == 1) return key.state;
  return "none";
}

std::set<std::uint32_t> generations_in(const VaultCore& core, ScopeId scope) {
  std::set<std::uint32_t> found;
  for (const RawRow& row : rows_of(*core.record_store, RecordTable::kRecords, scope))
    found.insert(must(StoredRecord::parse(row.second)).generation());
  return found;
}

}  // namespace

TEST_CASE("I-12: a purge killed at any point loses nothing, and is taken up again") {
  const Vaults place;
  for (const std::string scope : {"acme/customer/u1", "acme"}) {
    INFO(scope);
    const auto points = kill_everywhere(
        in_vault(place,
                 [&](Vault& vault, const Telling& parent) -> Result<void> {
                   QUIETUS_TRY(vault.lifecycle().purge(scope, "test"));
                   parent.tell("purged");
                   return {};
                 }),
        [&] { place.put_back("base"); },
        [&](const Crash& crash) {
          auto core = must(place.open());
          Vault vault(core);
          check_base(place, *core, vault);
          must(vault.lifecycle().resume_rotations());
          CHECK(must(vault.lifecycle().rotations()).empty());
          check_base(place, *core, vault);
          CHECK(must(vault.check()).orphaned_rows == 0);
          CHECK(generations_in(*core, place.id_of(scope)).size() == 1);
          const std::string state = state_of_first_key(vault, scope);
          CHECK((state == "destroyed" || (state == "active" && !crash.said("purged"))));
        });
    for (const char* point : {"move/after-fence", "change/after-t1", "change/after-t2",
                              "change/after-destroy", "change/before-t3"}) {
      INFO(point);
      CHECK(points.count(point) == 1);
    }
  }
}

namespace {

// Shared with the processes of the load.
struct Load {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> wrong{0};
};

class SharedLoad {
 public:
  SharedLoad()
      : load_(new (mmap(nullptr, sizeof(Load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0)) Load) {}
  SharedLoad(const SharedLoad&) = delete;
  SharedLoad& operator=(const SharedLoad&) = delete;
  ~SharedLoad() { munmap(load_, sizeof(Load)); }
  Load& operator*() const { return *load_; }
  Load* operator->() const { return load_; }

 private:
  Load* load_;
};

constexpr int kRecords = 3000;

std::string name_of_record(int n) {
  return "record " + std::to_string(n);
}

// Reads what is there, and writes and reads back what is its own.
void work(Vault& vault, Load& load, const std::string& mine) {
  Scope scope = must(vault.scope("acme"));
  for (int n = 0; !load.stop; n = (n + 7) % kRecords) {
    const auto got = scope.get(name_of_record(n));
    load.failed += got ? 0 : 1;
    load.wrong += got && *got != content_of("acme", name_of_record(n)) ? 1 : 0;
    const std::string own = mine + std::to_string(n % 50);
    const auto put = put_known(vault, "acme", own);
    load.failed += put ? 0 : 1;
    load.wrong += put && reading(vault, "acme", own) != "whole" ? 1 : 0;
    ++load.done;
  }
}

std::uint64_t pace(const Load& load) {
  const std::uint64_t before = load.done;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return load.done - before;
}

}  // namespace

TEST_CASE("C9: two processes work beside a rotation, one of them stopped in mid-write",
          "[concurrent]") {
  const VaultPlace place;
  {
    Vault vault(must(place.create()));
    Scope scope = must(vault.create_scope("acme"));
    Batch batch;
    for (int n = 0; n < kRecords; ++n)
      batch.put(name_of_record(n), content_of("acme", name_of_record(n)));
    must(scope.write(batch));
  }
  const SharedLoad load;
  Worker steady([&](const Telling& parent) {
    auto core = place.open();
    if (!core) return false;
    Vault vault(*core);
    parent.tell("open");
    work(vault, *load, "steady ");
    return true;
  });
  Worker halting([&](const Telling& parent) {
    auto core = place.open();
    if (!core) return false;
    Vault vault(*core);
    must(put_known(vault, "acme", "before"));
    bool stopped = false;  // it is sealed again when it goes on
    failpoint::install([&](std::string_view name) -> Result<void> {
      if (name == "records/before-update" && !std::exchange(stopped, true))
        static_cast<void>(raise(SIGSTOP));
      return {};
    });
    const auto put = put_known(vault, "acme", "stopped in mid-write");
    failpoint::install({});
    parent.tell(put ? "put" : std::string(name_of(put.error().code())));
    return true;
  });
  REQUIRE(steady.hear() == "open");
  halting.await_stopped();
  auto core = must(place.open());
  Vault vault(core);
  const std::uint64_t before = pace(*load);
  std::atomic<bool> rotated{false};
  std::uint64_t during = 0;
  std::thread watcher([&] {
    const std::uint64_t at = load->done;
    while (!rotated) std::this_thread::yield();
    during = load->done - at;
  });
  const auto report = must(vault.lifecycle().rotate("acme", "test"));
  rotated = true;
  watcher.join();
  const std::uint64_t after = pace(*load);
  CHECK(report.records >= kRecords);
  // It sealed under the old key; nobody waited for it.
  halting.go_on();
  CHECK(halting.hear() == "put");
  CHECK(halting.succeeds());
  CHECK(reading(vault, "acme", "stopped in mid-write") == "whole");
  CHECK(must(vault.lifecycle().purge("acme", "test")).keys_destroyed == 2);
  load->stop = true;
  CHECK(steady.succeeds());
  CHECK(load->failed == 0);
  CHECK(load->wrong == 0);
  CHECK(during > 0);
  UNSCOPED_INFO("operations: " << before << " in 300 ms before, " << during << " during, " << after
                               << " in 300 ms after");
  for (int n = 0; n < kRecords; ++n) REQUIRE(reading(vault, "acme", name_of_record(n)) == "whole");
  CHECK(reading(vault, "acme", "stopped in mid-write") == "whole");
  CHECK(generations_in(*core, must(vault.scope("acme")).id()) == std::set<std::uint32_t>{3});
}
