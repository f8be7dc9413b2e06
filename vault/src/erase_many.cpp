#include "erase_many.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "keys/holds.hpp"
#include "reasons.hpp"
#include "refusals.hpp"
#include "subjects.hpp"

namespace quietus {
namespace {

Result<void> check_reasons(std::span<const DueErasure> due) {
  std::string_view last;
  for (const DueErasure& erasure : due) {
    if (erasure.reason == last) continue;
    last = erasure.reason;
    QUIETUS_TRY_AS(const ErasureReason reason, parse_erasure_reason(last));
    if (reason.code != last)
      return Error(ErrorCode::kInvalidArgument, "the reason of an erasure here is a code");
  }
  return {};
}

std::string common_reason(std::span<const DueErasure> due) {
  const bool one = std::all_of(due.begin(), due.end(), [&](const DueErasure& erasure) {
    return erasure.reason == due.front().reason;
  });
  return one ? due.front().reason : "other";
}

// What becomes unreadable besides the scope's own keys. Damaged rows, of whatever, keep numbers
// from a certificate, not data from being erased.
ClaimedUnreadable count_below(VaultCore& core, ControlReader& reader, const RowSeal& seal,
                              ScopeId scope) {
  ClaimedUnreadable counted;
  const auto dying = scopes_dying_with(reader, seal, {scope});
  if (!dying) return counted;
  for (const ScopeId id : *dying) {
    const auto row = rows::key_row(reader, seal, id);
    const auto usage = core.record_store->usage(id);
    if (!row || !row.value() || !usage) return {};
    counted.records += usage->records;
    counted.bytes += usage->bytes;
    if (id == scope) continue;
    ++counted.scopes_below;
    for (const KeyRecord& key : row.value()->keys)
      if (!is_destroyed(key.state)) ++counted.keys_below;
  }
  counted.counted = true;
  return counted;
}

// Hands out what is due, page by page, each with what its certificate is to say.
class DueTargets {
 public:
  DueTargets(VaultCore& core, const ErasureId& erasure, std::span<const DueErasure> due)
      : core_(core), erasure_(erasure), due_(due) {}

  Result<std::vector<BatchTarget>> operator()(std::size_t at_most) {
    const auto page = due_.subspan(at_, std::min(at_most, due_.size() - at_));
    std::vector<BatchTarget> targets;
    QUIETUS_TRY(
        core_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          targets.clear();
          for (const DueErasure& due : page) {
            BatchTarget target{due.scope, due.reason, {}, {}};
            // Nothing can be said of whose scope it was when its rows are damaged.
            if (auto subject = subject_of(reader, scopes, erasure_, due.scope))
              target.subject = subject->claim;
            target.unreadable = count_below(core_, reader, scopes.seal(), due.scope);
            targets.push_back(std::move(target));
          }
          return {};
        }));
    at_ += page.size();
    return targets;
  }

 private:
  VaultCore& core_;
  const ErasureId& erasure_;
  std::span<const DueErasure> due_;
  std::size_t at_ = 0;
};

// The first that a hold keeps: that somebody tried is evidence too.
void note_first_held(VaultCore& core, std::span<const DueErasure> due) {
  for (const DueErasure& erasure : due) {
    const auto looked = core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return check_not_held(reader, scopes.seal(), {erasure.scope});
    });
    if (looked || looked.error().code() != ErrorCode::kHeld) continue;
    note_refused(*core.keys, erasure.scope, "erase", core.environment.clock.now());
    return;
  }
}

}  // namespace

Result<ManyErased> erase_many(VaultCore& core, std::span<const DueErasure> due,
                              const RootChangeGuard& guard) {
  if (due.empty()) return Error(ErrorCode::kInvalidArgument, "no scope to erase");
  QUIETUS_TRY(check_reasons(due));
  const ErasureId id = random_erasure_id();
  DueTargets targets(core, id, due);
  auto outcome = core.keys->erase_batch({id, common_reason(due), targets, guard, false});
  if (!outcome && outcome.error().code() == ErrorCode::kHeld) note_first_held(core, due);
  if (!outcome) return std::move(outcome).error();
  ManyErased report;
  report.erasure_id = to_hex(id);
  report.erased = outcome->intent.batch->scopes;
  report.skipped = outcome->skipped;
  report.root_generation_before = outcome->intent.generation_before;
  report.root_generation_after = outcome->intent.slot.generation;
  report.holders_acknowledged = outcome->holders.acknowledged;
  report.holders_ended = outcome->holders.ended;
  return report;
}

Result<bool> clean_up_erased(VaultCore& core, std::size_t transactions) {
  return core.keys->clean(transactions);
}

}  // namespace quietus
