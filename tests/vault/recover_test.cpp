// A vault whose host is lost comes back from a backup at the recovery site: the living with all
// their records, the dead not.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "backup_format.hpp"
#include "support/escrow_office.hpp"
#include "support/failpoint_hook.hpp"
#include "support/streams.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

Trust trust_in(const std::string& vkey) {
  return must(Trust::parse("log " + vkey + "\nquorum none\n"));
}

// A vault, its recovery site elsewhere, and room for what is recovered.
struct World {
  SiteOffice site;
  Office live{nullptr};
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  int recovered = 0;

  World() {
    live.clock.set(site.clock.now());
    import_ring();
  }
  void pass(UnixMillis time) {
    site.pass(time);
    live.clock.set(site.clock.now());
  }
  void import_ring() const {
    const Trust trust = trust_in(must(site.escrow().ring()).site_vkey);
    must(live.vault().escrow().import_ring(must(site.escrow().ring()).ring_file, &trust));
  }
  Bytes backup() const {
    Bytes content;
    must(live.vault().backups().create(sink_into(content)));
    return content;
  }
  Bytes snapshot() const {
    Bytes content;
    must(live.vault().escrow().snapshot(sink_into(content)));
    return content;
  }
  std::filesystem::path exported_log() {
    const auto path = folder / ("log-" + std::to_string(recovered++));
    must(live.vault().export_log(path));
    return path;
  }
  void erase(const std::string& path) const {
    const std::string paths[] = {path};
    must(live.vault().erase(paths, "test"));
  }
  nlohmann::json certificate(const std::string& id) const {
    const auto file = nlohmann::json::parse(must(live.vault().certificate(id)));
    return nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  }

  struct Given {
    Bytes keys;
    Bytes backup;
    std::filesystem::path log;
    bool accept = false;
  };
  std::filesystem::path place() const { return folder / ("vault-" + std::to_string(recovered)); }
  Result<RestoreReport> try_recover(const Given& given) {
    ++recovered;
    const Trust trust = trust_in(must(live.vault().log_verifier_key()));
    EscrowRecovery from;
    from.keys = source_of(given.keys);
    if (!given.backup.empty()) from.backup = source_of(given.backup);
    from.trust = &trust;
    from.log = given.log;
    const UnixMillis now = site.clock.now();
    if (given.accept) from.accept_log_as_of_unix_ms = now - now % kDayMillis;
    RestoreOptions options;
    options.create.root_folder = folder / "roots";
    options.create.accept_unknown_medium = true;
    return site.escrow().recover(from, place(), live.place.unlock(), options);
  }
  Vault recovered_vault() const { return must(Vault::open(place(), live.place.unlock())); }
  std::string read(const std::string& path, const char* name) const {
    Vault vault = recovered_vault();
    auto scope = vault.scope(path);
    if (!scope) return std::string(name_of(scope.error().code()));
    const auto value = must(scope->get(name));
    return value ? std::string(as_text(*value)) : "none";
  }
};

TEST_CASE("a lost vault comes back from a backup and the site, with its log as far as it is known",
          "[recover]") {
  World world;
  must(world.live.scope("acme/data").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("b", as_bytes("two")));
  const Bytes backup = world.backup();
  const auto log = world.exported_log();
  const RestoreReport report = must(world.try_recover({backup, backup, log}));
  CHECK(report.restored == 2);
  CHECK(report.complete());
  CHECK(world.read("acme/data", "a") == "one");
  CHECK(world.read("globex", "b") == "two");
  Vault back = world.recovered_vault();
  must(back.verify_log());
  CHECK(must(back.check()).damages.empty());
  must(must(back.scope("acme/data")).put("new", as_bytes("it serves")));
  must(back.create_scope("later"));
}

