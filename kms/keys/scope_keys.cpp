// Keys of scopes: made, wrapped, unwrapped, and wrapped anew.
#include <algorithm>

#include "base/byte_writer.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/key_tree.hpp"
#include "keys/scope_table.hpp"

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

Error no_such_generation() {
  return {ErrorCode::kCorrupt, "scope: wrapped under a generation that is not there"};
}

Result<std::uint64_t> allocate_leaf(ControlWriter& writer, const RowSeal& seal, RootRow& root) {
  QUIETUS_TRY_AS(const auto freed, rows::take_freed_leaf(writer, seal));
  if (freed) return *freed;
  return root.next_leaf++;
}

}  // namespace

Result<KeyId> fresh_key_id(ControlReader& reader, const RowSeal& seal) {
  while (true) {
    const KeyId id = random_id63();
    QUIETUS_TRY_AS(const auto taken, rows::leaf_owner(reader, seal, id));
    if (!taken && id >= kFirstFreeKeyId) return id;
  }
}

GenerationKeys derive_generation(std::uint32_t generation, const ScopeKey& key) {
  return {generation, derive(edges::kRecords, key), derive(edges::kNames, key),
          derive(edges::kRows, key), derive(edges::kChildren, key)};
}

template <class Role>
Result<Key<Role>> ScopeTable::unwrap_line(ControlReader& reader, const KeyRow& row,
                                          const KeyRecord& key, std::size_t depth) {
  if (key.source_generations.size() != row.sources.size())
    return Error(ErrorCode::kCorrupt, "scope: its key does not say how it is wrapped");
  KeyTree tree(id_, vault_.root, use_.context(), overlay_);
  QUIETUS_TRY_AS(const LeafKey leaf, tree.leaf(reader, {key.id, key.leaf}));
  QUIETUS_TRY_AS(const WrapKey wrapper, wrapping_key(row, key, leaf, reader, depth));
  auto unwrapped = unwrap_key<Role>(
      use_.context(), wrapper, labelled(labels::kWrapData, binding(id_, row, key)), key.wrapped);
  if (!unwrapped) return Error(ErrorCode::kCorrupt, "scope: its key does not unwrap");
  if (commit_to(*unwrapped, id_bytes(key.id)) != key.commitment)
    return Error(ErrorCode::kCorrupt, "scope: its key is not the one that was committed to");
  return unwrapped;
}

