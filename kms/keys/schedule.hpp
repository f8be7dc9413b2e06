// What was decided about a scope's end, and when it was last used: what rules of retention ask
// about. Times and codes only; when something is due is governance's affair.
//
//   "S" scope id   ScheduleRow, sealed under the vault's row key; there is none where nothing was
//                  decided
//   "A" scope id   the last day on which a record was read or written, u32 days since 1970-01-01,
//                  sealed under the vault's row key; there is none where that never happened
//   "c"            TimeRow, sealed under the vault's row key
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>

#include "evidence/code.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

struct ScheduleRow {
  ScopeId scope = 0;
  std::optional<UnixMillis> terminates;  // the agreement's end
  bool ended = false;                    // that has come: nothing more is written, reads go on
  std::optional<UnixMillis> consent_withdrawn;
  std::optional<UnixMillis> expires;
  std::optional<UnixMillis> erase_at;  // an erasure that was asked for and can be taken back
  std::string erase_reason;            // of that, a code
  std::string chosen_period;           // in place of a rule's, as a policy writes it; or empty

  bool empty() const noexcept {
    return !terminates && !consent_withdrawn && !expires && !erase_at && chosen_period.empty();
  }
};

// What a sweep measures the clock against, and by which it sees that its plan still holds.
struct TimeRow {
  UnixMillis accepted = 0;    // the latest time that was accepted
  std::uint64_t changes = 0;  // counted: of schedules, states and the policy, that may postpone
};

namespace rows {

Result<std::optional<ScheduleRow>> schedule(ControlReader& reader, const RowSeal& seal,
                                            ScopeId scope);
Result<void> put_schedule(ControlWriter& writer, const RowSeal& seal, const ScheduleRow& row);
// Those that can be read.
Result<std::vector<ScheduleRow>> all_schedules(ControlReader& reader, const RowSeal& seal);
// The beginning of the day.
Result<std::optional<UnixMillis>> last_activity(ControlReader& reader, const RowSeal& seal,
                                                ScopeId scope);
Result<void> put_activity(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                          UnixMillis when);
// Both, of a scope that is erased.
Result<void> remove_schedule(ControlWriter& writer, ScopeId scope);
// Whether there is one of them, readable or not.
Result<bool> has_schedule(ControlReader& reader, ScopeId scope);

Result<TimeRow> time_row(ControlReader& reader, const RowSeal& seal);  // zeros when there is none
Result<void> put_time_row(ControlWriter& writer, const RowSeal& seal, const TimeRow& row);
// Whatever was planned from what is changed in this transaction must be planned again. With a
// damaged row nothing is carried out that was planned, so nothing is counted.
Result<void> count_change(ControlWriter& writer, const RowSeal& seal);
// The time from which what is decided or made now counts: never before the latest that was
// accepted, whatever a clock that went back says.
Result<UnixMillis> no_earlier_than_accepted(ControlReader& reader, const RowSeal& seal,
                                            UnixMillis now);

}  // namespace rows

// One decision: what it changes in the row, and how the log names it.
struct ScheduleDecision {
  ScopeId scope = 0;
  Code change = "none";  // "termination-set", "erasure-cancelled", …
  UnixMillis when = 0;   // from when it counts
  Code reason = "none";
  UnixMillis now = 0;
  bool postpones = false;  // what was due may be due later, or never
};

// Applies `change` to the scope's schedule and logs the decision. kNotFound; kErased; errors of
// `change`. One that ends or gives back what keys may be used for is to be made inside
// KeyStore::update_standing().
Result<void> decide_schedule(ControlWriter& writer, const RowSeal& seal,
                             const ScheduleDecision& decision,
                             FunctionRef<Result<void>(ScheduleRow&)> change);

}  // namespace quietus