TEST_CASE("what was erased or purged after the snapshot is dead before anything can be read",
          "[recover]") {
  World world;
  must(world.live.scope("acme/data/user").put("a", as_bytes("one")));
  must(world.live.scope("acme/other").put("b", as_bytes("two")));
  must(world.live.scope("globex").put("c", as_bytes("three")));
  const Bytes backup = world.backup();
  world.erase("acme/data");
  must(world.live.lifecycle().purge("acme/other", "test"));
  const auto log = world.exported_log();
  const RestoreReport report = must(world.try_recover({backup, backup, log}));
  CHECK(report.erased == 1);
  CHECK(report.purged == 1);
  CHECK(report.restored == 1);
  CHECK(report.complete());
  CHECK(world.read("acme/data/user", "a") == "erased");
  {
    // The purged scope's name may be given out again, the erased one's not.
    Vault back = world.recovered_vault();
    CHECK(back.create_scope("acme/other").ok());
    CHECK_FAILS_WITH(back.create_scope("acme/data"), ErrorCode::kErased);
    CHECK(must(back.check()).damages.empty());
  }
  CHECK(world.read("globex", "c") == "three");
  // Without the newer log it has to be said in so many words, and they are back.
  const auto refused = world.try_recover({backup, backup, {}});
  CHECK_FAILS_WITH(refused, ErrorCode::kRefused);
  CHECK(refused.error().context().find("--accept-log-as-of 2027-") != std::string::npos);
  must(world.try_recover({backup, backup, {}, true}));
  CHECK(world.read("acme/data/user", "a") == "one");
}

TEST_CASE(
    "a recovered vault knows who signs for the lost one, and takes its certificate as a receipt",
    "[recover][receipts]") {
  World world;
  must(world.live.scope("globex").put("b", as_bytes("two")));
  const Bytes snapshot = world.snapshot();
  world.pass(15 *
             kDayMillis);  // until the snapshot was rolled away it would keep certificates live
  must(world.site.escrow().roll());
  world.import_ring();
  const Bytes newer = world.snapshot();
  must(world.try_recover({newer, {}, world.exported_log()}));
  Vault back = world.recovered_vault();
  // It was not lost after all.
  const std::string paths[] = {"globex"};
  const ErasureReport there = must(world.live.vault().erase(paths, "test"));
  must(back.erase(paths, "test"));
  // Key snapshots of both are left, so that neither is a receipt yet.
  CHECK_FAILS_WITH(back.backups().import_certificate(there.certificate), ErrorCode::kRefused);
  world.pass(15 * kDayMillis);
  const std::string receipt = must(world.site.escrow().roll()).ring.receipt;
  const auto in_live = must(world.live.vault().escrow().import_receipt(receipt));
  REQUIRE(in_live.certificates.size() == 1);
  must(back.escrow().import_receipt(receipt));
  const CertificateImport imported = must(back.backups().import_certificate(
      must(world.live.vault().certificate(in_live.certificates[0]))));
  CHECK(imported.instance_id == std::string(32, '0'));
  REQUIRE(imported.certificates.size() == 1);
  const auto file = nlohmann::json::parse(must(back.certificate(imported.certificates[0])));
  const auto claims =
      nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  CHECK(claims["status"] == "complete");
  CHECK(claims["instances"][0]["receipt"] == in_live.certificates[0]);
}

TEST_CASE("keys come from the newest snapshot, records from the backup", "[recover]") {
  World world;
  must(world.live.scope("acme/data").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("b", as_bytes("two")));
  const Bytes backup = world.backup();
  world.erase("acme/data");
  world.pass(kDayMillis);
  const Bytes snapshot = world.snapshot();
  must(world.live.scope("globex").put("b", as_bytes("three")));
  const RestoreReport report = must(world.try_recover({snapshot, backup, world.exported_log()}));
  CHECK(report.erased == 1);
  CHECK(report.restored == 1);
  CHECK(world.read("globex", "b") == "two");
  // The other way round the records are newer than the keys.
  const Bytes newer = world.backup();
  CHECK_FAILS_WITH(world.try_recover({snapshot, newer, world.exported_log()}),
                   ErrorCode::kRolledBack);
  // Keys alone.
  must(world.try_recover({snapshot, {}, world.exported_log()}));
  CHECK(world.read("globex", "b") == "none");
}

