// What T2 writes about the erased scopes.
#include <algorithm>
#include <set>

#include "base/byte_reader.hpp"
#include "base/text_encoding.hpp"
#include "evidence/log_store.hpp"
#include "keys/batch_rows.hpp"
#include "keys/root_change.hpp"
#include "keys/rotation.hpp"
#include "keys/schedule.hpp"

namespace quietus {
namespace {

// What a key-created entry says of a key of that scope; nothing for other entries.
std::optional<KeyRecord> key_record_of(const LogEntry& entry, ScopeId scope, std::uint64_t index) {
  const std::string* owner = entry.text("scope");
  const std::string* key = entry.text("key");
  const std::string* line = entry.text("line");
  const std::uint64_t* generation = entry.number("generation");
  const std::string* commitment = entry.text("commitment");
  if (entry.kind() != entry_kinds::kKeyCreated || !owner || !key || !line || !generation ||
      !commitment || *owner != hex_id(scope))
    return std::nullopt;
  const auto id = from_hex(*key);
  const auto committed = from_hex(*commitment);
  if (!id || id->size() != 8 || !committed || committed->size() != 32) return std::nullopt;
  KeyRecord record;
  record.id = ByteReader(*id).u64();
  record.line = *line == name_of(KeyLine::kData) ? KeyLine::kData : KeyLine::kLasting;
  record.generation = static_cast<std::uint32_t>(*generation);
  record.created = entry.head().time;
  record.log_index = index;
  std::copy(committed->begin(), committed->end(), record.commitment.begin());
  return record;
}

// The erasure that a batch-unreachable entry is of.
std::optional<ErasureId> batch_of(const LogEntry& entry) {
  const std::string* erasure = entry.text("erasure");
  if (entry.kind() != entry_kinds::kBatchUnreachable || erasure == nullptr) return std::nullopt;
  const auto bytes = from_hex(*erasure);
  ErasureId id{};
  if (!bytes || bytes->size() != id.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

// Takes out the keys that an erasure made unreachable.
void forget_unreachable(const LogEntry& entry, std::vector<KeyRecord>& keys) {
  if (entry.kind() != entry_kinds::kKeysUnreachable) return;
  const std::vector<std::string>* gone = entry.list("keys");
  if (gone == nullptr) return;
  std::erase_if(keys, [&](const KeyRecord& key) {
    return std::find(gone->begin(), gone->end(), hex_id(key.id)) != gone->end();
  });
}

// Drops the facts of the oldest destroyed keys, so that a scope can be purged for ever.
void limit_destroyed(std::vector<KeyRecord>& keys) {
  auto destroyed = static_cast<std::size_t>(std::count_if(
      keys.begin(), keys.end(), [](const KeyRecord& key) { return is_destroyed(key.state); }));
  std::erase_if(keys, [&](const KeyRecord& key) {
    if (!is_destroyed(key.state) || destroyed <= kMaxDestroyedKeys) return false;
    --destroyed;
    return true;
  });
}

}  // namespace

// Marks keys and scopes as destroyed and writes tombstones.
Result<void> RootChange::bury(ControlWriter& writer, const Intent& intent) {
  for (const IntentTarget& target : intent.targets) {
    if (intent.kind == ChangeKind::kRetire) {
      QUIETUS_TRY(bury_retired(writer, intent, target));
      continue;
    }
    QUIETUS_TRY(rows::remove_rotation(writer, target.scope));
    QUIETUS_TRY(rows::remove_schedule(writer, target.scope));
    const auto stored = rows::key_row(writer, seal(), target.scope);
    KeyRow row;
    row.id = target.scope;
    if (stored.ok() && stored.value()) {
      row = *stored.value();
    } else {
      QUIETUS_TRY_AS(row.keys, keys_from_log(writer, target.scope));
    }
    rows::mark_destroyed(row, {intent.id, intent.committed, intent.reason});
    QUIETUS_TRY(rows::put_key_row(writer, seal(), row));
    QUIETUS_TRY(rows::remove_info(writer, target.scope));
    QUIETUS_TRY(rows::put_tombstone(writer, seal(), target.scope,
                                    {intent.id, intent.committed, intent.reason}));
  }
  return {};
}

// A rotation may have given a target a newer key since T1: it dies with the others. Every key that
// T2 marks as destroyed must be one whose leaf it zeroes.
Result<void> RootChange::add_newer_keys(ControlReader& reader, Intent& intent) {
  if (intent.kind != ChangeKind::kErase) return {};
  for (IntentTarget& target : intent.targets) {
    const auto row = rows::key_row(reader, seal(), target.scope);
    // A damaged row is not rotated, and its keys were found without it.
    if (!row.ok() || !row.value()) continue;
    for (const KeyRecord& key : row.value()->keys) {
      const bool named =
          std::find(target.keys.begin(), target.keys.end(), key.id) != target.keys.end();
      if (!named && !is_destroyed(key.state)) target.keys.push_back(key.id);
    }
  }
  return {};
}

Result<IntentTarget> RootChange::retired_target_of(ControlReader& reader, ScopeId scope,
                                                   UnixMillis unneeded_before) {
  IntentTarget target;
  target.scope = scope;
  QUIETUS_TRY_AS(target.keys, retirable_keys(reader, seal(), scope, unneeded_before));
  if (target.keys.empty())
    return Error(ErrorCode::kRefused, "the scope has no older key that nothing needs any more");
  return target;
}

// Again on the snapshot that is written to (I-23): only keys that nothing needs are retired.
Result<void> RootChange::check_retirable(ControlReader& reader, const Intent& intent) {
  if (intent.kind != ChangeKind::kRetire) return {};
  for (const IntentTarget& target : intent.targets) {
    QUIETUS_TRY_AS(const auto keys, retirable_keys(reader, seal(), target.scope, kWhenever));
    for (const KeyId key : target.keys)
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        return Error(ErrorCode::kBusy, "the scope's key is being replaced again; try later");
  }
  return {};
}

// Older generations alone: the scope lives on under its newest. Its rotation is remembered for as
// long as it left any of them behind.
Result<void> RootChange::bury_retired(ControlWriter& writer, const Intent& intent,
                                      const IntentTarget& target) {
  QUIETUS_TRY_AS(auto row, rows::key_row(writer, seal(), target.scope));
  if (!row) return Error(ErrorCode::kCorrupt, "scope: its row is missing");
  for (KeyRecord& key : row->keys) {
    if (std::find(target.keys.begin(), target.keys.end(), key.id) == target.keys.end()) continue;
    key.state = destroyed_from(key.state);
    key.changed = intent.committed;
    key.wrapped.clear();
  }
  limit_destroyed(row->keys);
  QUIETUS_TRY(rows::put_key_row(writer, seal(), *row));
  QUIETUS_TRY(forget_lost_names(writer, *row));
  QUIETUS_TRY_AS(const auto left, retirable_keys(writer, seal(), target.scope, kWhenever));
  return left.empty() ? rows::remove_rotation(writer, target.scope) : Result<void>();
}

// Names of erased children that no key can tell any more, and the free text of why they were
// erased, which may name them. Their tombstones stay.
Result<void> RootChange::forget_lost_names(ControlWriter& writer, const KeyRow& parent) {
  std::set<std::uint32_t> living;
  for (const KeyRecord& key : parent.keys)
    if (key.line == KeyLine::kData && !is_destroyed(key.state)) living.insert(key.generation);
  std::vector<std::pair<rows::ChildName, ScopeId>> lost;
  QUIETUS_TRY(rows::child_names(writer, seal(), {parent.id, 0, {}},
                                [&](const rows::ChildName& name, ScopeId id) -> Result<bool> {
                                  if (!living.contains(name.generation))
                                    lost.emplace_back(name, id);
                                  return true;
                                }));
  for (const auto& [name, id] : lost) {
    QUIETUS_TRY(rows::remove_child(writer, name));
    QUIETUS_TRY(rows::remove_reason_text(writer, id));
  }
  return {};
}

// The facts that an erasure and its certificate need, when the scope's own row is damaged: the log
// has them too.
Result<std::vector<KeyRecord>> RootChange::keys_from_log(ControlReader& reader, ScopeId scope) {
  std::vector<KeyRecord> found;
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  for (std::uint64_t index = 0; index < head.size; ++index) {
    QUIETUS_TRY_AS(const Bytes text, read_entry(reader, log_seal(), index));
    QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
    if (auto record = key_record_of(entry, scope, index)) found.push_back(std::move(*record));
    forget_unreachable(entry, found);
    const auto batch = batch_of(entry);
    if (!batch) continue;
    // A batch takes all keys that its scope has.
    QUIETUS_TRY_AS(const auto listed, rows::statement(reader, seal(), *batch, scope));
    if (listed) found.clear();
  }
  return found;
}

}  // namespace quietus
