// What T2 writes about the erased scopes.
#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/text_encoding.hpp"
#include "evidence/log_store.hpp"
#include "keys/root_change.hpp"

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

// Takes out the keys that an erasure made unreachable.
void forget_unreachable(const LogEntry& entry, std::vector<KeyRecord>& keys) {
  if (entry.kind() != entry_kinds::kKeysUnreachable) return;
  const std::vector<std::string>* gone = entry.list("keys");
  if (gone == nullptr) return;
  std::erase_if(keys, [&](const KeyRecord& key) {
    return std::find(gone->begin(), gone->end(), hex_id(key.id)) != gone->end();
  });
}

}  // namespace

// Marks keys and scopes as destroyed and writes tombstones.
Result<void> RootChange::bury(ControlWriter& writer, const Intent& intent) {
  for (const IntentTarget& target : intent.targets) {
    const auto stored = rows::key_row(writer, seal(), target.scope);
    KeyRow row;
    row.id = target.scope;
    if (stored.ok() && stored.value()) {
      row = *stored.value();
    } else {
      QUIETUS_TRY_AS(row.keys, keys_from_log(writer, target.scope));
    }
    row.state = destroyed_from(row.state);
    row.changed = intent.committed;
    row.reason = intent.reason;
    for (KeyRecord& key : row.keys) {
      if (!is_destroyed(key.state)) key.changed = intent.committed;
      key.state = destroyed_from(key.state);
      key.wrapped.clear();
    }
    QUIETUS_TRY(rows::put_key_row(writer, seal(), row));
    QUIETUS_TRY(rows::remove_info(writer, target.scope));
    QUIETUS_TRY(rows::put_tombstone(writer, seal(), target.scope,
                                    {intent.id, intent.committed, intent.reason}));
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
  }
  return found;
}

}  // namespace quietus
