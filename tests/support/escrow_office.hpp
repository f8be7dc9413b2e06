// A recovery site with a clock that is set by hand, and what vaults would do with its files.
#pragma once

#include <algorithm>
#include <map>

#include "base/text_encoding.hpp"
#include "escrow_site.hpp"
#include "support/retention_office.hpp"

namespace quietus::test {

struct SiteOffice : Office {
  explicit SiteOffice(const RingOptions& options = {}) : Office(nullptr) {
    must(escrow().init(options));
  }

  Escrow escrow() const { return vault().escrow(); }
  RingFile file() const { return must(site_ring_file(*core)); }
  NoteKey key() const { return must(site_note_key(*core)); }
  void pass(UnixMillis time) { clock.set(clock.now() + time); }

  // The ring file and the receipt as a vault gets them.
  RingFile published(const RingInfo& ring) const { return must(open_ring(ring.ring_file, key())); }
  RingReceipt receipted(const RingInfo& ring) const {
    return must(open_receipt(ring.receipt, key()));
  }

  // "lives", or the code of the error.
  std::string key_of(const EpochId& id) const {
    const auto found = epoch_private_key(*core, id);
    return found ? "lives" : std::string(name_of(found.error().code()));
  }
  RingEpoch open_epoch() const {
    const RingFile ring = file();
    const RingEpoch* found = epoch_for_sealing(ring, clock.now());
    REQUIRE(found != nullptr);
    return *found;
  }
};

// A root key that was sealed to an epoch: what a key snapshot comes down to.
struct SealedSnapshot {
  EpochPublicKey epoch;
  UnixMillis expires = 0;
  Bytes sealed;
};

inline SealedSnapshot snapshot_for(const RingEpoch& epoch) {
  const auto context = openssl_engine().make_context();
  const RootKey root = RootKey::make([](MutableBytes out) { std::ranges::fill(out, 0x77); });
  return {epoch.public_key, epoch.expires,
          must(seal_to_epoch(*context, epoch.public_key, {}, root))};
}

inline bool opens(VaultCore& site, const SealedSnapshot& snapshot) {
  const auto key = epoch_private_key(site, snapshot.epoch.id);
  if (!key) return false;
  const auto context = openssl_engine().make_context();
  return open_with_epoch(*context, snapshot.epoch.id, *key, {}, snapshot.sealed).ok();
}

}  // namespace quietus::test
