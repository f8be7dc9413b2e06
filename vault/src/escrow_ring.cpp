#include "escrow_ring.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "keys/batch_rows.hpp"
#include "keys/instances.hpp"
#include "keys/key_store.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_state.hpp"
#include "keys/snapshots.hpp"

namespace quietus {
namespace {

constexpr UnixMillis kSecond = 1000;

UnixMillis to_second(UnixMillis time) {
  return time - time % kSecond;
}

// What the first file that named it promised, whatever was brought forward since.
UnixMillis promised_expiry(const RingRow& ring, const EpochRow& row) {
  return row.epoch.opens + ring.life;
}

bool in_file(const RingRow& ring, const EpochRow& row) {
  return row.destroyed == 0 || promised_expiry(ring, row) > ring.issued;
}

DestroyedEpoch receipted(const EpochRow& row) {
  return {row.epoch.public_key.id, row.destroyed, row.erasure, row.complete};
}

// Whether the site's own certificate for it would say so; of an erasure of many scopes it is drawn
// later, from these facts.
Result<bool> is_complete(ControlReader& reader, const RowSeal& seal, const ErasureId& erasure) {
  QUIETUS_TRY_AS(const auto id, rows::certificate_of(reader, seal, erasure));
  if (id) {
    QUIETUS_TRY_AS(const auto row, rows::certificate_row(reader, seal, *id));
    return row && row->status == CertificateStatus::kComplete;
  }
  QUIETUS_TRY_AS(const auto batch, rows::batch(reader, seal, erasure));
  if (!batch) return false;
  bool alone = true;
  QUIETUS_TRY_AS(const auto others, rows::instances(reader, seal, [&] { alone = false; }));
  QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(reader, seal));
  return alone && others.empty() && snapshots.empty() && batch->assurance.known &&
         std::ranges::all_of(batch->intent.destroyed, &SlotDestruction::complete);
}

// One step of a ring, from the rows as a transaction shows them to the rows that it writes.
class Settling {
 public:
  Settling(ControlWriter& writer, ScopeTable& scopes, RootRow& root, UnixMillis now)
      : writer_(writer), scopes_(scopes), root_(root), seal_(scopes.seal()), now_(now) {}

  Result<RingStep> run(SiteRing ring) {
    ring_ = std::move(ring);
    const RingFile before = ring_file_of(seal_.vault, ring_);
    const bool first = ring_.row.issued == 0;
    issued_ = std::max(to_second(now_), ring_.row.issued + kSecond);
    QUIETUS_TRY(note_destroyed());
    QUIETUS_TRY(note_opened());
    end_destroyed();
    QUIETUS_TRY(make_epochs());
    if (!step_.issued) return step_;
    ring_.row.issued = issued_;
    // The promises of the file that stands are kept, or nothing is written.
    if (!first) {
      const auto kept = follows(ring_file_of(seal_.vault, ring_), before);
      if (!kept) return Error(ErrorCode::kInternal, kept.error().context());
    }
    QUIETUS_TRY(write());
    return step_;
  }

 private:
  Result<void> note_destroyed() {
    for (EpochRow& row : ring_.epochs) {
      if (row.destroyed != 0) continue;
      QUIETUS_TRY_AS(const auto burial, burial_of(writer_, seal_, root_, row.epoch));
      if (!burial) continue;
      if (!burial->finished) {
        ++step_.unfinished;
        continue;
      }
      row.destroyed = to_second(std::max(now_, burial->erased));
      row.erasure = burial->erasure;
      QUIETUS_TRY_AS(row.complete, is_complete(writer_, seal_, burial->erasure));
      issued_ = std::max(issued_, row.destroyed);
      step_.destroyed.push_back(row);
      touch(row);
    }
    return {};
  }

  // What was opened since the receipt that stands. A clock that was ahead then moves no date of the
  // ring: it was not later than now.
  Result<void> note_opened() {
    for (OpeningRow& row : ring_.openings) {
      if (row.time <= ring_.row.issued) continue;
      row.time = std::min(row.time, issued_);
      QUIETUS_TRY(rows::put_opening(writer_, seal_, row));
      step_.issued = true;
    }
    return {};
  }

  // One that is destroyed before its time closes, at the earliest a second after it opened. Nobody
  // can have sealed to one that is not open yet; it is ended when it opens.
  void end_destroyed() {
    for (EpochRow& row : ring_.epochs) {
      RingEpoch& epoch = row.epoch;
      if (row.destroyed == 0 || epoch.opens > now_) continue;
      const UnixMillis end = std::max(row.destroyed, epoch.opens + kSecond);
      if (epoch.expires <= end) continue;
      epoch.closes = std::min(epoch.closes, end);
      epoch.expires = end;
      issued_ = std::max(issued_, end);
      touch(row);
    }
  }

