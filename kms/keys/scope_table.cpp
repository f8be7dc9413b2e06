#include "keys/scope_table.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "base/byte_writer.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/holds.hpp"
#include "keys/key_tree.hpp"
#include "keys/schedule.hpp"

namespace quietus {
namespace {

Error erased() {
  return Error(ErrorCode::kErased, "the scope was erased");
}

Result<void> check_form(const ScopeTable::NewScope& scope) {
  if (scope.name.size() > kMaxScopeName || scope.data_class.size() > kMaxScopeName)
    return Error(ErrorCode::kInvalidArgument, "scope: name or class longer than 255 bytes");
  const auto& sources = scope.sources;
  const auto unordered = std::adjacent_find(sources.begin(), sources.end(), std::greater_equal<>());
  if (sources.size() > kMaxSources || unordered != sources.end())
    return Error(ErrorCode::kInvalidArgument,
                 "scope: at most 16 sources, in ascending order, each once");
  return {};
}

// A scope lies as deep as the longest way from it to the vault's own, over parents and sources: so
// many keys are needed to open it.
Result<void> check_depth(ControlReader& reader, const RowSeal& seal, const KeyRow& row) {
  std::set<ScopeId> level(row.sources.begin(), row.sources.end());
  level.insert(row.parent);
  for (std::size_t depth = 1; depth <= kMaxScopeDepth; ++depth) {
    std::set<ScopeId> above;
    for (const ScopeId scope : level) {
      if (scope == kVaultScope) continue;
      QUIETUS_TRY_AS(const auto found, rows::key_row(reader, seal, scope));
      if (!found) return Error(ErrorCode::kNotFound, "no such scope");
      above.insert(found->parent);
      above.insert(found->sources.begin(), found->sources.end());
    }
    if (above.empty()) return {};
    level = std::move(above);
  }
  return Error(ErrorCode::kInvalidArgument, "scope: nested or derived too deep");
}

}  // namespace

Result<ScopeId> fresh_scope_id(ControlReader& reader, const RowSeal& seal) {
  while (true) {
    const ScopeId id = random_id63();
    QUIETUS_TRY_AS(const auto taken, rows::key_row(reader, seal, id));
    if (!taken) return id;
  }
}

Result<void> check_allowed(const ScopeKeys& keys, const ScopeAccess& access, KeyUse use) {
  if (use == KeyUse::kMaintain) return {};
  const Standing& standing = keys.standing;
  const Allowance given = use == KeyUse::kProtect ? standing.protect : standing.process;
  if (given == Allowance::kYes || (given == Allowance::kByException && access.by_exception))
    return {};
  const std::string state(name_of(standing.limited_by));
  if (standing.to_be_erased && !standing.restricted)
    return Error(ErrorCode::kRestricted,
                 "its erasure was asked for and waits for its day; take that back, or state a "
                 "lawful use");
  if (standing.restricted)
    return Error(ErrorCode::kRestricted,
                 "processing is restricted; state a lawful use, or lift the restriction");
  return Error(ErrorCode::kRefused, "the scope's key is " + state +
                                        (use == KeyUse::kProtect ? ": nothing is written under it"
                                                                 : ": nothing is read under it"));
}

Result<std::shared_ptr<const ScopeKeys>> ScopeTable::keys(ControlReader& reader, ScopeId scope) {
  return unwrap(reader, scope, 0);
}

Result<std::shared_ptr<const ScopeKeys>> ScopeTable::unwrap(ControlReader& reader, ScopeId scope,
                                                            std::size_t depth) {
  if (auto cached = use_.scope(scope)) return cached;
  return unwrap_anew(reader, scope, depth);
}

Result<std::shared_ptr<const ScopeKeys>> ScopeTable::unwrap_anew(ControlReader& reader,
                                                                 ScopeId scope, std::size_t depth) {
  if (depth > kMaxScopeDepth) return Error(ErrorCode::kCorrupt, "scope: nested too deep");
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return erased();
  QUIETUS_TRY_AS(const Standing standing, standing_of(reader, *row, depth));
  std::vector<GenerationKeys> generations;
  for (const KeyRecord& key : row->keys) {
    if (key.line != KeyLine::kData || is_destroyed(key.state)) continue;
    QUIETUS_TRY_AS(const ScopeKey scope_key, unwrap_line<ScopeRole>(reader, *row, key, depth));
    generations.push_back(derive_generation(key.generation, scope_key));
  }
  if (generations.empty()) return Error(ErrorCode::kCorrupt, "scope: it has no key");
  std::sort(generations.begin(), generations.end(),
            [](const auto& a, const auto& b) { return a.generation > b.generation; });
  ScopeKeys keys{std::move(generations.front()), scope, standing, {}};
  std::move(generations.begin() + 1, generations.end(), std::back_inserter(keys.older));
  auto kept = std::make_shared<const ScopeKeys>(std::move(keys));
  use_.keep(kept);
  return kept;
}

// A scope can do no more than what it depends on: its parent and its sources.
Result<Standing> ScopeTable::standing_of(ControlReader& reader, const KeyRow& row,
                                         std::size_t depth) {
  Standing standing;
  standing.limit_to(row.state);
  standing.restricted = row.state == KeyState::kSuspended;
  QUIETUS_TRY_AS(const auto schedule, rows::schedule(reader, seal(), row.id));
  if (schedule && schedule->ended) standing.limit_to(KeyState::kDeactivated);
  if (schedule && schedule->erase_at) standing.limit_to(KeyState::kSuspended);
  standing.to_be_erased = schedule && schedule->erase_at;
  QUIETUS_TRY_AS(const auto holds, rows::holds_of(reader, seal(), row.id));
  standing.held = !holds.empty();
  if (row.id == kVaultScope) return standing;
  QUIETUS_TRY_AS(const auto parent, unwrap(reader, row.parent, depth + 1));
  standing.limit_to(parent->standing);
  for (const ScopeId source : row.sources) {
    QUIETUS_TRY_AS(const auto keys, unwrap(reader, source, depth + 1));
    standing.limit_to(keys->standing);
  }
  return standing;
}

Result<LastingKey> ScopeTable::first_lasting_key(ControlReader& reader, ScopeId scope) {
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return erased();
  for (const KeyRecord& key : row->keys)
    if (key.line == KeyLine::kLasting && key.generation == 1)
      return unwrap_line<LastingRole>(reader, *row, key, 0);
  return Error(ErrorCode::kCorrupt, "scope: its lasting line lacks its first key");
}

Result<std::shared_ptr<const LastingKeys>> ScopeTable::lasting_keys(ControlReader& reader,
                                                                    ScopeId scope) {
  QUIETUS_TRY_AS(const LastingKey first, first_lasting_key(reader, scope));
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), scope));
  LastingKeys keys{scope, derive(edges::kPseudonyms, first), {}};
  for (const KeyRecord& key : row->keys) {
    if (key.line != KeyLine::kLasting || is_destroyed(key.state)) continue;
    QUIETUS_TRY_AS(const LastingKey lasting, unwrap_line<LastingRole>(reader, *row, key, 0));
    keys.envelopes.push_back({key.generation, derive(edges::kEnvelopes, lasting)});
  }
  std::sort(keys.envelopes.begin(), keys.envelopes.end(),
            [](const auto& a, const auto& b) { return a.generation > b.generation; });
  auto kept = std::make_shared<const LastingKeys>(std::move(keys));
  use_.keep(kept);
  return kept;
}

