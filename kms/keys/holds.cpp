#include "keys/holds.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kHoldVersion = 1;
constexpr std::size_t kMaxAuthority = 4096;

Bytes hold_key(char table, const HoldRow& row) {
  return ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(row.scope).raw(row.id).take();
}

std::optional<HoldRow> decode_hold(ByteView content) {
  ByteReader in(content);
  HoldRow row;
  const std::uint8_t version = in.u8();
  row.placed = static_cast<UnixMillis>(in.u64());
  row.until = static_cast<UnixMillis>(in.u64());
  row.reason = in.text(Code::kMaxSize);
  return in.done() && version == kHoldVersion ? std::optional(std::move(row)) : std::nullopt;
}

Result<std::vector<HoldRow>> holds_from(ControlReader& reader, const RowSeal& seal,
                                        ByteView prefix) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, prefix, decode_hold));
  std::vector<HoldRow> holds;
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.scope = in.u64();
    row.id = in.array<sizeof(HoldId)>();
    if (!in.done()) return damaged('B');
    holds.push_back(std::move(row));
  }
  return holds;
}

}  // namespace

Result<std::vector<HoldRow>> holds_of(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  return holds_from(reader, seal, row_key('B', scope));
}

Result<std::vector<HoldRow>> all_holds(ControlReader& reader, const RowSeal& seal) {
  return holds_from(reader, seal, Bytes{'B'});
}

Result<void> put_hold(ControlWriter& writer, const RowSeal& seal, const HoldRow& row) {
  ByteWriter content;
  content.u8(kHoldVersion)
      .u64(static_cast<std::uint64_t>(row.placed))
      .u64(static_cast<std::uint64_t>(row.until))
      .text(row.reason);
  return put_sealed(writer, seal, hold_key('B', row), content.take());
}

Result<void> remove_hold(ControlWriter& writer, const HoldRow& row) {
  QUIETUS_TRY(writer.remove(hold_key('U', row)));
  return writer.remove(hold_key('B', row));
}

Result<void> put_authority(ControlWriter& writer, const RowSeal& scope_seal, const HoldRow& of,
                           std::string_view text) {
  if (text.size() > kMaxAuthority)
    return Error(ErrorCode::kInvalidArgument, "authority of a hold: at most 4096 bytes");
  return put_sealed(writer, scope_seal, hold_key('U', of), as_bytes(text));
}

std::optional<std::string> authority(ControlReader& reader, const RowSeal& scope_seal,
                                     const HoldRow& of) {
  const auto content = get_sealed(reader, scope_seal, hold_key('U', of));
  if (!content || !*content) return std::nullopt;
  return std::string(as_text(**content));
}

}  // namespace rows

Result<std::vector<HoldRow>> holds_above(ControlReader& reader, const RowSeal& seal,
                                         ScopeId scope) {
  std::vector<HoldRow> found;
  QUIETUS_TRY_AS(const auto above, scopes_above(reader, seal, scope));
  for (const ScopeId id : above) {
    QUIETUS_TRY_AS(auto holds, rows::holds_of(reader, seal, id));
    found.insert(found.end(), holds.begin(), holds.end());
  }
  return found;
}

namespace {

// Where a hold keeps the targets from being destroyed: on what dies with them, and on everything
// that any of it depends on. No value when a damaged row hides that: then any hold counts.
Result<std::optional<std::set<ScopeId>>> reach_of(ControlReader& reader, const RowSeal& seal,
                                                  const std::vector<ScopeId>& targets) {
  const auto hidden = [](const Result<std::set<ScopeId>>& scopes) {
    return !scopes && scopes.error().code() == ErrorCode::kCorrupt;
  };
  const auto dying = scopes_dying_with(reader, seal, targets);
  if (hidden(dying)) return std::optional<std::set<ScopeId>>();
  QUIETUS_TRY(dying);
  std::set<ScopeId> reach;
  for (const ScopeId scope : *dying) {
    const auto above = scopes_above(reader, seal, scope);
    if (hidden(above)) return std::optional<std::set<ScopeId>>();
    QUIETUS_TRY(above);
    reach.insert(above->begin(), above->end());
  }
  return std::optional(std::move(reach));
}

}  // namespace

Result<bool> hold_covers(ControlReader& reader, const RowSeal& seal, ScopeId held, ScopeId target) {
  QUIETUS_TRY_AS(const auto reach, reach_of(reader, seal, {target}));
  return !reach || reach->count(held) > 0;
}

namespace {

Result<void> check_none_in_the_way(ControlReader& reader, const RowSeal& seal,
                                   const std::vector<HoldRow>& holds,
                                   const std::vector<ScopeId>* targets) {
  if (holds.empty()) return {};
  std::optional<std::set<ScopeId>> reach;
  if (targets != nullptr) {
    QUIETUS_TRY_AS(reach, reach_of(reader, seal, *targets));
  }
  const auto in_the_way = std::count_if(holds.begin(), holds.end(), [&](const HoldRow& hold) {
    return !reach || reach->count(hold.scope) > 0;
  });
  if (in_the_way == 0) return {};
  return Error(
      ErrorCode::kHeld,
      std::to_string(in_the_way) + " legal hold(s) keep it from being destroyed; see `hold list`");
}

}  // namespace

Result<void> check_not_held(ControlReader& reader, const RowSeal& seal,
                            const std::vector<ScopeId>& targets, bool destroys_vault) {
  QUIETUS_TRY_AS(const auto holds, rows::all_holds(reader, seal));
  return check_none_in_the_way(reader, seal, holds, destroys_vault ? nullptr : &targets);
}

Result<void> check_not_held_at(ControlReader& reader, const RowSeal& seal,
                               const std::vector<ScopeId>& targets, UnixMillis now) {
  QUIETUS_TRY_AS(auto holds, rows::all_holds(reader, seal));
  std::erase_if(holds, [&](const HoldRow& hold) { return hold.until != 0 && hold.until <= now; });
  return check_none_in_the_way(reader, seal, holds, &targets);
}

}  // namespace quietus