  // So that at any time from now on one is open. With what is there, vaults can seal for a life
  // without a new file; when that is no longer so, or a new file is issued in any case, for two.
  Result<void> make_epochs() {
    QUIETUS_TRY_AS(const auto tenant, escrow_tenant());
    if (!tenant) return {};
    RingRow as_issued = ring_.row;
    as_issued.issued = issued_;
    UnixMillis from = to_second(now_);
    std::vector<std::pair<UnixMillis, UnixMillis>> gaps;
    for (const EpochRow& row : ring_.epochs) {
      if (!in_file(as_issued, row) || row.epoch.closes <= from) continue;
      if (row.epoch.opens > from) gaps.emplace_back(from, row.epoch.opens);
      from = row.epoch.closes;
    }
    for (const auto& [begin, end] : gaps) QUIETUS_TRY(fill_gap(*tenant, begin, end));
    const UnixMillis now = to_second(now_);
    if (from >= now + ring_.row.life && !step_.issued) return {};
    for (; from < now + 2 * ring_.row.life; from += ring_.row.epoch)
      QUIETUS_TRY(make_epoch(*tenant, from, from + ring_.row.epoch));
    return {};
  }

  // None when it was erased: then the ring has no new epochs, for ever.
  Result<std::optional<ScopeId>> escrow_tenant() {
    auto tenant = scopes_.child(writer_, kVaultScope, kEscrowTenant);
    if (!tenant && tenant.error().code() == ErrorCode::kErased) return std::optional<ScopeId>();
    return tenant;
  }

  Result<void> fill_gap(ScopeId tenant, UnixMillis begin, UnixMillis end) {
    while (begin < end) {
      const UnixMillis closes = std::min(begin + ring_.row.epoch, end);
      QUIETUS_TRY(make_epoch(tenant, begin, closes));
      begin = closes;
    }
    return {};
  }

  Result<void> make_epoch(ScopeId tenant, UnixMillis opens, UnixMillis closes) {
    EpochRow row;
    EpochPublicKey& key = row.epoch.public_key;
    random_bytes(key.id);
    ScopeTable::NewScope scope;
    scope.parent = tenant;
    scope.name = to_hex(key.id);
    scope.data_class = kEpochClass;
    QUIETUS_TRY_AS(scope.now, rows::no_earlier_than_accepted(writer_, seal_, now_));
    QUIETUS_TRY_AS(row.epoch.scope, scopes_.create(writer_, root_, scope));
    // A sweep that would end its parent does not know of it.
    QUIETUS_TRY(give_up_begun(writer_, scopes_, root_, {row.epoch.scope, "postponed", now_, true}));
    QUIETUS_TRY_AS(const LastingKey lasting, scopes_.first_lasting_key(writer_, row.epoch.scope));
    key.key = epoch_public_key(epoch_key_of(lasting, key.id));
    row.epoch.opens = opens;
    row.epoch.closes = closes;
    row.epoch.expires = opens + ring_.row.life;
    ring_.epochs.push_back(row);
    ++step_.made;
    touch(row);
    return {};
  }

  void touch(const EpochRow& row) {
    changed_.push_back(row.epoch.public_key.id);
    step_.issued = true;
  }

  Result<void> write() {
    for (const EpochRow& row : ring_.epochs)
      if (std::ranges::find(changed_, row.epoch.public_key.id) != changed_.end())
        QUIETUS_TRY(rows::put_epoch(writer_, seal_, row));
    QUIETUS_TRY(forget_oldest());
    return rows::put_ring(writer_, seal_, ring_.row);
  }

  // Of those that no file names any more, as many as no receipt has room for.
  Result<void> forget_oldest() {
    std::vector<DestroyedEpoch> destroyed;
    for (const EpochRow& row : ring_.epochs)
      if (row.destroyed != 0) destroyed.push_back(receipted(row));
    if (destroyed.size() <= kMaxRingEpochs) return {};
    std::ranges::sort(destroyed, [](const DestroyedEpoch& a, const DestroyedEpoch& b) {
      return comes_before(a, b);
    });
    destroyed.resize(destroyed.size() - kMaxRingEpochs);
    for (const EpochRow& row : ring_.epochs) {
      const bool oldest = std::ranges::find(destroyed, receipted(row)) != destroyed.end();
      if (!oldest || in_file(ring_.row, row)) continue;
      QUIETUS_TRY(rows::remove_epoch(writer_, row.epoch.public_key.id));
    }
    return {};
  }

