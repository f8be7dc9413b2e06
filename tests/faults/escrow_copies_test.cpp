// The time machine, at a recovery site: whoever kept every version of the site's files from the
// first day on, and has the key file and the root slots that are left, derives no private key of an
// epoch that was destroyed.
#include <catch2/catch.hpp>

#include "evidence/ring_receipt.hpp"
#include "faults/adversary_keys.hpp"
#include "faults/file_bytes.hpp"
#include "keys/unlock.hpp"
#include "support/escrow_office.hpp"

namespace quietus::test {
namespace {

// Everything that lies at the site now, for good.
void steal(const SiteOffice& site, Loot& loot, std::set<StolenSlot>& slots) {
  loot.control.add(0, bytes_of_file(site.place.vault() / "control.mdb"));
  loot.records.add(0, bytes_of_file(site.place.vault() / "records.mdb"));
  for (const auto& file : files_below(site.place.roots()))
    if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
      slots.insert(std::move(*slot));
}

// Which of the epochs' private keys can be made of anything that the adversary knows.
std::set<EpochId> derived_by(const Adversary& adversary, const std::vector<RingEpoch>& epochs) {
  std::set<EpochId> found;
  for (const RingEpoch& epoch : epochs)
    for (const RawKey& secret : adversary.all_secrets()) {
      const EpochPrivateKey key = epoch_key_of(made<LastingKey>(secret), epoch.public_key.id);
      if (epoch_public_key(key) == epoch.public_key.key) found.insert(epoch.public_key.id);
    }
  return found;
}

TEST_CASE("no version of a site's files brings back the key of a destroyed epoch") {
  SiteOffice site({"1d", "3d"});
  std::map<EpochId, RingEpoch> epochs;
  Loot loot;
  loot.vault = site.core->header.vault;
  loot.secrets = {must(load_secret(posix_file_system(), site.place.unlock()))};
  std::set<StolenSlot> ever;
  for (int day = 0; day < 6; ++day) {
    for (const RingEpoch& epoch : site.file().epochs) epochs[epoch.public_key.id] = epoch;
    steal(site, loot, ever);
    site.pass(kDayMillis);
    must(site.escrow().roll());
  }
  must(site.escrow().roll_now(to_hex(site.open_epoch().public_key.id)));
  for (const RingEpoch& epoch : site.file().epochs) epochs[epoch.public_key.id] = epoch;
  std::set<StolenSlot> left;
  steal(site, loot, left);
  std::set<EpochId> destroyed;
  for (const DestroyedEpoch& epoch : must(site_receipt(*site.core)).destroyed)
    destroyed.insert(epoch.epoch);
  REQUIRE(destroyed.size() == 5);
  std::vector<RingEpoch> all;
  std::set<EpochId> living;
  for (const auto& [id, epoch] : epochs) {
    all.push_back(epoch);
    if (!destroyed.contains(id)) living.insert(id);
  }

  loot.slots = left;
  CHECK((derived_by(Adversary(loot), all) == living));

  // The test can fail: with the slots that were destroyed, all of them are derived.
  loot.slots.insert(ever.begin(), ever.end());
  const std::set<EpochId> with_all = derived_by(Adversary(loot), all);
  CHECK(with_all.size() == all.size());
}

}  // namespace
}  // namespace quietus::test