Result<void> ScopeTable::check_keys(ControlReader& reader, const KeyRow& row) {
  if (row.newest(KeyLine::kData) == nullptr || row.newest(KeyLine::kLasting) == nullptr)
    return Error(ErrorCode::kCorrupt, "scope: a key line has no key");
  for (const KeyRecord& key : row.keys) {
    if (is_destroyed(key.state)) continue;
    if (key.line == KeyLine::kData) {
      QUIETUS_TRY(unwrap_line<ScopeRole>(reader, row, key, 0));
    } else {
      QUIETUS_TRY(unwrap_line<LastingRole>(reader, row, key, 0));
    }
  }
  return {};
}

Result<std::optional<ScopeId>> ScopeTable::child(ControlReader& reader, ScopeId parent,
                                                 std::string_view name) {
  QUIETUS_TRY_AS(const auto id, child_of_any_state(reader, parent, name));
  if (!id) return std::optional<ScopeId>();
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), *id));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  if (is_destroyed(row->state)) return erased();
  return id;
}

// While the parent's key is being replaced, some of its children are found under the older one.
Result<std::optional<ScopeId>> ScopeTable::child_of_any_state(ControlReader& reader, ScopeId parent,
                                                              std::string_view name) {
  const auto look_under = [&](const GenerationKeys& generation) {
    return rows::child(reader, seal(), parent, prf128(generation.names, as_bytes(name)));
  };
  const auto look = [&](const ScopeKeys& of_parent) -> Result<std::optional<ScopeId>> {
    QUIETUS_TRY_AS(auto id, look_under(of_parent));
    for (std::size_t i = 0; i < of_parent.older.size() && !id; ++i) {
      QUIETUS_TRY_AS(id, look_under(of_parent.older[i]));
    }
    return id;
  };
  QUIETUS_TRY_AS(auto keys_of_parent, keys(reader, parent));
  QUIETUS_TRY_AS(const auto id, look(*keys_of_parent));
  if (id) return id;
  QUIETUS_TRY_AS(const bool newest, are_newest(reader, *keys_of_parent));
  if (newest) return id;
  QUIETUS_TRY_AS(keys_of_parent, unwrap_anew(reader, parent, 0));
  return look(*keys_of_parent);
}

