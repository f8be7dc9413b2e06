// Legal holds: as long as one is there, nothing that it covers is destroyed, deleted or
// overwritten. A hold on a scope covers it and all that lies below it or was derived from it, and
// so keeps everything from being destroyed on which the keys of any of that depend.
//
//   "B" scope id || hold id      HoldRow, sealed under the vault's row key
//   "U" scope id || hold id      the authority as text ("file number 7"), sealed under the scope's
//                                row key
//
// Whether a hold has run out is not decided here, where a wrong clock would decide it: the row goes
// when somebody releases the hold, or a sweep with an accepted time does (docs/retention.md).
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keys/scope_graph.hpp"

namespace quietus {

struct HoldRow {
  ScopeId scope = 0;
  HoldId id{};
  UnixMillis placed = 0;
  UnixMillis until = 0;  // 0: until it is released
  std::string reason;    // a code
};

namespace rows {

Result<std::vector<HoldRow>> holds_of(ControlReader& reader, const RowSeal& seal, ScopeId scope);
Result<std::vector<HoldRow>> all_holds(ControlReader& reader, const RowSeal& seal);
Result<void> put_hold(ControlWriter& writer, const RowSeal& seal, const HoldRow& row);
Result<void> remove_hold(ControlWriter& writer, const HoldRow& row);
// Under the scope's own key. Of a hold that has none, or whose scope is of another key by now: no
// value.
Result<void> put_authority(ControlWriter& writer, const RowSeal& scope_seal, const HoldRow& of,
                           std::string_view text);
std::optional<std::string> authority(ControlReader& reader, const RowSeal& scope_seal,
                                     const HoldRow& of);

}  // namespace rows

// The holds on the scope itself and on what it depends on.
Result<std::vector<HoldRow>> holds_above(ControlReader& reader, const RowSeal& seal, ScopeId scope);

// kHeld when destroying the scopes would destroy something that is held; the text says how many
// holds are in the way. Where a damaged row hides what depends on what, any hold at all counts.
// `destroys_vault`: everything is a target.
Result<void> check_not_held(ControlReader& reader, const RowSeal& seal,
                            const std::vector<ScopeId>& targets, bool destroys_vault = false);
// As if holds whose day has come by `now` had been taken away: what a sweep will meet.
Result<void> check_not_held_at(ControlReader& reader, const RowSeal& seal,
                               const std::vector<ScopeId>& targets, UnixMillis now);

// Whether destroying `target` would destroy what a hold on `held` covers.
Result<bool> hold_covers(ControlReader& reader, const RowSeal& seal, ScopeId held, ScopeId target);

}  // namespace quietus