TEST_CASE("once its epoch has expired a snapshot opens nowhere, and the certificate is final",
          "[recover][certificate]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("b", as_bytes("two")));
  const Bytes backup = world.backup();
  const std::string paths[] = {"acme"};
  const std::string id = must(world.live.vault().erase(paths, "test")).certificate_id;
  const auto live = world.certificate(id);
  CHECK(live["phase"] == "live");
  REQUIRE(live["key_snapshots"].size() == 1);
  CHECK(live["key_snapshots"][0]["attested"] == false);
  CHECK(live["key_snapshots"][0]["clear_date"] == "2027-03-15T00:00:00Z");
  // What the certificate says is so: until then the site opens it.
  world.pass(13 * kDayMillis);
  must(world.site.escrow().roll());
  CHECK(world.site.key_of(world.site.file().epochs.front().public_key.id) == "lives");
  world.pass(kDayMillis);
  const RollReport rolled = must(world.site.escrow().roll());
  REQUIRE(rolled.destroyed.size() == 1);
  CHECK_FAILS_WITH(world.try_recover({backup, backup, world.exported_log()}), ErrorCode::kErased);
  const ReceiptImport imported =
      must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  CHECK(imported.snapshots == 1);
  REQUIRE(imported.certificates.size() == 1);
  const auto last = world.certificate(imported.certificates[0]);
  CHECK(last["phase"] == "final");
  CHECK(last["supersedes"] == nlohmann::json::array({id}));
  CHECK(last["key_snapshots"][0]["attested"] == true);
  CHECK(last["erasure_id"] == live["erasure_id"]);
  const auto found = nlohmann::json::parse(must(world.live.vault().certificate_of("acme")));
  CHECK(found ==
        nlohmann::json::parse(must(world.live.vault().certificate(imported.certificates[0]))));
  // Again: nothing is new.
  const ReceiptImport again = must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  CHECK(again.snapshots == 0);
  CHECK(again.certificates.empty());
}

TEST_CASE(
    "a certificate names the snapshots that were made when the keys were there, and no others",
    "[recover][certificate]") {
  World world;
  must(world.live.scope("early").put("a", as_bytes("one")));
  static_cast<void>(world.snapshot());
  world.pass(kDayMillis);
  must(world.live.scope("late").put("a", as_bytes("one")));
  const auto snapshots_of = [&](const char* path) {
    const std::string paths[] = {path};
    return world
        .certificate(must(world.live.vault().erase(paths, "test")).certificate_id)["key_snapshots"]
        .size();
  };
  CHECK(snapshots_of("late") == 0);
  must(world.live.scope("later").put("a", as_bytes("one")));
  static_cast<void>(world.backup());
  CHECK(snapshots_of("early") == 2);
  CHECK(snapshots_of("later") == 1);
}

TEST_CASE("nothing is recovered from what is not what it claims", "[recover]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const auto before = world.exported_log();
  const Bytes backup = world.backup();
  const auto log = world.exported_log();
  CHECK_FAILS_WITH(world.try_recover({backup, backup, before}), ErrorCode::kRolledBack);
  // Cut short, and every byte changed in turn, of a snapshot alone.
  const Bytes snapshot = world.snapshot();
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{30}, snapshot.size() / 2, snapshot.size() - 1}) {
    Bytes shorter(snapshot.begin(), snapshot.begin() + static_cast<std::ptrdiff_t>(cut));
    CHECK_FALSE(world.try_recover({shorter, {}, log}).ok());
    CHECK_FALSE(std::filesystem::exists(world.place() / "vault.json"));
  }
  for (std::size_t at = 0; at < snapshot.size(); at += snapshot.size() / 40) {
    Bytes changed = snapshot;
    changed[at] ^= 0x10;
    CHECK_FALSE(world.try_recover({changed, {}, world.exported_log()}).ok());
    CHECK_FALSE(std::filesystem::exists(world.place() / "vault.json"));
  }
  // Another vault's log, another site's ring, no snapshot at all.
  World other;
  must(other.live.scope("acme").put("a", as_bytes("one")));
  const Bytes foreign = other.backup();
  CHECK_FALSE(world.try_recover({foreign, foreign, other.exported_log()}).ok());
  CHECK_FALSE(world.try_recover({backup, foreign, log}).ok());
  CHECK_FALSE(world.try_recover({backup, backup, other.exported_log()}).ok());
  const Office plain(nullptr);
  Bytes without;
  must(plain.vault().backups().create(sink_into(without)));
  CHECK_FALSE(world.try_recover({without, without, log}).ok());
  // The root folder holds no slot of any of them.
  if (std::filesystem::exists(world.folder / "roots"))
    for (const auto& file : std::filesystem::recursive_directory_iterator(world.folder / "roots"))
      CHECK_FALSE(file.path().filename().string().starts_with("slot-"));
}