Result<bool> ScopeTable::are_newest(ControlReader& reader, const ScopeKeys& keys) {
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), keys.id));
  const KeyRecord* newest = row ? row->newest(KeyLine::kData) : nullptr;
  return newest == nullptr || newest->generation <= keys.generation;
}

Result<InfoRow> ScopeTable::info(ControlReader& reader, ScopeId scope) {
  const auto look = [&](const ScopeKeys& own) {
    Result<std::optional<InfoRow>> row = rows::info(reader, seal_under(own), scope);
    for (std::size_t i = 0; i < own.older.size() && !row; ++i)
      row = rows::info(reader, seal_under(own.older[i]), scope);
    return row;
  };
  QUIETUS_TRY_AS(auto own, keys(reader, scope));
  Result<std::optional<InfoRow>> row = look(*own);
  if (!row) {
    QUIETUS_TRY_AS(own, unwrap_anew(reader, scope, 0));
    row = look(*own);
  }
  if (!row) return std::move(row).error();
  if (!*row) return Error(ErrorCode::kCorrupt, "scope: its own row is missing");
  return std::move(**row);
}

Result<void> ScopeTable::write_scope(ControlWriter& writer, RootRow& root, KeyRow row,
                                     const NewScope& scope) {
  const ScopeKey data = random_key<ScopeRole>();
  const LastingKey lasting = random_key<LastingRole>();
  QUIETUS_TRY_AS(KeyRecord data_record,
                 make_key(writer, root, row, {KeyLine::kData, 1, scope.now}, data));
  QUIETUS_TRY_AS(KeyRecord lasting_record,
                 make_key(writer, root, row, {KeyLine::kLasting, 1, scope.now}, lasting));
  row.keys.push_back(std::move(data_record));
  row.keys.push_back(std::move(lasting_record));
  row.changed = scope.now;
  QUIETUS_TRY(rows::put_key_row(writer, seal(), row));
  const GenerationKeys own = derive_generation(1, data);
  QUIETUS_TRY(
      rows::put_info(writer, seal_under(own), row.id, {scope.name, scope.data_class, scope.now}));
  return save(writer, root);
}

Result<ScopeId> ScopeTable::create(ControlWriter& writer, RootRow& root, const NewScope& scope) {
  QUIETUS_TRY(check_form(scope));
  QUIETUS_TRY_AS(const auto taken, child(writer, scope.parent, scope.name));
  if (taken) {
    // Erased with a source: its own row does not say so.
    const auto alive = keys(writer, *taken);
    if (!alive && alive.error().code() == ErrorCode::kErased) return erased();
    return Error(ErrorCode::kAlreadyExists, "the scope exists already");
  }
  QUIETUS_TRY_AS(const auto parent, keys(writer, scope.parent));
  QUIETUS_TRY(check_allowed(*parent, {scope.parent}, KeyUse::kProtect));
  for (const ScopeId source : scope.sources) {
    QUIETUS_TRY_AS(const auto keys_of_source, keys(writer, source));
    QUIETUS_TRY(check_allowed(*keys_of_source, {source}, KeyUse::kProtect));
  }
  KeyRow row;
  QUIETUS_TRY_AS(row.id, fresh_scope_id(writer, seal()));
  row.parent = scope.parent;
  row.sources = scope.sources;
  QUIETUS_TRY(check_depth(writer, seal(), row));
  for (const ScopeId source : row.sources)
    QUIETUS_TRY(rows::put_derived(writer, seal(), source, row.id));
  const Prf128 name = prf128(parent->names, as_bytes(scope.name));
  QUIETUS_TRY(rows::put_child(writer, seal(), {scope.parent, parent->generation, name}, row.id));
  QUIETUS_TRY(write_scope(writer, root, row, scope));
  QUIETUS_TRY(tell_staged_of_scope(writer, root, row.id));
  return row.id;
}

// A hold may now cover what an erasure under way takes: the new scope depends on both.
Result<void> ScopeTable::tell_staged_of_scope(ControlWriter& writer, const RootRow& root,
                                              ScopeId scope) {
  for (const RootAttempt& attempt : root.attempts) {
    if (!attempt.staged) continue;
    bool held = false;
    bool doomed = false;
    QUIETUS_TRY_AS(const auto above, scopes_above(writer, seal(), scope));
    for (const ScopeId id : above) {
      QUIETUS_TRY_AS(const auto holds, rows::holds_of(writer, seal(), id));
      QUIETUS_TRY_AS(const bool target, rows::is_listed(writer, attempt.change, id));
      held = held || !holds.empty();
      doomed = doomed || target;
    }
    if (held && doomed) QUIETUS_TRY(rows::mark_changed(writer, seal(), attempt.slot.generation));
  }
  return {};
}

Result<void> ScopeTable::create_vault_scope(ControlWriter& writer, RootRow& root, UnixMillis now) {
  KeyRow row;
  row.id = kVaultScope;
  NewScope scope;
  scope.now = now;
  return write_scope(writer, root, row, scope);
}

}  // namespace quietus
