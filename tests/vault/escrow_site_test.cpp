// The recovery site: epochs, rolls, receipts.
#include <catch2/catch.hpp>

#include <set>

#include "escrow_ring.hpp"
#include "faults/file_bytes.hpp"
#include "support/escrow_office.hpp"
#include "support/failpoint_hook.hpp"

namespace quietus::test {
namespace {

constexpr UnixMillis kHour = 3'600'000;

std::string hex_of(const RingEpoch& epoch) {
  return to_hex(epoch.public_key.id);
}

// At every time from now on an epoch is open, for at least so long.
void check_covered(const RingFile& ring, UnixMillis now, UnixMillis for_as_long) {
  UnixMillis at = now;
  while (const RingEpoch* epoch = epoch_for_sealing(ring, at)) at = epoch->closes;
  CHECK(at >= now + for_as_long);
}

std::set<EpochId> ids_in(const RingReceipt& receipt) {
  std::set<EpochId> ids;
  for (const DestroyedEpoch& epoch : receipt.destroyed) ids.insert(epoch.epoch);
  return ids;
}

bool holds(ByteView where, ByteView what) {
  return as_text(where).find(as_text(what)) != std::string_view::npos;
}

// One of long ago.
RingEpoch old_epoch(UnixMillis opens) {
  RingEpoch epoch;
  epoch.public_key = make_epoch_key_pair().public_key;
  epoch.scope = 1;
  epoch.opens = opens;
  epoch.closes = opens + kDayMillis;
  epoch.expires = opens + 14 * kDayMillis;
  return epoch;
}

TEST_CASE("a new ring has epochs for two lives, and a key for each", "[escrow]") {
  const SiteOffice site;
  const RingInfo info = must(site.escrow().ring());
  const RingFile ring = site.published(info);
  CHECK(ring == site.file());
  CHECK(ring.site == site.core->header.vault);
  CHECK(info.site_vkey == must(site.vault().log_verifier_key()));
  CHECK(ring.epochs.size() == 28);
  CHECK(info.epochs.size() == 28);
  CHECK(ring.epochs.front().opens == site.clock.now());
  check_covered(ring, site.clock.now(), 28 * kDayMillis);
  std::set<X25519PublicKey> keys;
  for (const RingEpoch& epoch : ring.epochs) {
    CHECK(epoch.closes == epoch.opens + kDayMillis);
    CHECK(epoch.expires == epoch.opens + 14 * kDayMillis);
    const EpochPrivateKey key = must(epoch_private_key(*site.core, epoch.public_key.id));
    CHECK(epoch_public_key(key) == epoch.public_key.key);
    keys.insert(epoch.public_key.key);
    CHECK(must(site.lifecycle().keys("escrow/" + hex_of(epoch))).scope_id == epoch.scope);
  }
  CHECK(keys.size() == 28);
  CHECK(site.receipted(info).destroyed.empty());
  CHECK(info.epochs.front().state == EpochState::kOpen);
  CHECK(info.epochs.back().state == EpochState::kUpcoming);
  CHECK_FAILS_WITH(epoch_private_key(*site.core, EpochId{}), ErrorCode::kNotFound);
  CHECK(must(site.vault().check()).damages.empty());
}

TEST_CASE("a private key of an epoch is in no file and no row", "[escrow]") {
  const SiteOffice site;
  const EpochPrivateKey key = must(epoch_private_key(*site.core, site.open_epoch().public_key.id));
  const Bytes secret = key.expose([](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); });
  for (const auto& file : files_below(site.place.live())) {
    const Bytes content = bytes_of_file(file);
    CHECK_FALSE(holds(content, secret));
  }
  must(site.core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
    return rows::all_key_rows(
        reader, scopes.seal(),
        [&](const KeyRow& row) -> Result<void> {
          for (const KeyRecord& record : row.keys) CHECK_FALSE(holds(record.wrapped, secret));
          return {};
        },
        [](ScopeId) { FAIL_CHECK("damaged"); });
  }));
}

