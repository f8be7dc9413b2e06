// The recovery site's half of the escrow ring: making it, rolling it, showing it.
#include <quietus/vault.hpp>

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "erase_scopes.hpp"
#include "escrow_ring.hpp"
#include "governance/accepted_time.hpp"
#include "governance/calendar.hpp"
#include "keys/holds.hpp"

namespace quietus {
namespace {

constexpr int kMaxRollTries = 3;
constexpr UnixMillis kMaxRingLife = UnixMillis{3660} * kDayMillis;

EpochState state_of(const EpochRow& row, UnixMillis now) {
  if (row.destroyed != 0) return EpochState::kDestroyed;
  if (row.epoch.expires <= now) return EpochState::kOverdue;
  if (row.epoch.closes <= now) return EpochState::kClosed;
  return row.epoch.opens <= now ? EpochState::kOpen : EpochState::kUpcoming;
}

EpochInfo epoch_info(const EpochRow& row, UnixMillis now) {
  EpochInfo info;
  info.id = to_hex(row.epoch.public_key.id);
  info.opens_unix_ms = row.epoch.opens;
  info.closes_unix_ms = row.epoch.closes;
  info.expires_unix_ms = row.epoch.expires;
  info.state = state_of(row, now);
  info.destroyed_unix_ms = row.destroyed;
  if (row.destroyed != 0) info.erasure_id = to_hex(row.erasure);
  return info;
}

// All of one snapshot: the files agree with each other.
Result<RingInfo> ring_info(VaultCore& core) {
  const UnixMillis now = core.environment.clock.now();
  const std::string origin = log_origin(core.header);
  RingInfo info;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        info = {};
        QUIETUS_TRY_AS(const SiteRing ring, load_ring(reader, scopes.seal()));
        QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), "log-key"));
        const VaultId& site = core.header.vault;
        info.ring_id = to_hex(ring.row.ring);
        info.site_id = to_hex(site);
        info.site_vkey = format_vkey({origin, ed25519_public_key(key)});
        info.issued_unix_ms = ring.row.issued;
        for (const EpochRow& row : ring.epochs) info.epochs.push_back(epoch_info(row, now));
        QUIETUS_TRY_AS(info.ring_file, sign_ring(ring_file_of(site, ring), origin, key));
        QUIETUS_TRY_AS(info.receipt, sign_receipt(receipt_of(site, ring), origin, key));
        return {};
      }));
  return info;
}

Result<UnixMillis> parse_days(const std::string& text) {
  const auto period = parse_period(text);
  if (!period || period->count == 0 || period->unit != Period::Unit::kDays)
    return Error(ErrorCode::kInvalidArgument,
                 "the length of an epoch, and its life, is a number of days or weeks: 1d, 2w");
  return static_cast<UnixMillis>(period->count) * kDayMillis;
}

Result<RingRow> parse_lengths(const RingOptions& options) {
  RingRow row;
  QUIETUS_TRY_AS(row.epoch, parse_days(options.epoch));
  QUIETUS_TRY_AS(row.life, parse_days(options.life));
  if (row.life < row.epoch)
    return Error(ErrorCode::kInvalidArgument, "an epoch cannot expire before it closes");
  if (row.life > kMaxRingLife || row.life > row.epoch * kMaxEpochsOfLife)
    return Error(ErrorCode::kInvalidArgument,
                 "the life of an epoch is at most 3660 days, and 512 times as long as it is open");
  return row;
}

// One roll. It may be begun again when somebody else decides something meanwhile.
class Roll {
 public:
  Roll(VaultCore& core, std::optional<EpochId> ended) : core_(core), ended_(ended) {}

  Result<RollReport> run() {
    QUIETUS_TRY(finish_pending());
    for (int tries = 1;; ++tries) {
      const Result<void> destroyed = destroy();
      if (destroyed) break;
      if (tries == kMaxRollTries || !came_between(destroyed.error().code()))
        return destroyed.error();
    }
    QUIETUS_FAILPOINT("escrow/destroyed");
    return settle();
  }

 private:
  // A hold was placed, or somebody else rolls.
  static bool came_between(ErrorCode code) {
    return code == ErrorCode::kBusy || code == ErrorCode::kErased || code == ErrorCode::kHeld;
  }

  // An erasure that is begun is no receipt's business before it is finished.
  Result<void> finish_pending() {
    QUIETUS_TRY_AS(const auto pending, core_.keys->pending());
    if (pending.empty()) return {};
    QUIETUS_TRY(core_.keys->recover(core_.options.acknowledgement_timeout));
    return {};
  }

