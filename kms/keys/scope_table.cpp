#include "keys/scope_table.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "base/byte_writer.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/holds.hpp"
#include "keys/key_tree.hpp"

namespace quietus {
namespace {

constexpr KeyId kFirstFreeKeyId = 16;

Bytes binding(const VaultId& vault, const KeyRow& row, const KeyRecord& key) {
  ByteWriter out;
  out.raw(vault).u64(row.id).u64(row.parent).u64(key.id).u8(key.line == KeyLine::kData ? 0 : 1);
  out.u32(key.generation).u32(key.parent_generation);
  out.u8(static_cast<std::uint8_t>(row.sources.size()));
  for (std::size_t i = 0; i < row.sources.size(); ++i)
    out.u64(row.sources[i]).u32(key.source_generations[i]);
  return out.take();
}

Bytes labelled(std::string_view label, ByteView content) {
  return ByteWriter().raw(as_bytes(label)).u8(0).raw(content).take();
}

Bytes id_bytes(std::uint64_t id) {
  return ByteWriter().u64(id).take();
}

Error erased() {
  return Error(ErrorCode::kErased, "the scope was erased");
}

GenerationKeys derive_all(std::uint32_t generation, const ScopeKey& key) {
  return {generation, derive(edges::kRecords, key), derive(edges::kNames, key),
          derive(edges::kRows, key), derive(edges::kChildren, key)};
}

Error no_such_generation() {
  return {ErrorCode::kCorrupt, "scope: wrapped under a generation that is not there"};
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

Result<std::uint64_t> allocate_leaf(ControlWriter& writer, const RowSeal& seal, RootRow& root) {
  QUIETUS_TRY_AS(const auto freed, rows::take_freed_leaf(writer, seal));
  if (freed) return *freed;
  return root.next_leaf++;
}

}  // namespace

Result<ScopeId> fresh_scope_id(ControlReader& reader, const RowSeal& seal) {
  while (true) {
    const ScopeId id = random_id63();
    QUIETUS_TRY_AS(const auto taken, rows::key_row(reader, seal, id));
    if (!taken) return id;
  }
}

Result<KeyId> fresh_key_id(ControlReader& reader, const RowSeal& seal) {
  while (true) {
    const KeyId id = random_id63();
    QUIETUS_TRY_AS(const auto taken, rows::leaf_owner(reader, seal, id));
    if (!taken && id >= kFirstFreeKeyId) return id;
  }
}

Result<void> check_allowed(const ScopeKeys& keys, const ScopeAccess& access, KeyUse use) {
  if (use == KeyUse::kMaintain) return {};
  const Standing& standing = keys.standing;
  const Allowance given = use == KeyUse::kProtect ? standing.protect : standing.process;
  if (given == Allowance::kYes || (given == Allowance::kByException && access.by_exception))
    return {};
  const std::string state(name_of(standing.limited_by));
  if (standing.limited_by == KeyState::kSuspended)
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
  if (depth > kMaxScopeDepth) return Error(ErrorCode::kCorrupt, "scope: nested too deep");
  QUIETUS_TRY_AS(const auto row, rows::key_row(reader, seal(), scope));
  if (!row) return Error(ErrorCode::kNotFound, "no such scope");
  if (is_destroyed(row->state)) return erased();
  QUIETUS_TRY_AS(const Standing standing, standing_of(reader, *row, depth));
  std::vector<GenerationKeys> generations;
  for (const KeyRecord& key : row->keys) {
    if (key.line != KeyLine::kData || is_destroyed(key.state)) continue;
    QUIETUS_TRY_AS(const ScopeKey scope_key, unwrap_line<ScopeRole>(reader, *row, key, depth));
    generations.push_back(derive_all(key.generation, scope_key));
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

template <class Role>
Result<Key<Role>> ScopeTable::unwrap_line(ControlReader& reader, const KeyRow& row,
                                          const KeyRecord& key, std::size_t depth) {
  if (key.source_generations.size() != row.sources.size())
    return Error(ErrorCode::kCorrupt, "scope: its key does not say how it is wrapped");
  KeyTree tree(id_, vault_.root, use_.context());
  QUIETUS_TRY_AS(const LeafKey leaf, tree.leaf(reader, {key.id, key.leaf}));
  QUIETUS_TRY_AS(const WrapKey wrapper, wrapping_key(row, key, leaf, reader, depth));
  auto unwrapped = unwrap_key<Role>(
      use_.context(), wrapper, labelled(labels::kWrapData, binding(id_, row, key)), key.wrapped);
  if (!unwrapped) return Error(ErrorCode::kCorrupt, "scope: its key does not unwrap");
  if (commit_to(*unwrapped, id_bytes(key.id)) != key.commitment)
    return Error(ErrorCode::kCorrupt, "scope: its key is not the one that was committed to");
  return unwrapped;
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

Result<WrapKey> ScopeTable::wrapping_key(const KeyRow& row, const KeyRecord& key,
                                         const LeafKey& leaf, ControlReader& reader,
                                         std::size_t depth) {
  std::vector<std::shared_ptr<const ScopeKeys>> holders;
  std::vector<const GenerationKeys*> inputs;
  const auto take = [&](ScopeId scope, std::uint32_t generation) -> Result<void> {
    QUIETUS_TRY_AS(auto keys, unwrap(reader, scope, depth + 1));
    inputs.push_back(keys->of_generation(generation));
    holders.push_back(std::move(keys));
    return inputs.back() != nullptr ? Result<void>() : no_such_generation();
  };
  if (row.id != kVaultScope) QUIETUS_TRY(take(row.parent, key.parent_generation));
  for (std::size_t i = 0; i < row.sources.size(); ++i)
    QUIETUS_TRY(take(row.sources[i], key.source_generations[i]));
  SecretBuffer material(kKeySize * (1 + inputs.size()));
  material.fill([&](MutableBytes out) {
    leaf.expose([&](ByteView bytes) { std::copy(bytes.begin(), bytes.end(), out.begin()); });
    for (std::size_t i = 0; i < inputs.size(); ++i)
      inputs[i]->children.expose([&](ByteView bytes) {
        std::copy(bytes.begin(), bytes.end(), out.subspan(kKeySize * (i + 1)).begin());
      });
  });
  const Bytes info = labelled(labels::kWrap, binding(id_, row, key));
  return WrapKey::make([&](MutableBytes out) {
    material.expose([&](ByteView bytes) { hkdf_sha256(bytes, {}, info, out); });
  });
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
  QUIETUS_TRY_AS(const auto keys_of_parent, keys(reader, parent));
  const auto look = [&](const GenerationKeys& generation) {
    return rows::child(reader, seal(), parent, prf128(generation.names, as_bytes(name)));
  };
  QUIETUS_TRY_AS(auto id, look(*keys_of_parent));
  for (std::size_t i = 0; i < keys_of_parent->older.size() && !id; ++i) {
    QUIETUS_TRY_AS(id, look(keys_of_parent->older[i]));
  }
  return id;
}

Result<InfoRow> ScopeTable::info(ControlReader& reader, ScopeId scope) {
  QUIETUS_TRY_AS(const auto scope_keys, keys(reader, scope));
  Result<std::optional<InfoRow>> row = rows::info(reader, seal_under(*scope_keys), scope);
  for (std::size_t i = 0; i < scope_keys->older.size() && !row; ++i)
    row = rows::info(reader, seal_under(scope_keys->older[i]), scope);
  if (!row) return std::move(row).error();
  if (!*row) return Error(ErrorCode::kCorrupt, "scope: its own row is missing");
  return std::move(**row);
}

// Which generations of parent and sources a key that is wrapped now is wrapped under.
Result<void> ScopeTable::wrap_under_newest(ControlReader& reader, const KeyRow& row,
                                           KeyRecord& record) {
  record.parent_generation = 0;
  record.source_generations.clear();
  if (row.id != kVaultScope) {
    QUIETUS_TRY_AS(const auto parent, keys(reader, row.parent));
    record.parent_generation = parent->generation;
  }
  for (const ScopeId source : row.sources) {
    QUIETUS_TRY_AS(const auto keys_of_source, keys(reader, source));
    record.source_generations.push_back(keys_of_source->generation);
  }
  return {};
}

template <class Role>
Result<KeyRecord> ScopeTable::make_key(ControlWriter& writer, RootRow& root, const KeyRow& row,
                                       const NewScope& scope, KeyLine line, const Key<Role>& key) {
  KeyRecord record;
  QUIETUS_TRY_AS(record.id, fresh_key_id(writer, seal()));
  record.line = line;
  record.generation = 1;
  record.created = record.changed = scope.now;
  QUIETUS_TRY(wrap_under_newest(writer, row, record));
  QUIETUS_TRY_AS(record.leaf, allocate_leaf(writer, seal(), root));
  const LeafKey leaf = random_key<LeafRole>();
  KeyTree tree(id_, vault_.root, use_.context());
  QUIETUS_TRY(tree.add(writer, {record.id, record.leaf}, leaf));
  QUIETUS_TRY_AS(const WrapKey wrapper, wrapping_key(row, record, leaf, writer, 0));
  record.wrapped = wrap_key(use_.context(), wrapper,
                            labelled(labels::kWrapData, binding(id_, row, record)), key);
  record.commitment = commit_to(key, id_bytes(record.id));
  const std::string entry =
      entry_text(new_entry(scope.now),
                 KeyCreated{row.id, record.id, line, record.generation, record.commitment});
  QUIETUS_TRY_AS(record.log_index,
                 append_entry(writer, {vault_.rows, id_, use_.context()}, as_bytes(entry)));
  QUIETUS_TRY(rows::put_leaf_owner(writer, seal(), record.id, {record.leaf, row.id}));
  return record;
}

Result<void> ScopeTable::write_scope(ControlWriter& writer, RootRow& root, KeyRow row,
                                     const NewScope& scope) {
  const ScopeKey data = random_key<ScopeRole>();
  const LastingKey lasting = random_key<LastingRole>();
  QUIETUS_TRY_AS(KeyRecord data_record, make_key(writer, root, row, scope, KeyLine::kData, data));
  QUIETUS_TRY_AS(KeyRecord lasting_record,
                 make_key(writer, root, row, scope, KeyLine::kLasting, lasting));
  row.keys.push_back(std::move(data_record));
  row.keys.push_back(std::move(lasting_record));
  row.changed = scope.now;
  QUIETUS_TRY(rows::put_key_row(writer, seal(), row));
  const GenerationKeys own = derive_all(1, data);
  QUIETUS_TRY(
      rows::put_info(writer, seal_under(own), row.id, {scope.name, scope.data_class, scope.now}));
  return save(writer, root);
}

Result<ScopeId> ScopeTable::create(ControlWriter& writer, RootRow& root, const NewScope& scope) {
  QUIETUS_TRY(check_form(scope));
  QUIETUS_TRY_AS(const auto taken, child(writer, scope.parent, scope.name));
  if (taken) return Error(ErrorCode::kAlreadyExists, "the scope exists already");
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
  QUIETUS_TRY(rows::put_child(writer, seal(), scope.parent, name, row.id));
  QUIETUS_TRY(write_scope(writer, root, row, scope));
  return row.id;
}

Result<void> ScopeTable::create_vault_scope(ControlWriter& writer, RootRow& root, UnixMillis now) {
  KeyRow row;
  row.id = kVaultScope;
  NewScope scope;
  scope.now = now;
  return write_scope(writer, root, row, scope);
}

}  // namespace quietus
