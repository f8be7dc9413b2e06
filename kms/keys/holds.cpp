#include "keys/holds.hpp"

#include "base/byte_reader.hpp"
#include "keys/scope_table.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kVersion = 1;
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
  return in.done() && version == kVersion ? std::optional(std::move(row)) : std::nullopt;
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
  content.u8(kVersion)
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

Result<std::set<ScopeId>> scopes_above(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  std::set<ScopeId> found;
  std::vector<ScopeId> open{scope};
  while (!open.empty()) {
    const ScopeId next = open.back();
    open.pop_back();
    if (next == kVaultScope || !found.insert(next).second) continue;
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, next));
    if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
    open.push_back(row->parent);
    open.insert(open.end(), row->sources.begin(), row->sources.end());
  }
  return found;
}

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

Result<bool> hold_covers(ControlReader& reader, const RowSeal& seal, ScopeId held, ScopeId target) {
  if (held == target) return true;
  // A row that cannot be read hides what depends on what: then the hold counts.
  const auto above_held = scopes_above(reader, seal, held);
  if (!above_held && above_held.error().code() != ErrorCode::kCorrupt) return above_held.error();
  if (!above_held || above_held->count(target) > 0) return true;
  const auto above_target = scopes_above(reader, seal, target);
  if (!above_target && above_target.error().code() != ErrorCode::kCorrupt)
    return above_target.error();
  return !above_target || above_target->count(held) > 0;
}

Result<void> check_not_held(ControlReader& reader, const RowSeal& seal,
                            const std::vector<ScopeId>& targets, bool destroys_vault) {
  QUIETUS_TRY_AS(const auto holds, rows::all_holds(reader, seal));
  std::size_t in_the_way = 0;
  for (const HoldRow& hold : holds) {
    bool covers = destroys_vault;
    for (std::size_t i = 0; i < targets.size() && !covers; ++i) {
      QUIETUS_TRY_AS(covers, hold_covers(reader, seal, hold.scope, targets[i]));
    }
    in_the_way += covers ? 1 : 0;
  }
  if (in_the_way == 0) return {};
  return Error(
      ErrorCode::kHeld,
      std::to_string(in_the_way) + " legal hold(s) keep it from being destroyed; see `hold list`");
}

}  // namespace quietus
