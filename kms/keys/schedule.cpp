#include "keys/schedule.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "evidence/log_store.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kScheduleVersion = 1;
constexpr std::size_t kMaxScheduleReason = 64;
constexpr std::size_t kMaxPeriod = 16;
constexpr UnixMillis kDay = 86'400'000;

void put_time(ByteWriter& out, const std::optional<UnixMillis>& time) {
  out.u8(time ? 1 : 0).u64(static_cast<std::uint64_t>(time.value_or(0)));
}

std::optional<UnixMillis> get_time(ByteReader& in) {
  const std::uint8_t there = in.u8();
  const auto time = static_cast<UnixMillis>(in.u64());
  if (there > 1 || (there == 0 && time != 0)) in.fail();
  return there == 1 ? std::optional(time) : std::nullopt;
}

Bytes encode(const ScheduleRow& row) {
  ByteWriter out;
  out.u8(kScheduleVersion);
  put_time(out, row.terminates);
  out.u8(row.ended ? 1 : 0);
  put_time(out, row.consent_withdrawn);
  put_time(out, row.expires);
  put_time(out, row.erase_at);
  return out.text(row.erase_reason).text(row.chosen_period).take();
}

std::optional<ScheduleRow> decode_schedule(ByteView content) {
  ByteReader in(content);
  if (in.u8() != kScheduleVersion) return std::nullopt;
  ScheduleRow row;
  row.terminates = get_time(in);
  const std::uint8_t ended = in.u8();
  if (ended > 1) in.fail();
  row.ended = ended == 1;
  row.consent_withdrawn = get_time(in);
  row.expires = get_time(in);
  row.erase_at = get_time(in);
  row.erase_reason = in.text(kMaxScheduleReason);
  row.chosen_period = in.text(kMaxPeriod);
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

std::optional<std::uint32_t> decode_day(ByteView content) {
  ByteReader in(content);
  const std::uint32_t day = in.u32();
  return in.done() ? std::optional(day) : std::nullopt;
}

}  // namespace

Result<std::optional<ScheduleRow>> schedule(ControlReader& reader, const RowSeal& seal,
                                            ScopeId scope) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('S', scope), decode_schedule));
  if (row) row->scope = scope;
  return row;
}

Result<void> put_schedule(ControlWriter& writer, const RowSeal& seal, const ScheduleRow& row) {
  if (row.empty()) return writer.remove(row_key('S', row.scope));
  return put_sealed(writer, seal, row_key('S', row.scope), encode(row));
}

Result<std::vector<ScheduleRow>> all_schedules(ControlReader& reader, const RowSeal& seal) {
  std::vector<ScheduleRow> all;
  QUIETUS_TRY(reader.scan(Bytes{'S'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? decode_schedule(*content) : std::nullopt;
    if (!row) return true;
    row->scope = ByteReader(key.subspan(1)).u64();
    all.push_back(std::move(*row));
    return true;
  }));
  return all;
}

Result<std::optional<UnixMillis>> last_activity(ControlReader& reader, const RowSeal& seal,
                                                ScopeId scope) {
  QUIETUS_TRY_AS(const auto day, get_row(reader, seal, row_key('A', scope), decode_day));
  return day ? std::optional(static_cast<UnixMillis>(*day) * kDay) : std::nullopt;
}

Result<void> put_activity(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                          UnixMillis when) {
  const auto day = static_cast<std::uint32_t>(when / kDay);
  return put_sealed(writer, seal, row_key('A', scope), ByteWriter().u32(day).view());
}

Result<void> remove_schedule(ControlWriter& writer, ScopeId scope) {
  QUIETUS_TRY(writer.remove(row_key('S', scope)));
  return writer.remove(row_key('A', scope));
}

Result<bool> has_schedule(ControlReader& reader, ScopeId scope) {
  QUIETUS_TRY_AS(const auto decided, reader.get(row_key('S', scope)));
  QUIETUS_TRY_AS(const auto used, reader.get(row_key('A', scope)));
  return decided.has_value() || used.has_value();
}

namespace {

std::optional<TimeRow> decode_time_row(ByteView content) {
  ByteReader in(content);
  if (in.u8() != kScheduleVersion) return std::nullopt;
  const auto accepted = static_cast<UnixMillis>(in.u64());
  const TimeRow row{accepted, in.u64()};
  return in.done() ? std::optional(row) : std::nullopt;
}

}  // namespace

Result<TimeRow> time_row(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(const auto row, get_row(reader, seal, Bytes{'c'}, decode_time_row));
  return row.value_or(TimeRow{});
}

Result<void> put_time_row(ControlWriter& writer, const RowSeal& seal, const TimeRow& row) {
  ByteWriter out;
  out.u8(kScheduleVersion).u64(static_cast<std::uint64_t>(row.accepted)).u64(row.changes);
  return put_sealed(writer, seal, Bytes{'c'}, out.view());
}

Result<void> count_change(ControlWriter& writer, const RowSeal& seal) {
  auto row = time_row(writer, seal);
  if (!row && row.error().code() == ErrorCode::kCorrupt) return {};
  QUIETUS_TRY(row);
  ++row->changes;
  return put_time_row(writer, seal, *row);
}

Result<UnixMillis> no_earlier_than_accepted(ControlReader& reader, const RowSeal& seal,
                                            UnixMillis now) {
  const auto row = time_row(reader, seal);
  if (!row && row.error().code() == ErrorCode::kCorrupt) return now;
  QUIETUS_TRY(row);
  return std::max(now, row->accepted);
}

}  // namespace rows

Result<void> decide_schedule(ControlWriter& writer, const RowSeal& seal,
                             const ScheduleDecision& decision,
                             FunctionRef<Result<void>(ScheduleRow&)> change) {
  QUIETUS_TRY_AS(const auto key_row, rows::key_row(writer, seal, decision.scope));
  if (!key_row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(key_row->state)) return Error(ErrorCode::kErased, "the scope was erased");
  QUIETUS_TRY_AS(auto stored, rows::schedule(writer, seal, decision.scope));
  ScheduleRow row = stored.value_or(ScheduleRow{});
  row.scope = decision.scope;
  QUIETUS_TRY(change(row));
  QUIETUS_TRY(rows::put_schedule(writer, seal, row));
  if (decision.postpones) QUIETUS_TRY(rows::count_change(writer, seal));
  const std::string entry =
      entry_text(new_entry(decision.now),
                 ScheduleChanged{decision.scope, decision.change, decision.when, decision.reason});
  QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
  return {};
}

}  // namespace quietus