TEST_CASE("ring files and receipts that are not the site's change nothing", "[recover]") {
  World world;
  World other;
  const RingInfo foreign = must(other.site.escrow().ring());
  const auto import_without = world.live.vault().escrow().import_ring(foreign.ring_file);
  CHECK_FAILS_WITH(import_without, ErrorCode::kUnverified);
  CHECK_FAILS_WITH(world.live.vault().escrow().import_receipt(foreign.receipt),
                   ErrorCode::kUnverified);
  std::string changed = foreign.ring_file;
  changed[changed.size() / 2] = changed[changed.size() / 2] == '0' ? '1' : '0';
  const Trust trust = trust_in(foreign.site_vkey);
  CHECK_FAILS_WITH(world.live.vault().escrow().import_ring(changed, &trust),
                   ErrorCode::kUnverified);
  // A site does not seal to itself.
  const Trust own = trust_in(must(world.site.escrow().ring()).site_vkey);
  CHECK_FAILS_WITH(
      world.site.escrow().import_ring(must(world.site.escrow().ring()).ring_file, &own),
      ErrorCode::kRefused);
  // The second ring takes over; a ring that follows the first is still accepted.
  must(world.live.vault().escrow().import_ring(foreign.ring_file, &trust));
  world.pass(20 * kDayMillis);
  must(world.site.escrow().roll());
  must(world.live.vault().escrow().import_ring(must(world.site.escrow().ring()).ring_file));
}

TEST_CASE("without an open epoch no backup is made, and it says why", "[recover]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  world.pass(29 * kDayMillis);
  Bytes content;
  const auto made = world.live.vault().backups().create(sink_into(content));
  CHECK_FAILS_WITH(made, ErrorCode::kRefused);
  CHECK(made.error().context().find("import-ring") != std::string::npos);
  CHECK(must(world.live.vault().backups().list()).empty());
  must(world.site.escrow().roll());
  must(world.live.vault().escrow().import_ring(must(world.site.escrow().ring()).ring_file));
  static_cast<void>(world.backup());
}

TEST_CASE("what comes of one snapshot twice shares no key, and what is made later in one is apart",
          "[recover]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const auto nodes_of = [](const std::filesystem::path& place, const Unlock& unlock) {
    const auto core = must(VaultCore::open(place, unlock, {}, {}));
    std::map<Bytes, Bytes> rows;
    must(core->control->read([&](ControlReader& reader) {
      return reader.scan(Bytes{'N'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
        rows[Bytes(key.begin(), key.end())] = Bytes(value.begin(), value.end());
        return true;
      });
    }));
    return rows;
  };
  must(world.try_recover({backup, {}, world.exported_log()}));
  const auto first = nodes_of(world.place(), world.live.place.unlock());
  must(world.try_recover({backup, {}, world.exported_log()}));
  const auto second = nodes_of(world.place(), world.live.place.unlock());
  // Neither has a node of the snapshot, nor one of the other.
  const ByteSource source = source_of(backup);
  BackupReader reader(source);
  must(reader.head());
  int compared = 0;
  while (const auto row = must(reader.next())) {
    if (!row->copied || row->key[0] != 'N') continue;
    const Bytes key(row->key.begin(), row->key.end());
    const Bytes value(row->value.begin(), row->value.end());
    REQUIRE(first.contains(key));
    CHECK(first.at(key) != value);
    CHECK(second.at(key) != value);
    CHECK(second.at(key) != first.at(key));
    ++compared;
  }
  CHECK(compared >= 4);
}

TEST_CASE("copies that were made after an erasure are not named, also by a later certificate",
          "[recover][certificate]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  must(world.live.scope("globex").put("a", as_bytes("one")));
  static_cast<void>(world.backup());
  const std::string paths[] = {"acme"};
  must(world.live.vault().erase(paths, "test"));
  // Snapshots go on, day by day.
  for (int day = 0; day < 13; ++day) {
    world.pass(kDayMillis);
    static_cast<void>(world.snapshot());
  }
  world.pass(kDayMillis);
  const RollReport rolled = must(world.site.escrow().roll());
  const ReceiptImport imported =
      must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  REQUIRE(imported.certificates.size() == 1);
  const auto claims = world.certificate(imported.certificates[0]);
  CHECK(claims["phase"] == "final");
  CHECK(claims["key_snapshots"].size() == 1);
}

