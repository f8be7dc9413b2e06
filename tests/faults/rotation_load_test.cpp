// Must hold: a rotation beside a load of reads and writes from two processes, one of them stopped
// in the middle of a write and resumed after the end. Nothing fails, is wrong or is lost.
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <new>
#include <set>
#include <span>

#include "base/failpoint.hpp"
#include "record_format.hpp"
#include "storage/record_store.hpp"
#include "support/measuring.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

namespace quietus::test {
namespace {

constexpr std::size_t kProcesses = 2;
constexpr std::size_t kStoredAtOnce = 2000;

// What one process of the load did.
struct Counts {
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<int> failure{0};            // the code of the last one
  std::atomic<std::uint64_t> slowest{0};  // operation, in microseconds
};

struct Control {
  std::atomic<bool> stop{false};
  std::atomic<bool> halt{false};  // process 1 stops in the middle of its next write
  Counts counts[kProcesses];
};

// Shared with the processes of the load: with each record's number of the last write that was
// confirmed to whoever made it.
class SharedLoad {
 public:
  explicit SharedLoad(std::size_t records) : size_(sizeof(Control) + records * sizeof(Written)) {
    void* const memory =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    control_ = new (memory) Control;
    written_ = {new (control_ + 1) Written[records], records};
  }
  SharedLoad(const SharedLoad&) = delete;
  SharedLoad& operator=(const SharedLoad&) = delete;
  ~SharedLoad() { munmap(control_, size_); }

  using Written = std::atomic<std::uint32_t>;
  Control* operator->() const { return control_; }
  std::size_t records() const { return written_.size(); }
  Written& written(std::size_t n) const { return written_[n]; }

 private:
  std::size_t size_;
  Control* control_;
  std::span<Written> written_;
};

std::string name_of_record(std::size_t n) {
  return "record " + std::to_string(n);
}

Bytes content_of_write(std::size_t n, std::uint32_t write) {
  return content_of("acme", name_of_record(n) + " write " + std::to_string(write));
}

// One process of the load: reads any record, and replaces those that are its own.
class Loading {
 public:
  Loading(Scope scope, const SharedLoad& load, std::size_t process)
      : scope_(std::move(scope)),
        load_(load),
        counts_(load->counts[process]),
        process_(process),
        random_(process + 1) {}

  void step() {
    read(next());
    const std::size_t own = next() / kProcesses * kProcesses + process_;
    write(own);
    read(own);
    last_ = own;
  }
  std::size_t last() const { return last_; }

 private:
  std::size_t next() {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return (random_ >> 33) % (load_.records() - 1);
  }
  void read(std::size_t n) {
    const Timer timer;
    const std::uint32_t least = load_.written(n);
    const auto got = scope_.get(name_of_record(n));
    note(got.ok() ? nullptr : &got.error(), timer);
    ++counts_.reads;
    if (!got) return;
    // One that is durable may not be confirmed yet.
    const std::uint32_t most = load_.written(n) + 1;
    bool right = false;
    for (std::uint32_t write = least; *got && write <= most && !right; ++write)
      right = **got == content_of_write(n, write);
    counts_.wrong += right ? 0 : 1;
  }
  void write(std::size_t n) {
    const Timer timer;
    const std::uint32_t number = load_.written(n) + 1;
    const auto put = scope_.put(name_of_record(n), content_of_write(n, number));
    note(put.ok() ? nullptr : &put.error(), timer);
    ++counts_.writes;
    if (put) load_.written(n) = number;
  }
  void note(const Error* error, const Timer& timer) {
    const auto took = static_cast<std::uint64_t>(timer.seconds() * 1e6);
    if (took > counts_.slowest) counts_.slowest = took;
    if (error == nullptr) return;
    ++counts_.failed;
    counts_.failure = static_cast<int>(error->code());
  }

