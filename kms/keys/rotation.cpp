#include "keys/rotation.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "evidence/log_store.hpp"
#include "keys/holds.hpp"
#include "keys/instances.hpp"
#include "keys/log_change.hpp"
#include "keys/schedule.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kRotationVersion = 1;

std::optional<RotationRow> decode_rotation(ByteView content) {
  ByteReader in(content);
  RotationRow row;
  const std::uint8_t version = in.u8();
  const std::uint8_t stage = in.u8();
  row.stage = static_cast<RotationStage>(stage);
  row.generation = in.u32();
  row.begun = static_cast<UnixMillis>(in.u64());
  row.moved = static_cast<UnixMillis>(in.u64());
  const std::uint8_t destroys = in.u8();
  row.destroys = destroys == 1;
  row.reason = in.text(Code::kMaxSize);
  const bool known = version == kRotationVersion && stage >= 1 && stage <= 2 && destroys <= 1;
  return in.done() && known ? std::optional(std::move(row)) : std::nullopt;
}

}  // namespace

Result<std::optional<RotationRow>> rotation(ControlReader& reader, const RowSeal& seal,
                                            ScopeId scope) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('G', scope), decode_rotation));
  if (row) row->scope = scope;
  return row;
}

Result<std::vector<RotationRow>> all_rotations(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'G'}, decode_rotation));
  std::vector<RotationRow> rotations;
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.scope = in.u64();
    if (!in.done()) return damaged('G');
    rotations.push_back(std::move(row));
  }
  return rotations;
}

Result<void> rotations_from(ControlReader& reader, const RowSeal& seal, ScopeId from,
                            FunctionRef<Result<bool>(ScopeId, const RotationRow*)> visit) {
  return reader.scan(
      Bytes{'G'}, row_key('G', from), [&](ByteView key, ByteView value) -> Result<bool> {
        ByteReader in(key.subspan(1));
        const ScopeId scope = in.u64();
        if (!in.done()) return damaged('G');
        const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
        auto row = content ? decode_rotation(*content) : std::nullopt;
        if (row) row->scope = scope;
        return visit(scope, row ? &*row : nullptr);
      });
}

Result<void> put_rotation(ControlWriter& writer, const RowSeal& seal, const RotationRow& row) {
  ByteWriter content;
  content.u8(kRotationVersion)
      .u8(static_cast<std::uint8_t>(row.stage))
      .u32(row.generation)
      .u64(static_cast<std::uint64_t>(row.begun))
      .u64(static_cast<std::uint64_t>(row.moved))
      .u8(row.destroys ? 1 : 0)
      .text(row.reason);
  return put_sealed(writer, seal, row_key('G', row.scope), content.take());
}

Result<void> remove_rotation(ControlWriter& writer, ScopeId scope) {
  return writer.remove(row_key('G', scope));
}

}  // namespace rows