TEST_CASE("what the site opened is named by the vault, once it has the receipt", "[recover]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const RestoreReport rehearsal = must(world.try_recover({backup, backup, world.exported_log()}));
  world.pass(60'000);
  const RollReport rolled = must(world.site.escrow().roll());
  CHECK(rolled.ring.receipt.find("opened ") != std::string::npos);
  must(world.live.vault().escrow().import_receipt(rolled.ring.receipt));
  const std::string paths[] = {"acme"};
  const auto claims =
      world.certificate(must(world.live.vault().erase(paths, "test")).certificate_id);
  REQUIRE(claims["instances"].size() == 1);
  CHECK(claims["instances"][0]["instance_id"] == rehearsal.instance_id);
  CHECK(claims["status"] == "partial");
  // The site's own log says so too.
  const LogHead head = must(world.site.vault().log_head());
  bool logged = false;
  for (std::uint64_t i = 0; i < head.size; ++i)
    logged = logged ||
             must(world.site.vault().log_entry(i)).find("vault-recovered") != std::string::npos;
  CHECK(logged);
}

TEST_CASE("a lost host that comes back gives way: it reads and erases, and writes no more",
          "[recover]") {
  World world;
  Scope scope = world.live.scope("acme");
  must(scope.put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const RestoreReport report = must(world.try_recover({backup, backup, world.exported_log()}));
  REQUIRE_FALSE(report.takeover.empty());
  std::string changed = report.takeover;
  changed[changed.find("instance ") + 12] ^= 1;
  CHECK_FAILS_WITH(world.live.vault().escrow().yield(changed), ErrorCode::kUnverified);
  must(world.live.vault().escrow().yield(report.takeover));
  must(world.live.vault().escrow().yield(report.takeover));  // again: nothing changes
  CHECK_FAILS_WITH(scope.put("a", as_bytes("two")), ErrorCode::kRefused);
  CHECK(world.live.vault().create_scope("later").error().code() == ErrorCode::kRefused);
  CHECK(as_text(*must(scope.get("a"))) == "one");
  const std::string paths[] = {"acme"};
  const auto claims =
      world.certificate(must(world.live.vault().erase(paths, "test")).certificate_id);
  CHECK(claims["instances"][0]["instance_id"] == report.instance_id);
  // The instance that took over does not give way to itself.
  {
    Vault back = world.recovered_vault();
    CHECK_FAILS_WITH(back.escrow().yield(report.takeover), ErrorCode::kRefused);
  }
  World other;
  CHECK_FAILS_WITH(other.live.vault().escrow().yield(report.takeover), ErrorCode::kUnverified);
}

TEST_CASE("snapshots that were made since are known to what is recovered from an older one",
          "[recover][certificate]") {
  World world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  world.pass(2 * kDayMillis);
  static_cast<void>(world.snapshot());  // lost with the host
  must(world.try_recover({backup, backup, world.exported_log()}));
  Vault back = world.recovered_vault();
  const std::string paths[] = {"acme"};
  const auto erased = must(back.erase(paths, "test"));
  const auto file = nlohmann::json::parse(must(back.certificate(erased.certificate_id)));
  const auto claims =
      nlohmann::json::parse(as_text(*from_base64url(file["payload"].get<std::string>())));
  CHECK(claims["key_snapshots"].size() == 2);
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever a snapshot fails, it is registered or nobody can open it", "[recover]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    World world;
    must(world.live.scope("acme").put("a", as_bytes("one")));
    bool fired = false;
    Bytes content;
    Result<BackupInfo> made = BackupInfo();
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      made = world.live.vault().escrow().snapshot(sink_into(content));
    }
    world.live.reopen();  // a commit whose outcome is unknown closes a store
    const std::string paths[] = {"acme"};
    const auto claims =
        world.certificate(must(world.live.vault().erase(paths, "test")).certificate_id);
    if (made) CHECK(claims["key_snapshots"].size() == 1);
    // Whoever kept what was written opens it only if the certificate says so.
    if (world.try_recover({content, {}, {}, true})) CHECK(claims["key_snapshots"].size() == 1);
    if (!fired) break;
  }
}

TEST_CASE("wherever a recovery fails, nothing of it can be read, and the next one succeeds",
          "[recover]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    World world;
    must(world.live.scope("acme").put("a", as_bytes("one")));
    const Bytes backup = world.backup();
    const auto log = world.exported_log();
    bool fired = false;
    {
      const FailpointHook hook(failpoint::at_nth(n, [&](std::string_view) -> Result<void> {
        fired = true;
        return Error(ErrorCode::kIo, "injected");
      }));
      const auto recovered = world.try_recover({backup, backup, log});
      if (!fired) CHECK(recovered.ok());
    }
    world.site.reopen();
    if (std::filesystem::exists(world.place() / "vault.json"))
      CHECK(world.read("acme", "a") == "one");
    else
      --world.recovered;  // the same place again
    if (!fired) break;
    must(world.try_recover({backup, backup, log}));
    CHECK(world.read("acme", "a") == "one");
  }
}
#endif

}  // namespace