TEST_CASE("what a ring is made of is days", "[escrow]") {
  const Office office(nullptr);
  const std::pair<const char*, const char*> refused[] = {
      {"0d", "14d"}, {"1d", "0d"},   {"2d", "1d"},   {"1m", "14d"},  {"1d", "1y"},
      {"", "14d"},   {"1d", ""},     {"1h", "1d"},   {"1d", "513d"}, {"10d", "3661d"},
      {"1", "14d"},  {"-1d", "14d"}, {"1d ", "14d"},
  };
  for (const auto& [epoch, life] : refused) {
    INFO(epoch << " " << life);
    CHECK_FAILS_WITH(office.vault().escrow().init({epoch, life}), ErrorCode::kInvalidArgument);
  }
  CHECK(must(office.vault().children("")).empty());
  const RingInfo ring = must(office.vault().escrow().init({"1w", "3w"}));
  CHECK(ring.epochs.size() == 6);
  CHECK(ring.epochs[0].closes_unix_ms == office.clock.now() + 7 * kDayMillis);
  CHECK(ring.epochs[0].expires_unix_ms == office.clock.now() + 21 * kDayMillis);
}

TEST_CASE("a ring is made once, in a vault of its own", "[escrow]") {
  const SiteOffice site;
  CHECK_FAILS_WITH(site.escrow().init(), ErrorCode::kAlreadyExists);
  const Office office(nullptr);
  CHECK_FAILS_WITH(office.vault().escrow().ring(), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(office.vault().escrow().roll(), ErrorCode::kNotFound);
  CHECK_FAILS_WITH(epoch_private_key(*office.core, EpochId{}), ErrorCode::kNotFound);
  static_cast<void>(office.scope("acme"));
  CHECK_FAILS_WITH(office.vault().escrow().init(), ErrorCode::kRefused);
  CHECK_FAILS_WITH(office.vault().escrow().ring(), ErrorCode::kNotFound);
}

// Day by day: what was sealed opens until it expires and not after; every file follows the one
// before; receipts name what is gone, and only that.
TEST_CASE("forty days of a ring", "[escrow]") {
  SiteOffice site;
  std::vector<SealedSnapshot> snapshots;
  std::map<EpochId, UnixMillis> expiries;
  RingFile before = site.file();
  std::size_t receipted_before = 0;
  for (int day = 0; day < 40; ++day) {
    INFO("day " << day);
    if (day > 0) site.pass(kDayMillis);
    const RollReport rolled = must(site.escrow().roll());
    const RingFile ring = site.published(rolled.ring);
    if (rolled.issued) must(follows(ring, before));
    CHECK((rolled.issued || ring == before));
    CHECK(rolled.destroyed.size() == (day < 14 ? 0 : 1));
    check_covered(ring, site.clock.now(), 14 * kDayMillis);
    const RingReceipt receipt = site.receipted(rolled.ring);
    CHECK(receipt.destroyed.size() == receipted_before + rolled.destroyed.size());
    receipted_before = receipt.destroyed.size();
    const std::set<EpochId> gone = ids_in(receipt);

    for (const RingEpoch& epoch : ring.epochs) expiries[epoch.public_key.id] = epoch.expires;
    snapshots.push_back(snapshot_for(*epoch_for_sealing(ring, site.clock.now())));
    for (const SealedSnapshot& snapshot : snapshots)
      CHECK(opens(*site.core, snapshot) == (snapshot.expires > site.clock.now()));
    for (const auto& [id, expiry] : expiries) {
      CHECK(site.key_of(id) == (expiry > site.clock.now() ? "lives" : "erased"));
      CHECK(gone.contains(id) == (expiry <= site.clock.now()));
    }
    before = ring;
    if (day == 5 || day == 20) {
      site.core.reset();
      site.place.keep("day-" + std::to_string(day));
      site.core = must(site.open());
    }
  }
  for (const DestroyedEpoch& epoch : must(site_receipt(*site.core)).destroyed) {
    CHECK(epoch.destroyed == expiries.at(epoch.epoch));
    CHECK(site.logged("\"kind\":\"slot-destroyed\"") > 0);
    CHECK(site.logged(to_hex(epoch.erasure)) >= 2);
  }
  Vault vault = site.vault();
  check_invariants(*site.core, vault);
}

// The site's files of old, beside the root slots that are left, open nothing. With the old slots
// they do, which shows that the test can fail.
TEST_CASE("old copies of a site do not bring the key of an expired epoch back", "[escrow]") {
  SiteOffice site;
  const SealedSnapshot snapshot = snapshot_for(site.open_epoch());
  CHECK(opens(*site.core, snapshot));
  site.core.reset();
  site.place.keep("then");
  site.core = must(site.open());
  site.pass(14 * kDayMillis);
  must(site.escrow().roll());
  CHECK_FALSE(opens(*site.core, snapshot));
  site.core.reset();
  site.place.keep("now");

  const auto root = site.place.root();
  const auto old_files = [&] {
    site.place.put_back("now");
    for (const char* name : {"control.mdb", "records.mdb"})
      site.place.put_back_file("then", site.place.vault() / name);
  };
  OpenOptions reading;
  reading.read_only = true;
  const auto open_so = [&](const OpenOptions& options) {
    return VaultCore::open(site.place.vault(), site.place.unlock(), options,
                           {posix_file_system(), site.clock});
  };
  old_files();
  CHECK_FAILS_WITH(open_so({}), ErrorCode::kRolledBack);
  CHECK_FAILS_WITH(open_so(reading), ErrorCode::kRolledBack);
  std::filesystem::remove(root / "anchor");
  CHECK_FAILS_WITH(open_so({}), ErrorCode::kRolledBack);
  old_files();
  std::filesystem::copy_file(site.place.path("then") / "roots" / root.filename() / "anchor",
                             root / "anchor", std::filesystem::copy_options::overwrite_existing);
  CHECK_FAILS_WITH(open_so({}), ErrorCode::kRolledBack);

  site.place.put_back("then");
  site.core = must(site.open());
  CHECK(opens(*site.core, snapshot));
}

TEST_CASE("a roll with nothing due changes nothing", "[escrow]") {
  SiteOffice site;
  const RingInfo first = must(site.escrow().ring());
  const LogHead log = must(site.vault().log_head());
  for (int i = 0; i < 3; ++i) {
    site.pass(kHour);
    const RollReport rolled = must(site.escrow().roll());
    CHECK_FALSE(rolled.issued);
    CHECK(rolled.made == 0);
    CHECK(rolled.ring.ring_file == first.ring_file);
    CHECK(rolled.ring.receipt == first.receipt);
  }
  CHECK(must(site.vault().log_head()).size == log.size);
  site.pass(14 * kDayMillis);
  const RollReport rolled = must(site.escrow().roll());
  CHECK(rolled.issued);
  const RollReport again = must(site.escrow().roll());
  CHECK_FALSE(again.issued);
  CHECK(again.destroyed.empty());
  CHECK(again.ring.ring_file == rolled.ring.ring_file);
  CHECK(again.ring.receipt == rolled.ring.receipt);
}

TEST_CASE("a ring that was rolled late loses all that is due in one root change", "[escrow]") {
  SiteOffice site;
  const RingFile first = site.file();
  const std::uint64_t generation = must(site.vault().status()).root_generation;
  site.pass(30 * kDayMillis);
  // What has expired and lives is told, and stays in the file.
  const RingInfo overdue = must(site.escrow().ring());
  CHECK(std::ranges::count(overdue.epochs, EpochState::kOverdue, &EpochInfo::state) == 17);
  CHECK(site.file() == first);
  const RollReport rolled = must(site.escrow().roll());
  CHECK(rolled.destroyed.size() == 17);
  CHECK(must(site.vault().status()).root_generation == generation + 1);
  std::set<std::string> erasures;
  for (const EpochInfo& epoch : rolled.destroyed) erasures.insert(epoch.erasure_id);
  CHECK(erasures.size() == 1);
  const RingFile ring = site.published(rolled.ring);
  must(follows(ring, first));
  // Nothing was sealed meanwhile: all epochs had closed.
  check_covered(ring, site.clock.now(), 28 * kDayMillis);
}

TEST_CASE("a clock that is wrong destroys nothing", "[escrow]") {
  SiteOffice site;
  site.pass(13 * kDayMillis);
  must(site.escrow().roll());
  const RingInfo before = must(site.escrow().ring());
  const UnixMillis right = site.clock.now();
  for (const UnixMillis wrong : {right - 2 * kHour, right + 32 * kDayMillis, UnixMillis{0}}) {
    INFO(wrong);
    site.clock.set(wrong);
    const auto rolled = site.escrow().roll();
    CHECK_FAILS_WITH(rolled, ErrorCode::kRefused);
    CHECK(rolled.error().context().find("clock") != std::string::npos);
    CHECK_FAILS_WITH(site.escrow().roll_now(before.epochs[0].id), ErrorCode::kRefused);
    CHECK(must(site.escrow().ring()).ring_file == before.ring_file);
    CHECK(must(site.escrow().ring()).receipt == before.receipt);
  }
  for (const EpochInfo& epoch : before.epochs) CHECK(epoch.state != EpochState::kDestroyed);
  for (const RingEpoch& epoch : site.file().epochs)
    CHECK(site.key_of(epoch.public_key.id) == "lives");
  // Somebody vouches for it.
  site.clock.set(right + 32 * kDayMillis);
  must(site.retention().accept_clock());
  CHECK(must(site.escrow().roll()).destroyed.size() == 28);
}

TEST_CASE("a clock that is set back between the steps of a roll destroys nothing", "[escrow]") {
  SiteOffice site;
  site.pass(14 * kDayMillis);
  for (const char* point : {"escrow/before-erasure", "change/after-slot"}) {
    INFO(point);
    const UnixMillis right = site.clock.now();
    at(point, [&] { site.clock.set(right - kDayMillis); });
    CHECK_FALSE(site.escrow().roll().ok());
    failpoint::install({});
    site.clock.set(right);
    CHECK(must(site_receipt(*site.core)).destroyed.empty());
  }
  CHECK(must(site.escrow().roll()).destroyed.size() == 1);
}

// After a clock that was ahead and believed, and was set right: no epoch is open twice, and one is
// open at any time.
TEST_CASE("a ring that was rolled with a clock ahead goes on when it is set right", "[escrow]") {
  SiteOffice site;
  const UnixMillis right = site.clock.now();
  site.clock.set(right + 25 * kDayMillis);
  RingFile before = site.published(must(site.escrow().roll()).ring);
  site.clock.set(right + kDayMillis);
  CHECK_FAILS_WITH(site.escrow().roll(), ErrorCode::kRefused);
  must(site.retention().accept_clock());
  const RollReport rolled = must(site.escrow().roll());
  const RingFile ring = site.published(rolled.ring);
  must(follows(ring, before));
  check_covered(ring, site.clock.now(), 14 * kDayMillis);
}

// Stops at every point of a roll that there is, as if killed there. Whatever was destroyed is in
// the receipt of the next roll, and nothing else is.
TEST_CASE("a roll that is interrupted anywhere is finished by the next", "[escrow]") {
  SiteOffice site;
  site.pass(13 * kDayMillis);
  must(site.escrow().roll());
  RingFile before = site.file();
  int points = 0;
  for (bool whole = false; !whole; ++points) {
    site.pass(kDayMillis);
    std::string where;
    {
      const FailpointHook hook(
          failpoint::at_nth(points + 1, [&](std::string_view point) -> Result<void> {
            where = point;
            return Error(ErrorCode::kInternal, "killed here");
          }));
      const auto rolled = site.escrow().roll();
      whole = where.empty();
      CHECK((rolled.ok() || !whole));
      // No receipt names what is not finished.
      site.core.reset();
    }
    INFO("interrupted at " << where);
    site.core = must(site.open());
    for (const DestroyedEpoch& epoch : must(site_receipt(*site.core)).destroyed)
      CHECK(site.key_of(epoch.epoch) == "erased");
    const RollReport rolled = must(site.escrow().roll());
    const RingFile ring = site.published(rolled.ring);
    must(follows(ring, before));
    const std::set<EpochId> gone = ids_in(site.receipted(rolled.ring));
    CHECK(gone.size() == static_cast<std::size_t>(points + 1));
    for (const RingEpoch& epoch : before.epochs) {
      const bool expired = epoch.expires <= site.clock.now();
      CHECK(site.key_of(epoch.public_key.id) == (expired ? "erased" : "lives"));
      CHECK(gone.contains(epoch.public_key.id) == expired);
    }
    check_covered(ring, site.clock.now(), 14 * kDayMillis);
    before = ring;
  }
  CHECK(points > 12);
}

TEST_CASE("no receipt names an epoch whose destruction is not finished", "[escrow]") {
  SiteOffice site;
  site.pass(14 * kDayMillis);
  at("change/before-t3", {}, true);
  CHECK_FALSE(site.escrow().roll().ok());
  failpoint::install({});
  RingStep step;
  must(site.core->update(
      [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        QUIETUS_TRY_AS(step, settle_ring(writer, scopes, root, site.clock.now()));
        return {};
      }));
  CHECK(step.unfinished == 1);
  CHECK(step.destroyed.empty());
  CHECK(must(site_receipt(*site.core)).destroyed.empty());
  CHECK(must(site.escrow().roll()).destroyed.size() == 1);
  CHECK(must(site_receipt(*site.core)).destroyed.size() == 1);
}

TEST_CASE("a receipt has room for the newest epochs, and no more are remembered", "[escrow]") {
  SiteOffice site;
  constexpr std::size_t kMany = kMaxRingEpochs + 10;
  const UnixMillis past = site.clock.now() - 5000 * kDayMillis;
  std::vector<EpochId> made;
  must(site.core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    made.clear();
    for (std::size_t i = 0; i < kMany; ++i) {
      EpochRow row;
      row.epoch = old_epoch(past + static_cast<UnixMillis>(i) * kDayMillis);
      row.destroyed = row.epoch.expires;
      made.push_back(row.epoch.public_key.id);
      QUIETUS_TRY(rows::put_epoch(writer, scopes.seal(), row));
    }
    return {};
  }));
  CHECK(must(site_receipt(*site.core)).destroyed.size() == kMaxRingEpochs);
  site.pass(14 * kDayMillis);
  const RollReport rolled = must(site.escrow().roll());
  const std::set<EpochId> named = ids_in(site.receipted(rolled.ring));
  CHECK(named.size() == kMaxRingEpochs);
  CHECK_FALSE(named.contains(made[10]));
  CHECK(named.contains(made[11]));
  CHECK(site.key_of(made[10]) == "not found");
  CHECK(site.key_of(made[11]) == "erased");
  CHECK(rolled.ring.epochs.size() == kMaxRingEpochs + 27 + 14);
}

TEST_CASE("two who roll at once destroy and receipt everything once", "[escrow][concurrent]") {
  SiteOffice site;
  const RingFile first = site.file();
  site.pass(20 * kDayMillis);
  std::vector<std::thread> rollers;
  std::atomic<int> failed{0};
  for (int i = 0; i < 3; ++i)
    rollers.emplace_back([&] {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
      while (std::chrono::steady_clock::now() < deadline) {
        const auto rolled = site.escrow().roll();
        if (rolled) return;
        // The other is in the middle of it: roll again, both say.
        const ErrorCode code = rolled.error().code();
        if (code != ErrorCode::kBusy && code != ErrorCode::kErasureIncomplete) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      ++failed;
    });
  for (std::thread& roller : rollers) roller.join();
  CHECK(failed == 0);
  const RingReceipt receipt = must(site_receipt(*site.core));
  CHECK(receipt.destroyed.size() == 7);
  CHECK(ids_in(receipt).size() == 7);
  must(follows(site.file(), first));
  check_covered(site.file(), site.clock.now(), 14 * kDayMillis);
}

}  // namespace
}  // namespace quietus::test