  Result<void> destroy() {
    now_ = core_.environment.clock.now();
    QUIETUS_TRY(
        core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          QUIETUS_TRY(load_ring(writer, scopes.seal()));
          return accept_time(writer, scopes.seal(), now_);
        }));
    QUIETUS_TRY(plan());
    if (due_.empty()) return {};
    QUIETUS_FAILPOINT("escrow/before-erasure");
    // The last that is due: no clock that shows an earlier time decides.
    const auto guard = [this](ControlReader& reader, const RowSeal& seal, UnixMillis now,
                              RootChangeRequest::Moment) -> Result<void> {
      QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, seal));
      QUIETUS_TRY(check_clock(time, now));
      if (now < last_due_)
        return Error(ErrorCode::kBusy, "the clock was set back meanwhile; try again");
      return {};
    };
    QUIETUS_TRY(erase_scopes(core_, due_, guard));
    return {};
  }

  Result<void> plan() {
    return core_.read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
          due_.clear();
          held_.clear();
          last_due_ = 0;
          QUIETUS_TRY_AS(const SiteRing ring, load_ring(reader, scopes.seal()));
          bool known = false;
          for (const EpochRow& row : ring.epochs) {
            const bool named = ended_ == row.epoch.public_key.id;
            known = known || named;
            QUIETUS_TRY(plan_epoch({reader, scopes.seal()}, root, row, named));
          }
          if (ended_ && !known)
            return Error(ErrorCode::kNotFound, "no epoch of this ring: " + to_hex(*ended_));
          return {};
        });
  }

  struct Snapshot {
    ControlReader& reader;
    RowSeal seal;
  };

  Result<void> plan_epoch(const Snapshot& at, const RootRow& root, const EpochRow& row,
                          bool named) {
    const RingEpoch& epoch = row.epoch;
    if (!named && (row.destroyed != 0 || epoch.expires > now_)) return {};
    QUIETUS_TRY_AS(const auto burial, burial_of(at.reader, at.seal, root, epoch));
    if (row.destroyed != 0)
      return Error(ErrorCode::kErased, "the key of that epoch was destroyed before");
    if (burial) return {};  // by a run that was interrupted before it could say so
    if (epoch.opens > now_)
      return Error(ErrorCode::kRefused,
                   "that epoch has not opened; nothing is sealed to it, and vaults will go by it");
    const auto free = check_not_held(at.reader, at.seal, {epoch.scope});
    if (!free && free.error().code() == ErrorCode::kHeld && !named) {
      held_.push_back(to_hex(epoch.public_key.id));
      return {};
    }
    QUIETUS_TRY(free);
    if (!named) last_due_ = std::max(last_due_, epoch.expires);
    due_.push_back({epoch.scope, named ? "other" : "retention-expired"});
    return {};
  }

  // By the clock as it is after the destruction, unless it jumped meanwhile.
  Result<UnixMillis> time_of_receipt(ControlReader& reader, const RowSeal& seal) const {
    const UnixMillis now = core_.environment.clock.now();
    QUIETUS_TRY_AS(const TimeRow time, rows::time_row(reader, seal));
    return now < now_ || !check_clock(time, now) ? now_ : now;
  }

  Result<RollReport> settle() {
    RollReport report;
    RingStep step;
    QUIETUS_TRY(
        core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          QUIETUS_TRY_AS(const UnixMillis now, time_of_receipt(writer, scopes.seal()));
          QUIETUS_TRY_AS(step, settle_ring(writer, scopes, root, now));
          return {};
        }));
    QUIETUS_FAILPOINT("escrow/settled");
    if (step.unfinished > 0)
      return Error(ErrorCode::kErasureIncomplete,
                   "the destruction of a key is begun and recorded, and not finished; roll again");
    for (const EpochRow& row : step.destroyed) report.destroyed.push_back(epoch_info(row, now_));
    report.made = step.made;
    report.issued = step.issued;
    report.held = std::move(held_);
    QUIETUS_TRY_AS(report.ring, ring_info(core_));
    return report;
  }

  VaultCore& core_;
  std::optional<EpochId> ended_;  // before its time
  UnixMillis now_ = 0;
  UnixMillis last_due_ = 0;
  std::vector<DueErasure> due_;
  std::vector<std::string> held_;
};

}  // namespace

std::string_view name_of(EpochState state) noexcept {
  switch (state) {
    case EpochState::kUpcoming: return "upcoming";
    case EpochState::kOpen: return "open";
    case EpochState::kClosed: return "closed";
    case EpochState::kOverdue: return "overdue";
    case EpochState::kDestroyed: return "destroyed";
  }
  return "overdue";
}

Result<void> check_ring_options(const RingOptions& options) {
  QUIETUS_TRY(parse_lengths(options));
  return {};
}

Escrow Vault::escrow() {
  return Escrow(core_);
}

Result<RingInfo> Escrow::init(const RingOptions& options) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RingRow lengths, parse_lengths(options));
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        QUIETUS_TRY(accept_time(writer, scopes.seal(), now));
        QUIETUS_TRY(begin_ring(writer, scopes, root, lengths, now));
        return {};
      }));
  return ring_info(*core);
}

Result<RollReport> Escrow::roll() {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return Roll(*core, std::nullopt).run();
}

Result<RollReport> Escrow::roll_now(std::string_view epoch) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const auto bytes = from_hex(epoch);
  EpochId id{};
  if (!bytes || bytes->size() != id.size())
    return Error(ErrorCode::kInvalidArgument, "an epoch is named by 32 hex digits");
  std::ranges::copy(*bytes, id.begin());
  return Roll(*core, id).run();
}

Result<RingInfo> Escrow::ring() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return ring_info(*core);
}

}  // namespace quietus
