// The time machine over backups: whoever has every backup, every key snapshot and the recovery
// site, at every time, opens what the certificates say, and nothing else; and what lives comes
// back. Sequences of operations are generated; a model knows what has to come of them.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>

#include "record_loader.hpp"
#include "support/escrow_office.hpp"
#include "support/sanitized.hpp"
#include "support/streams.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

enum class Op { kCreate, kPut, kBackup, kSnapshot, kRotate, kPurge, kErase, kDays };
constexpr std::array kOps = {Op::kCreate, Op::kPut,   Op::kBackup, Op::kSnapshot,
                             Op::kRotate, Op::kPurge, Op::kErase,  Op::kDays};
constexpr std::string_view kLetters = "CPBSRGED";

struct Tenant {
  std::string name;
  int created = 0;  // step
  int erased = -1;
  int purged = -1;  // the last time
  std::string value;
  std::string certificate;
  bool lives() const { return erased < 0; }
};

// A backup or a snapshot, and what its records were.
struct CopyMade {
  int step = 0;
  bool records = false;
  Bytes stream;
  std::string epoch;
  UnixMillis expires = 0;
  std::map<std::string, std::string> values;
};

class Machine {
 public:
  Machine() {
    live_.clock.set(site_.clock.now());
    const RingInfo ring = must(site_.escrow().ring());
    const Trust trust = must(Trust::parse("log " + ring.site_vkey + "\nquorum none\n"));
    must(live_.vault().escrow().import_ring(ring.ring_file, &trust));
  }

