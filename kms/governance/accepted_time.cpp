#include "governance/accepted_time.hpp"

#include "crypto/random.hpp"
#include "evidence/log_store.hpp"

namespace quietus {

Result<void> check_clock(const TimeRow& before, UnixMillis now) {
  const bool back = now < before.accepted - kClockMayGoBack;
  const bool ahead = now - before.accepted > kClockMayGoAhead;
  if (!back && !ahead) return {};
  return Error(ErrorCode::kRefused,
               std::string("the clock ") + (back ? "went back" : "is far ahead") + ": it shows " +
                   format_utc(now) + ", and " + format_utc(before.accepted) +
                   " was accepted before; nothing is destroyed until it is set right, or vouched "
                   "for with `clock accept`");
}

Result<void> accept_time(ControlWriter& writer, const RowSeal& seal, UnixMillis now) {
  QUIETUS_TRY_AS(TimeRow row, rows::time_row(writer, seal));
  QUIETUS_TRY(check_clock(row, now));
  if (now <= row.accepted) return {};
  row.accepted = now;
  return rows::put_time_row(writer, seal, row);
}

// A damaged row is made anew. A sweep under way must not take its count for the one it knew.
Result<void> vouch_for_clock(ControlWriter& writer, const RowSeal& seal, UnixMillis now) {
  auto stored = rows::time_row(writer, seal);
  if (!stored && stored.error().code() == ErrorCode::kCorrupt) stored = TimeRow{0, random_id63()};
  QUIETUS_TRY_AS(TimeRow row, std::move(stored));
  const std::string entry = entry_text(new_entry(now), ClockAccepted{row.accepted});
  row.accepted = now;
  ++row.changes;  // a sweep under way was made for another time
  QUIETUS_TRY(rows::put_time_row(writer, seal, row));
  QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
  return {};
}

}  // namespace quietus