  ControlWriter& writer_;
  ScopeTable& scopes_;
  RootRow& root_;
  RowSeal seal_;
  UnixMillis now_;
  UnixMillis issued_ = 0;
  SiteRing ring_;
  std::vector<EpochId> changed_;
  RingStep step_;
};

}  // namespace

Result<SiteRing> load_ring(ControlReader& reader, const RowSeal& seal) {
  SiteRing ring;
  QUIETUS_TRY_AS(const auto row, rows::ring(reader, seal));
  if (!row)
    return Error(ErrorCode::kNotFound,
                 "this vault has no escrow ring; it is not a recovery site (`escrow init`)");
  ring.row = *row;
  QUIETUS_TRY_AS(ring.epochs, rows::epochs(reader, seal));
  QUIETUS_TRY_AS(ring.openings, rows::openings(reader, seal));
  return ring;
}

RingFile ring_file_of(const VaultId& site, const SiteRing& ring) {
  RingFile file{site, ring.row.ring, ring.row.issued, {}};
  for (const EpochRow& row : ring.epochs)
    if (in_file(ring.row, row)) file.epochs.push_back(row.epoch);
  std::ranges::sort(file.epochs, {}, &RingEpoch::opens);
  // A ring that came to its end still has a file.
  if (file.epochs.empty() && !ring.epochs.empty()) file.epochs.push_back(ring.epochs.back().epoch);
  return file;
}

RingReceipt receipt_of(const VaultId& site, const SiteRing& ring) {
  RingReceipt receipt{site, ring.row.ring, ring.row.issued, {}, {}};
  for (const EpochRow& row : ring.epochs)
    if (row.destroyed != 0) receipt.destroyed.push_back(receipted(row));
  std::ranges::sort(receipt.destroyed, [](const DestroyedEpoch& a, const DestroyedEpoch& b) {
    return comes_before(a, b);
  });
  if (receipt.destroyed.size() > kMaxRingEpochs)
    receipt.destroyed.erase(receipt.destroyed.begin(), receipt.destroyed.end() - kMaxRingEpochs);
  for (const OpeningRow& row : ring.openings)
    if (row.time <= ring.row.issued)
      receipt.opened.push_back({row.epoch, row.vault, row.instance, row.time});
  std::ranges::sort(receipt.opened,
                    [](const OpenedEpoch& a, const OpenedEpoch& b) { return comes_before(a, b); });
  if (receipt.opened.size() > kMaxRingEpochs)
    receipt.opened.erase(receipt.opened.begin(), receipt.opened.end() - kMaxRingEpochs);
  return receipt;
}

Result<std::optional<EpochBurial>> burial_of(ControlReader& reader, const RowSeal& seal,
                                             const RootRow& root, const RingEpoch& epoch) {
  QUIETUS_TRY_AS(auto tombstone, rows::tombstone(reader, seal, epoch.scope));
  if (!tombstone) {
    // With all of the ring, by somebody who erased the tenant.
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, epoch.scope));
    if (!row) return Error(ErrorCode::kCorrupt, "ring: the scope of an epoch is missing");
    QUIETUS_TRY_AS(tombstone, rows::tombstone(reader, seal, row->parent));
  }
  if (!tombstone) return std::optional<EpochBurial>();
  QUIETUS_TRY_AS(const auto pending, KeyStore::pending_in(reader, seal, root));
  const bool finished = std::ranges::none_of(
      pending, [&](const Intent& intent) { return intent.id == tombstone->erasure; });
  return std::optional(EpochBurial{tombstone->erasure, tombstone->erased, finished});
}

Result<RingStep> begin_ring(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                            const RingRow& lengths, UnixMillis now) {
  const RowSeal seal = scopes.seal();
  QUIETUS_TRY_AS(const auto there, rows::ring(writer, seal));
  if (there) return Error(ErrorCode::kAlreadyExists, "the vault has an escrow ring already");
  QUIETUS_TRY_AS(const auto others, rows::children(writer, seal, kVaultScope));
  if (!others.empty())
    return Error(ErrorCode::kRefused,
                 "a recovery site is a vault of its own; this one has tenants already");
  ScopeTable::NewScope tenant;
  tenant.name = kEscrowTenant;
  QUIETUS_TRY_AS(tenant.now, rows::no_earlier_than_accepted(writer, seal, now));
  QUIETUS_TRY(scopes.create(writer, root, tenant));
  SiteRing ring{lengths, {}, {}};
  random_bytes(ring.row.ring);
  ring.row.issued = 0;
  return Settling(writer, scopes, root, now).run(std::move(ring));
}

Result<RingStep> settle_ring(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                             UnixMillis now) {
  QUIETUS_TRY_AS(SiteRing ring, load_ring(writer, scopes.seal()));
  return Settling(writer, scopes, root, now).run(std::move(ring));
}

}  // namespace quietus