namespace {

constexpr std::size_t kRowsAtOnce = 256;

// What requests say of who asked (governance/requests.hpp).
Result<void> reseal_requests(ControlWriter& writer, ScopeTable& scopes, const ScopeKeys& keys) {
  std::vector<std::pair<Bytes, Bytes>> found;
  QUIETUS_TRY(writer.scan(
      rows::row_key('k', keys.id), {}, [&](ByteView key, ByteView value) -> Result<bool> {
        for (const GenerationKeys& older : keys.older) {
          const RowSeal seal = scopes.seal_under(older);
          auto content = open_row(seal.context, seal.key, seal.vault, key, value);
          if (content) found.emplace_back(Bytes(key.begin(), key.end()), *std::move(content));
        }
        return true;
      }));
  const RowSeal newest = scopes.seal_under(keys);
  for (const auto& [key, content] : found)
    QUIETUS_TRY(rows::put_sealed(writer, newest, key, content));
  return {};
}

// Rows that the scope's own key seals, sealed anew: what it is called, on whose authority it is
// held, and who asked for something.
Result<void> reseal_own_rows(ControlWriter& writer, ScopeTable& scopes, const ScopeKeys& keys) {
  const RowSeal newest = scopes.seal_under(keys);
  if (keys.id != kVaultScope) {
    QUIETUS_TRY_AS(const InfoRow info, scopes.info(writer, keys.id));
    QUIETUS_TRY(rows::put_info(writer, newest, keys.id, info));
  }
  QUIETUS_TRY(reseal_requests(writer, scopes, keys));
  QUIETUS_TRY_AS(const auto holds, rows::holds_of(writer, scopes.seal(), keys.id));
  for (const HoldRow& hold : holds) {
    for (const GenerationKeys& older : keys.older) {
      const auto text = rows::authority(writer, scopes.seal_under(older), hold);
      if (text) QUIETUS_TRY(rows::put_authority(writer, newest, hold, *text));
    }
  }
  return {};
}

// The name of an erased child is gone with its key; its row, and the free text of why it was
// erased, stay as they are, and go with the key that they were made under.
Result<void> move_child(ControlWriter& writer, ScopeTable& scopes, const ScopeKeys& keys,
                        const std::pair<rows::ChildName, ScopeId>& child) {
  const auto& [name, id] = child;
  QUIETUS_TRY(scopes.rewrap(writer, id));
  if (name.generation == keys.generation) return {};
  const auto info = scopes.info(writer, id);
  if (!info && info.error().code() == ErrorCode::kErased) return {};
  if (!info) return info.error();
  const Prf128 renamed = prf128(keys.names, as_bytes(info->name));
  QUIETUS_TRY(rows::remove_child(writer, name));
  return rows::put_child(writer, scopes.seal(), {name.parent, keys.generation, renamed}, id);
}

// The first name behind another; none behind the last.
std::optional<rows::ChildName> behind(rows::ChildName name) {
  for (std::size_t i = name.name.size(); i-- > 0;)
    if (++name.name[i] != 0) return name;
  return std::nullopt;
}

Result<void> move_children(ControlWriter& writer, ScopeTable& scopes, const ScopeKeys& keys,
                           RewrapCursor& at) {
  std::vector<std::pair<rows::ChildName, ScopeId>> page;
  const rows::ChildName from = at.child.value_or(rows::ChildName{keys.id, 0, {}});
  QUIETUS_TRY(rows::child_names(writer, scopes.seal(), from,
                                [&](const rows::ChildName& name, ScopeId id) -> Result<bool> {
                                  page.emplace_back(name, id);
                                  return page.size() < kRowsAtOnce;
                                }));
  for (const auto& child : page) QUIETUS_TRY(move_child(writer, scopes, keys, child));
  at.moved += page.size();
  at.child = page.size() < kRowsAtOnce ? std::nullopt : behind(page.back().first);
  if (!at.child) at.stage = RewrapCursor::Stage::kDerived;
  return {};
}

Result<void> move_derived(ControlWriter& writer, ScopeTable& scopes, ScopeId scope,
                          RewrapCursor& at) {
  QUIETUS_TRY_AS(const auto derived, rows::derived(writer, scope));
  std::size_t done = 0;
  for (const ScopeId id : derived) {
    if (id < at.derived) continue;
    if (done == kRowsAtOnce) {
      at.derived = id;
      return {};
    }
    QUIETUS_TRY(scopes.rewrap(writer, id));
    ++done;
  }
  at.moved += done;
  at.stage = RewrapCursor::Stage::kDone;
  return {};
}

Result<KeyRow> rotatable_row(ControlReader& reader, const RowSeal& seal,
                             const RotationRequest& request) {
  QUIETUS_TRY_AS(auto row, rows::key_row(reader, seal, request.scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return Error(ErrorCode::kErased, "the scope was erased");
  if (row->state == KeyState::kPreActivation)
    return Error(ErrorCode::kRefused, "a key that is not active yet is not replaced");
  if (request.destroys) QUIETUS_TRY(check_not_held(reader, seal, {request.scope}));
  return std::move(*row);
}

Result<void> check_older_keys(const KeyRow& row) {
  const auto living = std::count_if(row.keys.begin(), row.keys.end(), [](const KeyRecord& key) {
    return key.line == KeyLine::kData && !is_destroyed(key.state);
  });
  if (static_cast<std::size_t>(living) <= kMaxOlderKeys) return {};
  return Error(ErrorCode::kRefused, "the scope has too many older keys; destroy them by a purge");
}

}  // namespace

Result<RotationRow> begin_rotation(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                                   const RotationRequest& request) {
  const RowSeal seal = scopes.seal();
  QUIETUS_TRY_AS(KeyRow row, rotatable_row(writer, seal, request));
  // Erased with an ancestor or a source.
  QUIETUS_TRY(scopes.keys(writer, request.scope));
  QUIETUS_TRY_AS(const auto begun, rows::rotation(writer, seal, request.scope));
  // What was asked to be destroyed, and is not yet, will be.
  const bool destroys = request.destroys || (begun && begun->destroys);
  const bool compromised = row.state == KeyState::kCompromised;
  // One whose new key is compromised too is not taken up: there must be another key. Nor does a
  // purge take up any, while there is room for keys: what was removed or replaced since it began
  // was sealed under its new key.
  const bool another = request.destroys && check_older_keys(row).ok();
  if (begun && begun->stage == RotationStage::kMoving && !compromised && !another) {
    RotationRow taken_up = *begun;
    taken_up.destroys = destroys;
    if (taken_up.destroys != begun->destroys)
      QUIETUS_TRY(rows::put_rotation(writer, seal, taken_up));
    return taken_up;
  }
  if (!destroys) QUIETUS_TRY(check_older_keys(row));
  if (compromised) {
    row.state = KeyState::kActive;
    row.changed = request.now;
    row.reason = request.reason.text();
    QUIETUS_TRY(log_change(
        writer, seal,
        entry_text(new_entry(request.now),
                   StateChanged{request.scope, "compromised", "active", request.reason})));
  }
  RotationRow rotation;
  rotation.scope = request.scope;
  // When an older key ceased to be needed is counted from these times.
  QUIETUS_TRY_AS(rotation.begun, rows::no_earlier_than_accepted(writer, seal, request.now));
  rotation.destroys = destroys;
  rotation.reason = request.reason.text();
  QUIETUS_TRY_AS(rotation.generation,
                 scopes.renew(writer, root, row, {compromised, row.state, rotation.begun}));
  QUIETUS_TRY(rows::put_key_row(writer, seal, row));
  QUIETUS_TRY(rows::put_rotation(writer, seal, rotation));
  QUIETUS_TRY(
      log_change(writer, seal,
                 entry_text(new_entry(request.now),
                            RotationBegun{request.scope, rotation.generation, request.reason})));
  return rotation;
}

Result<RewrapCursor> rewrap_some(ControlWriter& writer, ScopeTable& scopes, ScopeId scope,
                                 RewrapCursor from) {
  QUIETUS_TRY_AS(const auto keys, scopes.keys(writer, scope));
  switch (from.stage) {
    case RewrapCursor::Stage::kOwnRows:
      QUIETUS_TRY(reseal_own_rows(writer, scopes, *keys));
      from.stage = RewrapCursor::Stage::kChildren;
      break;
    case RewrapCursor::Stage::kChildren:
      QUIETUS_TRY(move_children(writer, scopes, *keys, from));
      break;
    case RewrapCursor::Stage::kDerived:
      QUIETUS_TRY(move_derived(writer, scopes, scope, from));
      break;
    case RewrapCursor::Stage::kDone: break;
  }
  return from;
}

Result<void> finish_moving(ControlWriter& writer, const RowSeal& seal, const RotationRow& row,
                           UnixMillis now) {
  QUIETUS_TRY_AS(const auto stored, rows::rotation(writer, seal, row.scope));
  if (!stored || stored->generation != row.generation)
    return Error(ErrorCode::kBusy, "another rotation of the scope came in between");
  if (stored->stage == RotationStage::kMoved) return {};
  RotationRow moved = *stored;
  moved.stage = RotationStage::kMoved;
  QUIETUS_TRY_AS(moved.moved, rows::no_earlier_than_accepted(writer, seal, now));
  QUIETUS_TRY(rows::put_rotation(writer, seal, moved));
  return log_change(writer, seal,
                    entry_text(new_entry(now), RotationDone{row.scope, row.generation}));
}

namespace {

// When rows ceased to need a generation, at the latest. A rotation begins only when the one before
// it has moved everything, unless that one's key was compromised.
UnixMillis unneeded_since(const KeyRow& row, const RotationRow& rotation,
                          std::uint32_t generation) {
  UnixMillis since = rotation.moved;
  bool taken_over_in_peace = false;  // by the key that is looked at, from the one before it
  for (const KeyRecord& key : row.keys) {
    if (key.line != KeyLine::kData || key.generation <= generation) continue;
    if (taken_over_in_peace) since = std::min(since, key.created);
    taken_over_in_peace =
        key.state != KeyState::kCompromised && key.state != KeyState::kDestroyedCompromised;
  }
  return since;
}

}  // namespace

Result<std::vector<KeyId>> retirable_keys(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                                          UnixMillis unneeded_before) {
  std::vector<KeyId> keys;
  QUIETUS_TRY_AS(const auto rotation, rows::rotation(reader, seal, scope));
  if (!rotation || rotation->stage != RotationStage::kMoved) return keys;
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal, scope));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  // A restore may have brought rows of any generation back, until all was moved again.
  bool restored = false;
  QUIETUS_TRY_AS(const auto others, rows::instances(reader, seal, [&] { restored = true; }));
  restored = restored || !others.empty();
  const auto unneeded = [&](const KeyRecord& key) {
    return restored ? rotation->moved : unneeded_since(*row, *rotation, key.generation);
  };
  for (const KeyRecord& key : row->keys)
    if (key.line == KeyLine::kData && !is_destroyed(key.state) &&
        key.generation < rotation->generation &&
        (rotation->destroys || unneeded(key) < unneeded_before))
      keys.push_back(key.id);
  return keys;
}

}  // namespace quietus
