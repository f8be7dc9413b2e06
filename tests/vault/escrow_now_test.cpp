// What comes between a recovery site and its calendar: an end that is brought forward, holds, keys
// that were erased or replaced by hand.
#include <catch2/catch.hpp>

#include "escrow_ring.hpp"
#include "support/escrow_office.hpp"

namespace quietus::test {
namespace {

std::string name_in(const RingEpoch& epoch) {
  return to_hex(epoch.public_key.id);
}

const RingEpoch* epoch_in(const RingFile& ring, const EpochId& id) {
  const auto found = std::ranges::find_if(
      ring.epochs, [&](const RingEpoch& epoch) { return epoch.public_key.id == id; });
  return found == ring.epochs.end() ? nullptr : &*found;
}

bool names(const RingReceipt& receipt, const EpochId& id) {
  return std::ranges::any_of(receipt.destroyed,
                             [&](const DestroyedEpoch& epoch) { return epoch.epoch == id; });
}

TEST_CASE("the open epoch is ended now, and another opens in its place", "[escrow]") {
  SiteOffice site;
  site.pass(kDayMillis + kDayMillis / 2);  // the middle of the second
  const RingFile before = site.file();
  const RingEpoch was = site.open_epoch();
  CHECK(was == before.epochs[1]);
  const SealedSnapshot lost = snapshot_for(was);
  const SealedSnapshot kept = snapshot_for(before.epochs[0]);
  CHECK(opens(*site.core, lost));

  const RollReport rolled = must(site.escrow().roll_now(name_in(was)));
  CHECK_FALSE(opens(*site.core, lost));
  CHECK(site.key_of(was.public_key.id) == "erased");
  CHECK(opens(*site.core, kept));
  const RingFile ring = site.published(rolled.ring);
  must(follows(ring, before));
  const RingEpoch* ended = epoch_in(ring, was.public_key.id);
  REQUIRE(ended != nullptr);
  CHECK(ended->closes == site.clock.now());
  CHECK(ended->expires == site.clock.now());
  CHECK(ring.issued >= ended->expires);
  const RingEpoch next = site.open_epoch();
  CHECK(next.public_key.id != was.public_key.id);
  CHECK(next.opens == site.clock.now());
  CHECK(next.closes == was.closes);
  CHECK(next.expires == next.opens + 14 * kDayMillis);
  CHECK(opens(*site.core, snapshot_for(next)));
  CHECK(rolled.destroyed.size() == 1);
  const RingReceipt receipt = site.receipted(rolled.ring);
  CHECK(receipt.destroyed.size() == 1);
  CHECK(names(receipt, was.public_key.id));

  CHECK_FAILS_WITH(site.escrow().roll_now(name_in(was)), ErrorCode::kErased);
  CHECK_FALSE(must(site.escrow().roll()).issued);
  // It stays in the file for as long as the file before promised.
  site.pass(13 * kDayMillis);
  RollReport later = must(site.escrow().roll());
  CHECK(epoch_in(site.published(later.ring), was.public_key.id) != nullptr);
  site.pass(kDayMillis);
  later = must(site.escrow().roll());
  CHECK(epoch_in(site.published(later.ring), was.public_key.id) == nullptr);
  must(follows(site.published(later.ring), before));
  CHECK(names(site.receipted(later.ring), was.public_key.id));
}

TEST_CASE("a closed epoch is ended now, and what is due along with it", "[escrow]") {
  SiteOffice site;
  const RingFile before = site.file();
  site.pass(14 * kDayMillis);
  const RingEpoch closed = before.epochs[5];
  const RollReport rolled = must(site.escrow().roll_now(name_in(closed)));
  CHECK(rolled.destroyed.size() == 2);
  const RingFile ring = site.published(rolled.ring);
  must(follows(ring, before));
  const RingEpoch* ended = epoch_in(ring, closed.public_key.id);
  REQUIRE(ended != nullptr);
  CHECK(ended->closes == closed.closes);
  CHECK(ended->expires == site.clock.now());
  const RingReceipt receipt = site.receipted(rolled.ring);
  CHECK(names(receipt, closed.public_key.id));
  CHECK(names(receipt, before.epochs[0].public_key.id));
  CHECK(receipt.destroyed[0].erasure == receipt.destroyed[1].erasure);
  // Each has its certificate at the site.
  for (const RingEpoch& epoch : {closed, before.epochs[0]})
    CHECK_FALSE(must(site.vault().certificate_of(hex_id(epoch.scope))).empty());
}

TEST_CASE("what cannot be ended now", "[escrow]") {
  SiteOffice site;
  const RingFile ring = site.file();
  CHECK_FAILS_WITH(site.escrow().roll_now(name_in(ring.epochs[3])), ErrorCode::kRefused);
  CHECK_FAILS_WITH(site.escrow().roll_now(std::string(32, '0')), ErrorCode::kNotFound);
  for (const char* wrong : {"", "00", "zz", "escrow"})
    CHECK_FAILS_WITH(site.escrow().roll_now(wrong), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(site.escrow().roll_now(std::string(64, '0')), ErrorCode::kInvalidArgument);
  for (const RingEpoch& epoch : ring.epochs) CHECK(site.key_of(epoch.public_key.id) == "lives");
  CHECK(site.file() == ring);
}

TEST_CASE("an epoch is ended in the second in which it opened", "[escrow]") {
  SiteOffice site;
  const RingFile before = site.file();
  const RollReport rolled = must(site.escrow().roll_now(name_in(before.epochs[0])));
  const RingFile ring = site.published(rolled.ring);
  must(follows(ring, before));
  const RingEpoch* ended = epoch_in(ring, before.epochs[0].public_key.id);
  REQUIRE(ended != nullptr);
  CHECK(ended->closes == ended->opens + 1000);
  site.pass(1000);
  CHECK(site.key_of(site.open_epoch().public_key.id) == "lives");
}

TEST_CASE("an end that was interrupted is finished by any roll", "[escrow]") {
  for (const bool by_name : {false, true}) {
    INFO(by_name);
    SiteOffice site;
    site.pass(kDayMillis / 2);
    const RingFile before = site.file();
    const RingEpoch was = site.open_epoch();
    at("escrow/destroyed", {}, true);
    CHECK_FALSE(site.escrow().roll_now(name_in(was)).ok());
    failpoint::install({});
    CHECK(site.key_of(was.public_key.id) == "erased");
    CHECK(must(site_receipt(*site.core)).destroyed.empty());
    site.reopen();
    site.pass(60'000);
    const auto rolled = must(by_name ? site.escrow().roll_now(name_in(was)) : site.escrow().roll());
    CHECK(names(site.receipted(rolled.ring), was.public_key.id));
    must(follows(site.published(rolled.ring), before));
    CHECK(site.key_of(site.open_epoch().public_key.id) == "lives");
  }
}

TEST_CASE("an epoch that was erased by hand is receipted, and replaced", "[escrow]") {
  SiteOffice site;
  const RingFile before = site.file();
  const std::string open[] = {"escrow/" + name_in(before.epochs[0])};
  const std::string upcoming[] = {"escrow/" + name_in(before.epochs[4])};
  site.pass(3'600'000);
  must(site.vault().erase(open, "test"));
  must(site.vault().erase(upcoming, "test"));
  RollReport rolled = must(site.escrow().roll());
  CHECK(rolled.destroyed.size() == 2);
  RingFile ring = site.published(rolled.ring);
  must(follows(ring, before));
  CHECK(site.key_of(site.open_epoch().public_key.id) == "lives");
  // Nothing in the file may end before it begins: it ends when it opens.
  CHECK(*epoch_in(ring, before.epochs[4].public_key.id) == before.epochs[4]);
  site.pass(4 * kDayMillis);
  const RingFile last = ring;
  rolled = must(site.escrow().roll());
  ring = site.published(rolled.ring);
  must(follows(ring, last));
  CHECK(epoch_in(ring, before.epochs[4].public_key.id)->closes == before.epochs[4].opens + 1000);
  CHECK(site.key_of(site.open_epoch().public_key.id) == "lives");
}

TEST_CASE("a ring whose scopes were all erased by hand still has receipts", "[escrow]") {
  SiteOffice site;
  const RingFile before = site.file();
  site.pass(kDayMillis / 2);
  const std::string all[] = {std::string(kEscrowTenant)};
  must(site.vault().erase(all, "test"));
  RollReport rolled = must(site.escrow().roll());
  CHECK(rolled.destroyed.size() == 28);
  CHECK(rolled.made == 0);
  must(follows(site.published(rolled.ring), before));
  for (const RingEpoch& epoch : before.epochs) CHECK(site.key_of(epoch.public_key.id) == "erased");
  for (int week = 0; week < 9; ++week) {
    site.pass(7 * kDayMillis);
    rolled = must(site.escrow().roll());
    CHECK(site.receipted(rolled.ring).destroyed.size() == 28);
    must(follows(site.published(rolled.ring), before));
  }
}

TEST_CASE("a legal hold keeps an expired epoch, and not the others", "[escrow]") {
  SiteOffice site;
  const RingFile before = site.file();
  const RingEpoch& held = before.epochs[0];
  const HoldInfo placed =
      must(site.lifecycle().place_hold("escrow/" + name_in(held), "litigation"));
  site.pass(15 * kDayMillis);
  RollReport rolled = must(site.escrow().roll());
  CHECK(rolled.held == std::vector<std::string>{name_in(held)});
  CHECK(rolled.destroyed.size() == 1);
  CHECK(site.key_of(held.public_key.id) == "lives");
  // As long as the key lives, the file names the epoch.
  CHECK(epoch_in(site.published(rolled.ring), held.public_key.id) != nullptr);
  CHECK_FAILS_WITH(site.escrow().roll_now(name_in(held)), ErrorCode::kHeld);
  must(site.lifecycle().release_hold(placed.id));
  rolled = must(site.escrow().roll());
  CHECK(rolled.held.empty());
  CHECK(names(site.receipted(rolled.ring), held.public_key.id));
  CHECK(site.key_of(held.public_key.id) == "erased");
}

TEST_CASE("an epoch's key outlives a purge of its scope, and not its suspension", "[escrow]") {
  SiteOffice site;
  const RingEpoch epoch = site.open_epoch();
  const SealedSnapshot snapshot = snapshot_for(epoch);
  must(site.lifecycle().purge("escrow/" + name_in(epoch), "incident"));
  must(site.lifecycle().purge("escrow", "incident"));
  CHECK(opens(*site.core, snapshot));
  must(site.lifecycle().suspend("escrow/" + name_in(epoch), "incident"));
  CHECK(site.key_of(epoch.public_key.id) == "restricted");
  site.pass(14 * kDayMillis);
  must(site.escrow().roll());
  CHECK(site.key_of(epoch.public_key.id) == "erased");
}

TEST_CASE("a site that is open for reading shows its ring and rolls nothing", "[escrow]") {
  SiteOffice site;
  const RingInfo before = must(site.escrow().ring());
  site.pass(14 * kDayMillis);
  site.core.reset();
  OpenOptions reading;
  reading.read_only = true;
  site.core = must(VaultCore::open(site.place.vault(), site.place.unlock(), reading,
                                   {posix_file_system(), site.clock}));
  const RingInfo shown = must(site.escrow().ring());
  CHECK(shown.ring_file == before.ring_file);
  CHECK(shown.epochs[0].state == EpochState::kOverdue);
  CHECK_FAILS_WITH(site.escrow().roll(), ErrorCode::kRefused);
  CHECK_FAILS_WITH(site.escrow().init(), ErrorCode::kRefused);
  CHECK(site.key_of(site.file().epochs[0].public_key.id) == "lives");
}

TEST_CASE("a damaged row of a ring is told, and destroys nothing", "[escrow]") {
  SiteOffice site;
  const EpochId id = site.file().epochs[3].public_key.id;
  site.change_row(ByteWriter().u8('e').raw(id).view());
  site.pass(14 * kDayMillis);
  CHECK_FAILS_WITH(site.escrow().roll(), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(site.escrow().ring(), ErrorCode::kCorrupt);
  CHECK(must(site.vault().check()).damages.size() == 1);
}

}  // namespace
}  // namespace quietus::test