  Scope scope_;
  const SharedLoad& load_;
  Counts& counts_;
  std::size_t process_;
  std::uint64_t random_;
  std::size_t last_ = 0;
};

// Tells when it works, and which record it was writing when it was stopped.
bool load_in_process(const VaultPlace& place, const SharedLoad& load, std::size_t process,
                     const Telling& parent) {
  auto core = place.open();
  if (!core) return false;
  Vault vault(*core);
  auto scope = vault.scope("acme");
  if (!scope) return false;
  Loading loading(*scope, load, process);
  bool stopped = false;
  failpoint::install([&](std::string_view name) -> Result<void> {
    if (process == 1 && name == "records/before-update" && load->halt.exchange(false)) {
      static_cast<void>(raise(SIGSTOP));
      stopped = true;
    }
    return {};
  });
  parent.tell("open");
  while (!load->stop) {
    loading.step();
    if (std::exchange(stopped, false)) parent.tell(std::to_string(loading.last()));
  }
  failpoint::install({});
  return true;
}

struct Plan {
  std::size_t records;
  std::filesystem::path below;
  std::chrono::milliseconds sample;  // for so long the load is measured without a rotation
  bool prints = false;
};

// The load from its construction on.
class Measured {
 public:
  explicit Measured(const SharedLoad& load) : load_(load), reads_(reads()), writes_(writes()) {
    for (Counts& counts : load_->counts) counts.slowest = 0;
  }
  std::uint64_t done() const { return reads() - reads_ + writes() - writes_; }
  std::string text(const std::string& when) const {
    const double seconds = timer_.seconds();
    std::uint64_t slowest = 0;
    for (const Counts& counts : load_->counts)
      slowest = std::max<std::uint64_t>(slowest, counts.slowest);
    std::array<char, 200> line{};
    const auto rate = [&](std::uint64_t done) { return static_cast<double>(done) / seconds; };
    (void)std::snprintf(line.data(), line.size(),
                        "%-32s %8.1f s %8.0f reads/s %7.0f writes/s, slowest %8.1f ms\n",
                        when.c_str(), seconds, rate(reads() - reads_), rate(writes() - writes_),
                        static_cast<double>(slowest) / 1000);
    return line.data();
  }

 private:
  std::uint64_t reads() const { return load_->counts[0].reads + load_->counts[1].reads; }
  std::uint64_t writes() const { return load_->counts[0].writes + load_->counts[1].writes; }

  const SharedLoad& load_;
  Timer timer_;
  std::uint64_t reads_;
  std::uint64_t writes_;
};

// A vault, the load on it, and what is done about it.
class Scenario {
 public:
  explicit Scenario(const Plan& plan) : plan_(plan), place_(plan.below), load_(plan.records) {
    const Timer timer;
    Vault vault(must(place_.create()));
    Scope scope = must(vault.create_scope("acme"));
    for (std::size_t n = 0; n < plan.records;) {
      Batch batch;
      for (std::size_t i = 0; i < kStoredAtOnce && n < plan.records; ++i, ++n)
        batch.put(name_of_record(n), content_of_write(n, 0));
      must(scope.write(batch));
    }
    tell(std::to_string(plan.records) + " records stored in " + std::to_string(timer.seconds()) +
         " s\n");
  }

  const VaultPlace& place() const { return place_; }
  const SharedLoad& load() const { return load_; }
  void open() {
    core_ = must(place_.open());
    vault_ = Vault(core_);
  }
  std::string told() const { return told_; }

  void sample(const std::string& when) {
    const Measured measured(load_);
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    do {
      std::this_thread::sleep_for(plan_.sample);
    } while (measured.done() == 0 && std::chrono::steady_clock::now() < patience);
    CHECK(measured.done() > 0);
    tell(measured.text(when));
  }

  // The key is replaced, and everything is under the new one afterwards, while the load goes on.
  void replace_key(const std::string& when, bool destroys) {
    RotationOptions options;
    options.destroy_old = destroys;
    const std::uint64_t before = anonymous_kib();
    PeakMemory memory;
    const Measured measured(load_);
    const RotationReport report = must(vault_.lifecycle().rotate("acme", "test", options));
    // A small one may be over before anybody else had a turn.
    const bool large = plan_.records > 100'000;
    if (large) CHECK(measured.done() > 0);
    tell(measured.text(when));
    const std::uint64_t peak = memory.stop();
    tell("  " + std::to_string(report.records) + " re-encrypted; anonymous memory " +
         std::to_string(peak) + " KiB, grew by " + std::to_string(peak - std::min(peak, before)) +
         "\n");
    // The sanitizers' own memory is no part of a large run.
    if (large) CHECK(peak < before + std::uint64_t{64} * 1024);
    // What the load replaced meanwhile, under the new key, needs no moving.
    CHECK(report.records <= plan_.records);
    CHECK(report.keys_destroyed == (destroys ? report.generation - 1 : 0));
    check_generation(report.generation);
  }

