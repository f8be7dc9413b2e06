// A vault whose host is lost comes back from a backup at the recovery site: the living with all
// their records, the dead not.
#include <catch2/catch.hpp>

#include "erase_many.hpp"
#include "support/failpoint_hook.hpp"
#include "support/lost_world.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

TEST_CASE("a lost vault comes back from a backup and the site, with its log as far as it is known",
          "[recover]") {
  LostWorld world;
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
  LostWorld world;
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
  LostWorld world;
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
  LostWorld world;
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

TEST_CASE("nothing is recovered from what is not what it claims", "[recover]") {
  LostWorld world;
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
  LostWorld other;
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
  LostWorld world;
  LostWorld other;
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
  LostWorld world;
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
  LostWorld world;
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

TEST_CASE("what a log does not list has to be accepted in so many words, and the rest is replayed",
          "[recover]") {
  LostWorld world;
  const std::uint64_t first = world.live.scope("first").id();
  const std::uint64_t second = world.live.scope("second").id();
  must(world.live.scope("first").put("a", as_bytes("one")));
  must(world.live.scope("third").put("a", as_bytes("three")));
  const Bytes backup = world.backup();
  const DueErasure due[] = {{first, "retention-expired"}, {second, "deletion-request"}};
  must(erase_many(*world.live.core, due));
  world.erase("third");
  const auto log = world.exported_log();
  const auto refused = world.try_recover({backup, backup, log});
  CHECK_FAILS_WITH(refused, ErrorCode::kRefused);
  CHECK(refused.error().context().find("--accept-log-as-of") != std::string::npos);
  const RestoreReport report = must(world.try_recover({backup, backup, log, true}));
  CHECK(report.erased == 1);
  CHECK(world.read("first", "a") == "one");
  CHECK(world.read("third", "a") == "erased");
  // One that was made afterwards knows of all.
  const Bytes snapshot = world.snapshot();
  must(world.try_recover({snapshot, backup, world.exported_log()}));
  CHECK(world.read("first", "a") == "erased");
}

TEST_CASE("a recovery that is refused has opened nothing, and one that failed is forgotten",
          "[recover]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  CHECK_FAILS_WITH(world.try_recover({backup, backup, {}}), ErrorCode::kRefused);
  Bytes damaged = backup;
  damaged[damaged.size() / 2] ^= 1;
  CHECK_FALSE(world.try_recover({backup, damaged, world.exported_log()}).ok());
  world.pass(60'000);
  CHECK(must(world.site.escrow().roll()).ring.receipt.find("opened ") == std::string::npos);
}

TEST_CASE("a clock that is ahead at a recovery moves no date of the ring", "[recover]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const UnixMillis now = world.site.clock.now();
  world.site.clock.set(now + 3650 * kDayMillis);
  must(world.try_recover({backup, backup, world.exported_log()}));
  world.site.clock.set(now + 60'000);
  const RingInfo ring = must(world.site.escrow().roll()).ring;
  CHECK(ring.issued_unix_ms <= now + 60'000);
  CHECK(ring.receipt.find("opened ") != std::string::npos);
  CHECK_FALSE(must(world.site.escrow().roll()).issued);
}

TEST_CASE("nothing is recovered into the site, or into a folder where somebody else makes a vault",
          "[recover]") {
  LostWorld world;
  must(world.live.scope("acme").put("a", as_bytes("one")));
  const Bytes backup = world.backup();
  const Trust trust = trust_in(must(world.live.vault().log_verifier_key()));
  const auto log = world.exported_log();
  EscrowRecovery from;
  from.keys = source_of(backup);
  from.trust = &trust;
  from.log = log;
  RestoreOptions options;
  options.create.root_folder = world.folder / "roots";
  options.create.accept_unknown_medium = true;
  const Unlock unlock = world.live.place.unlock();
  CHECK_FAILS_WITH(
      world.site.escrow().recover(from, world.site.core->files.folder / "inside", unlock, options),
      ErrorCode::kRefused);
  const VaultFiles busy(world.folder / "busy");
  std::filesystem::create_directories(busy.runtime());
  LockFile lock = must(LockFile::make(busy.making()));
  REQUIRE(must(lock.try_lock(0, LockFile::Mode::kExclusive)));
  from.keys = source_of(backup);
  CHECK_FAILS_WITH(world.site.escrow().recover(from, busy.folder, unlock, options),
                   ErrorCode::kBusy);
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("wherever a snapshot fails, it is registered or nobody can open it", "[recover]") {
  for (int n = 1;; ++n) {
    INFO("fail point " << n);
    LostWorld world;
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
    LostWorld world;
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