  void run(const std::vector<Op>& ops) {
    for (const Op op : ops) {
      ++step_;
      pass(60'000);
      apply(op);
    }
    ++step_;
    check_certificates();
    check_adversary();
    check_living();
  }

 private:
  void pass(UnixMillis time) {
    site_.pass(time);
    live_.clock.set(site_.clock.now());
  }

  Tenant* any_living() {
    for (Tenant& tenant : tenants_)
      if (tenant.lives()) return &tenant;
    return nullptr;
  }

  void apply(Op op) {
    Tenant* const tenant = any_living();
    switch (op) {
      case Op::kCreate: return create();
      case Op::kBackup: return copy(true);
      case Op::kSnapshot: return copy(false);
      case Op::kDays: return days();
      default: break;
    }
    if (tenant == nullptr) return;
    switch (op) {
      case Op::kPut: return put(*tenant);
      case Op::kRotate: must(live_.lifecycle().rotate(tenant->name, "test")); return;
      case Op::kPurge:
        must(live_.lifecycle().purge(tenant->name, "test"));
        tenant->purged = step_;
        return;
      case Op::kErase: return erase(*tenant);
      default: return;
    }
  }

  void create() {
    tenants_.push_back({"tenant-" + std::to_string(tenants_.size()), step_, -1, -1, "", ""});
    static_cast<void>(live_.scope(tenants_.back().name));
    put(tenants_.back());
  }

  void put(Tenant& tenant) {
    tenant.value = "value of step " + std::to_string(step_);
    must(live_.scope(tenant.name).put("record", as_bytes(tenant.value)));
  }

  void copy(bool records) {
    CopyMade made;
    made.step = step_;
    made.records = records;
    const BackupInfo info = records ? must(live_.vault().backups().create(sink_into(made.stream)))
                                    : must(live_.vault().escrow().snapshot(sink_into(made.stream)));
    made.epoch = info.epoch_id;
    made.expires = info.epoch_expires_unix_ms;
    for (const Tenant& tenant : tenants_)
      if (records && tenant.lives()) made.values[tenant.name] = tenant.value;
    copies_.push_back(std::move(made));
  }

  // Some days go by, the site rolls, its files are imported.
  void days() {
    pass(5 * kDayMillis);
    const RingInfo ring = must(site_.escrow().roll()).ring;
    rolled_ = site_.clock.now();
    must(live_.vault().escrow().import_ring(ring.ring_file));
    const ReceiptImport imported = must(live_.vault().escrow().import_receipt(ring.receipt));
    for (const std::string& id : imported.certificates)
      for (Tenant& tenant : tenants_) {
        const auto claims = claims_of(id);
        for (const auto& before : claims["supersedes"])
          if (before == tenant.certificate) tenant.certificate = id;
      }
  }

  void erase(Tenant& tenant) {
    const std::string paths[] = {tenant.name};
    tenant.certificate = must(live_.vault().erase(paths, "test")).certificate_id;
    tenant.erased = step_;
  }

  nlohmann::json claims_of(const std::string& id) const {
    const auto file = nlohmann::json::parse(must(live_.vault().certificate(id)));
    return nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  }

  bool epoch_lives(const CopyMade& copy) const { return copy.expires > rolled_; }
  static bool has_key(const CopyMade& copy, const Tenant& tenant) {
    return copy.step > tenant.created && (tenant.lives() || copy.step < tenant.erased);
  }

  // What certificates say of snapshots is what there is (must hold 2).
  void check_certificates() const {
    for (const Tenant& tenant : tenants_) {
      if (tenant.lives()) continue;
      INFO(tenant.name << ", erased in step " << tenant.erased);
      std::map<std::string, UnixMillis> expected;  // by epoch; gone before the erasure: not named
      bool pending = false;
      for (const CopyMade& copy : copies_)
        if (has_key(copy, tenant)) expected[copy.epoch] = copy.expires;
      const auto claims = claims_of(tenant.certificate);
      for (const auto& snapshot : claims["key_snapshots"]) {
        const auto found = expected.find(snapshot["epoch_id"].get<std::string>());
        REQUIRE(found != expected.end());
        const bool lives = found->second > rolled_;
        CHECK(snapshot["attested"] == !lives);
        if (lives) CHECK(snapshot["clear_date"] == format_utc(found->second));
        pending = pending || lives;
        expected.erase(found);
      }
      for (const auto& [epoch, expires] : expected) CHECK(expires <= rolled_);
      CHECK(claims["phase"] == (pending ? "live" : "final"));
      CHECK(claims["status"] == (pending ? "pending-snapshots" : "complete"));
    }
  }

  Result<Vault> recovered(const CopyMade& keys, const std::filesystem::path& log) {
    const Trust trust =
        must(Trust::parse("log " + must(live_.vault().log_verifier_key()) + "\nquorum none\n"));
    EscrowRecovery from;
    from.keys = source_of(keys.stream);
    from.trust = &trust;
    from.log = log;
    const auto begun = must(check_backup(source_of(keys.stream))).info.begun_unix_ms;
    if (log.empty()) from.accept_log_as_of_unix_ms = begun - begun % kDayMillis;
    RestoreOptions options;
    options.create.root_folder = folder_ / "roots";
    options.create.accept_unknown_medium = true;
    place_ = folder_ / ("recovered-" + std::to_string(++places_));
    QUIETUS_TRY(site_.escrow().recover(from, place_, live_.place.unlock(), options));
    core_ =
        must(VaultCore::open(place_, live_.place.unlock(), {}, {posix_file_system(), live_.clock}));
    return Vault(core_);
  }

  // Puts the records of any backup beside the keys, newer or older, as no command would.
  void load(const CopyMade& records) const {
    const ByteSource source = source_of(records.stream);
    BackupReader reader(source);
    must(reader.head());
    RestoreReport report;
    RecordLoader loader(*core_, report);
    while (const auto row = must(reader.next()))
      if (row->table) must(loader.add(*row));
    must(loader.flush());
  }

  std::string read(Vault& vault, const Tenant& tenant) const {
    auto scope = vault.scope(tenant.name);
    if (!scope) return std::string(name_of(scope.error().code()));
    // Rows of another time may say that a key is being replaced: then nothing is read either.
    const auto value = scope->get("record");
    if (!value) return std::string(name_of(value.error().code()));
    return *value ? std::string(as_text(**value)) : "none";
  }

  // With every snapshot that the site still opens, and every backup.
  void check_adversary() {
    for (const CopyMade& keys : copies_) {
      INFO("keys of step " << keys.step);
      auto vault = recovered(keys, {});
      CHECK(vault.ok() == epoch_lives(keys));
      if (!vault) {
        CHECK(vault.error().code() == ErrorCode::kErased);
        continue;
      }
      for (const CopyMade& records : copies_) {
        if (!records.records) continue;
        INFO("records of step " << records.step);
        load(records);
        for (const Tenant& tenant : tenants_) check_read(*vault, keys, records, tenant);
      }
      for (const Tenant& tenant : tenants_)
        CHECK(vault->scope(tenant.name).ok() == has_key(keys, tenant));
      vault = Error(ErrorCode::kUnavailable, "let go");
      core_.reset();
    }
  }

  void check_read(Vault& vault, const CopyMade& keys, const CopyMade& records,
                  const Tenant& tenant) const {
    INFO(tenant.name);
    const auto value = records.values.find(tenant.name);
    const std::string found = read(vault, tenant);
    if (!has_key(keys, tenant)) {
      CHECK(found.find("value") == std::string::npos);
      return;
    }
    // A positive control: the backup's own snapshot opens the backup's own records.
    if (keys.step == records.step && value != records.values.end()) CHECK(found == value->second);
  }

  // What lives comes back, with its log and without an erased one, as the backup had it.
  void check_living() {
    const auto log = folder_ / "log";
    must(live_.vault().export_log(log));
    const CopyMade* newest =
        copies_.empty() || !epoch_lives(copies_.back()) ? nullptr : &copies_.back();
    if (newest == nullptr) return;
    auto vault = recovered(*newest, log);
    REQUIRE(vault.ok());
    for (const CopyMade& records : copies_) {
      if (!records.records) continue;
      INFO("records of step " << records.step);
      load(records);
      for (const Tenant& tenant : tenants_) {
        INFO(tenant.name);
        const std::string found = read(*vault, tenant);
        const auto value = records.values.find(tenant.name);
        if (!tenant.lives()) CHECK(found.find("value") == std::string::npos);
        const bool kept = tenant.lives() && tenant.purged < records.step &&
                          newest->step > tenant.created && value != records.values.end();
        if (kept) CHECK(found == value->second);
      }
    }
    vault = Error(ErrorCode::kUnavailable, "let go");
    core_.reset();
  }

  SiteOffice site_;
  Office live_{nullptr};
  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  int step_ = 0;
  std::vector<Tenant> tenants_;
  std::vector<CopyMade> copies_;
  UnixMillis rolled_ = 0;
  int places_ = 0;
  std::filesystem::path place_;
  std::shared_ptr<VaultCore> core_;
};

void run(const std::vector<Op>& ops) {
  std::string letters;
  for (const Op op : ops) letters += kLetters[static_cast<std::size_t>(op)];
  INFO("operations " << letters);
  Machine().run(ops);
}

// Every sequence of so many operations behind the given ones.
void run_every(std::vector<Op>& ops, int depth) {
  if (depth == 0) return run(ops);
  for (const Op op : kOps) {
    ops.push_back(op);
    run_every(ops, depth - 1);
    ops.pop_back();
  }
}

TEST_CASE("every two operations behind a backup: nothing erased comes back after its clear date",
          "[machine]") {
  std::vector<Op> ops = {Op::kCreate, Op::kBackup};
  run_every(ops, kPointStep > 1 ? 1 : 2);
  ops = {Op::kCreate, Op::kSnapshot, Op::kErase};
  run_every(ops, 1);
}

TEST_CASE("every four operations behind a backup", "[.deep]") {
  std::vector<Op> ops = {Op::kCreate, Op::kBackup};
  run_every(ops, 4);
}

TEST_CASE("long sequences drawn at random: nothing erased comes back after its clear date",
          "[machine]") {
  const int sequences = kPointStep > 1 ? 3 : 12;
  for (int seed = 0; seed < sequences; ++seed) {
    INFO("seed " << seed);
    std::mt19937 draw(static_cast<std::mt19937::result_type>(seed));
    std::vector<Op> ops = {Op::kCreate};
    for (int i = 0; i < 14; ++i) ops.push_back(kOps[draw() % kOps.size()]);
    run(ops);
  }
}

}  // namespace