  void check_generation(std::uint32_t generation) {
    const ScopeId scope = must(vault_.scope("acme")).id();
    std::set<std::uint32_t> found;
    std::size_t rows = 0;
    must(core_->record_store->read([&](RecordReader& reader) {
      return reader.scan({RecordTable::kRecords, scope, {}},
                         [&](ByteView, ByteView value) -> Result<bool> {
                           ++rows;
                           QUIETUS_TRY_AS(const auto record, StoredRecord::parse(value));
                           found.insert(record.generation());
                           return true;
                         });
    }));
    CHECK(found == std::set<std::uint32_t>{generation});
    CHECK(rows == plan_.records);
  }

  // Every record holds what was last written.
  void check_all() {
    const Timer timer;
    Scope scope = must(vault_.scope("acme"));
    std::size_t lost = 0;
    for (std::size_t n = 0; n < plan_.records; ++n)
      lost += must(scope.get(name_of_record(n))) == content_of_write(n, load_.written(n)) ? 0 : 1;
    CHECK(lost == 0);
    const CheckReport report = must(vault_.check());
    CHECK(report.damages.empty());
    CHECK(report.orphaned_rows == 0);
    CHECK(report.records == plan_.records);
    tell("all read and checked in " + std::to_string(timer.seconds()) + " s\n");
  }

 private:
  void tell(const std::string& text) {
    told_ += text;
    if (!plan_.prints) return;
    (void)std::fputs(text.c_str(), stdout);
    (void)std::fflush(stdout);
  }

  Plan plan_;
  VaultPlace place_;
  SharedLoad load_;
  std::shared_ptr<VaultCore> core_;
  Vault vault_{nullptr};
  std::string told_;
};

void rotate_beside_load(const Plan& plan) {
  Scenario scenario(plan);
  const SharedLoad& load = scenario.load();
  Worker steady(
      [&](const Telling& parent) { return load_in_process(scenario.place(), load, 0, parent); });
  Worker halting(
      [&](const Telling& parent) { return load_in_process(scenario.place(), load, 1, parent); });
  for (Worker* worker : {&steady, &halting}) REQUIRE(worker->hear() == "open");
  scenario.open();
  scenario.sample("two processes before");
  load->halt = true;
  halting.await_stopped();
  scenario.sample("one process before");
  scenario.replace_key("one process during a rotation", false);
  scenario.sample("one process after");
  // It sealed under the old key; nobody waited for it.
  halting.go_on();
  const std::string written = halting.hear();
  REQUIRE_FALSE(written.empty());
  CHECK(load.written(std::stoul(written)) > 0);
  scenario.check_generation(2);
  scenario.sample("two processes after");
  scenario.replace_key("two processes during a purge", true);
  load->stop = true;
  for (Worker* worker : {&steady, &halting}) CHECK(worker->succeeds());
  INFO(scenario.told());
  for (const Counts& counts : load->counts) {
    INFO(name_of(static_cast<ErrorCode>(counts.failure.load())));
    CHECK(counts.failed == 0);
    CHECK(counts.wrong == 0);
  }
  scenario.check_all();
}

std::size_t records_wanted(std::size_t otherwise) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets it
  const char* const wanted = std::getenv("QUIETUS_RECORDS");
  return wanted == nullptr ? otherwise : std::strtoull(wanted, nullptr, 10);
}

TEST_CASE("C9: two processes work beside a rotation, one of them stopped in mid-write",
          "[concurrent]") {
  rotate_beside_load({3000, TemporaryFolder::in_memory(), std::chrono::milliseconds(300)});
}

// On a disk, for which a commit waits.
TEST_CASE("two processes work beside a rotation of 1,000,000 records, one stopped in mid-write",
          "[.][long]") {
  rotate_beside_load({records_wanted(1'000'000), std::filesystem::temp_directory_path(),
                      std::chrono::seconds(15), true});
}

}  // namespace
}  // namespace quietus::test