Result<WrapKey> ScopeTable::wrapping_key(const KeyRow& row, const KeyRecord& key,
                                         const LeafKey& leaf, ControlReader& reader,
                                         std::size_t depth) {
  std::vector<std::shared_ptr<const ScopeKeys>> holders;
  std::vector<const GenerationKeys*> inputs;
  const auto take = [&](ScopeId scope, std::uint32_t generation) -> Result<void> {
    QUIETUS_TRY_AS(auto keys, unwrap(reader, scope, depth + 1));
    if (keys->of_generation(generation) == nullptr) {
      QUIETUS_TRY_AS(keys, unwrap_anew(reader, scope, depth + 1));
    }
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

// Nodes of an erasure may be staged already that are to have the new leaf; and where the scope is
// one that it erases, the key is to die with the others.
Result<void> ScopeTable::tell_staged_of_key(ControlWriter& writer, const RootRow& root,
                                            ScopeId scope, const LeafRef& leaf) {
  for (const RootAttempt& attempt : root.attempts) {
    if (!attempt.staged) continue;
    const std::uint64_t generation = attempt.slot.generation;
    QUIETUS_TRY(rows::note_added_leaf(writer, seal(), generation, leaf));
    QUIETUS_TRY_AS(const bool target, rows::is_listed(writer, attempt.change, scope));
    if (target) QUIETUS_TRY(rows::mark_changed(writer, seal(), generation));
  }
  return {};
}

template <class Role>
Result<KeyRecord> ScopeTable::make_key(ControlWriter& writer, RootRow& root, const KeyRow& row,
                                       const NewKey& made, const Key<Role>& key) {
  KeyRecord record;
  QUIETUS_TRY_AS(record.id, fresh_key_id(writer, seal()));
  record.line = made.line;
  record.generation = made.generation;
  record.created = record.changed = made.now;
  QUIETUS_TRY(wrap_under_newest(writer, row, record));
  QUIETUS_TRY_AS(record.leaf, allocate_leaf(writer, seal(), root));
  const LeafKey leaf = random_key<LeafRole>();
  KeyTree tree(id_, vault_.root, use_.context(), overlay_);
  QUIETUS_TRY(tree.add(writer, {record.id, record.leaf}, leaf));
  QUIETUS_TRY(tell_staged_of_key(writer, root, row.id, {record.id, record.leaf}));
  QUIETUS_TRY_AS(const WrapKey wrapper, wrapping_key(row, record, leaf, writer, 0));
  record.wrapped = wrap_key(use_.context(), wrapper,
                            labelled(labels::kWrapData, binding(id_, row, record)), key);
  record.commitment = commit_to(key, id_bytes(record.id));
  const std::string entry =
      entry_text(new_entry(made.now),
                 KeyCreated{row.id, record.id, made.line, record.generation, record.commitment});
  QUIETUS_TRY_AS(record.log_index,
                 append_entry(writer, {vault_.rows, id_, use_.context()}, as_bytes(entry)));
  QUIETUS_TRY(rows::put_leaf_owner(writer, seal(), record.id, {record.leaf, row.id}));
  return record;
}

// A key of the same content under what stands above it now. False when it is already.
template <class Role>
Result<bool> ScopeTable::rewrap_line(ControlReader& reader, const KeyRow& row, KeyRecord& key) {
  KeyRecord next = key;
  QUIETUS_TRY(wrap_under_newest(reader, row, next));
  if (next.parent_generation == key.parent_generation &&
      next.source_generations == key.source_generations)
    return false;
  QUIETUS_TRY_AS(const Key<Role> content, unwrap_line<Role>(reader, row, key, 0));
  KeyTree tree(id_, vault_.root, use_.context(), overlay_);
  QUIETUS_TRY_AS(const LeafKey leaf, tree.leaf(reader, {key.id, key.leaf}));
  QUIETUS_TRY_AS(const WrapKey wrapper, wrapping_key(row, next, leaf, reader, 0));
  next.wrapped = wrap_key(use_.context(), wrapper,
                          labelled(labels::kWrapData, binding(id_, row, next)), content);
  key = std::move(next);
  return true;
}

Result<bool> ScopeTable::rewrap(ControlWriter& writer, ScopeId scope) {
  QUIETUS_TRY_AS(auto row, rows::key_row(writer, seal(), scope));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  if (is_destroyed(row->state)) return false;
  bool changed = false;
  for (KeyRecord& key : row->keys) {
    if (is_destroyed(key.state)) continue;
    auto rewrapped = key.line == KeyLine::kData ? rewrap_line<ScopeRole>(writer, *row, key)
                                                : rewrap_line<LastingRole>(writer, *row, key);
    // Erased with an ancestor or a source: nothing can be wrapped any more, nor need it be.
    if (!rewrapped && rewrapped.error().code() == ErrorCode::kErased) return false;
    QUIETUS_TRY_AS(const bool different, std::move(rewrapped));
    changed = changed || different;
  }
  if (changed) QUIETUS_TRY(rows::put_key_row(writer, seal(), *row));
  return changed;
}

namespace {

void deactivate(KeyRow& row, KeyLine line, UnixMillis now) {
  for (KeyRecord& key : row.keys) {
    if (key.line != line || !may_become(key.state, KeyState::kDeactivated)) continue;
    key.state = KeyState::kDeactivated;
    key.changed = now;
  }
}

}  // namespace

Result<std::uint32_t> ScopeTable::renew(ControlWriter& writer, RootRow& root, KeyRow& row,
                                        const Renewal& renewal) {
  std::uint32_t generation = 0;
  for (const KeyLine line : {KeyLine::kData, KeyLine::kLasting}) {
    if (line == KeyLine::kLasting && !renewal.lasting_too) continue;
    const KeyRecord* newest = row.newest(line);
    if (newest == nullptr) return Error(ErrorCode::kCorrupt, "scope: a key line has no key");
    const NewKey made{line, newest->generation + 1, renewal.now};
    deactivate(row, line, renewal.now);
    auto record = line == KeyLine::kData
                      ? make_key(writer, root, row, made, random_key<ScopeRole>())
                      : make_key(writer, root, row, made, random_key<LastingRole>());
    QUIETUS_TRY_AS(KeyRecord key, std::move(record));
    key.state = renewal.state;
    row.keys.push_back(std::move(key));
    if (line == KeyLine::kData) generation = made.generation;
  }
  QUIETUS_TRY(save(writer, root));
  return generation;
}

template Result<ScopeKey> ScopeTable::unwrap_line(ControlReader&, const KeyRow&, const KeyRecord&,
                                                  std::size_t);
template Result<LastingKey> ScopeTable::unwrap_line(ControlReader&, const KeyRow&, const KeyRecord&,
                                                    std::size_t);
template Result<KeyRecord> ScopeTable::make_key(ControlWriter&, RootRow&, const KeyRow&,
                                                const NewKey&, const ScopeKey&);
template Result<KeyRecord> ScopeTable::make_key(ControlWriter&, RootRow&, const KeyRow&,
                                                const NewKey&, const LastingKey&);

}  // namespace quietus
