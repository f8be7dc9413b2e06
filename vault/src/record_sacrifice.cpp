// Records that do not open and would keep an old key alive for ever are given up: told, then
// removed.
#include <algorithm>

#include "base/failpoint.hpp"
#include "record_fence.hpp"
#include "record_keys.hpp"
#include "record_mover.hpp"

namespace quietus {

// They are told first: whoever is interrupted in between has said too much, and not too little.
Result<void> RecordMover::give_up_rows(const Rows& rows) {
  std::vector<Bytes> keys_of_rows;
  for (const Row* row : rows) keys_of_rows.push_back(row->key);
  QUIETUS_TRY((*give_up_)(keys_of_rows));
  QUIETUS_FAILPOINT("move/before-give-up");
  std::vector<std::optional<ObjectId>> objects;
  std::uint64_t removed = 0;
  const auto remove = [&](const ScopeKeys& keys, const KeyCache::Use& use) -> Result<void> {
    QUIETUS_TRY(check_newest(keys));
    // A hold that was placed since the beginning; one that is placed now changes the epoch.
    if (keys.standing.held) return Error(ErrorCode::kHeld, "a legal hold covers the scope");
    objects = objects_of(keys, use, rows);
    QUIETUS_TRY(store_.update([&](RecordWriter& writer) -> Result<void> {
      removed = 0;
      QUIETUS_TRY(check_fence(writer, scope_, keys.generation, use));
      if (!use.current()) return Error(ErrorCode::kBusy, "the keys were replaced meanwhile");
      for (std::size_t i = 0; i < rows.size(); ++i) {
        QUIETUS_TRY_AS(const bool one, remove_unchanged(writer, *rows[i], objects[i]));
        removed += one ? 1 : 0;
      }
      return {};
    }));
    use.set_committed();
    return {};
  };
  QUIETUS_TRY(keys_.with_scope(scope_, KeyUse::kMaintain, remove));
  QUIETUS_FAILPOINT("move/after-give-up");
  for (const auto& object : objects)
    if (object) static_cast<void>(sweep_object(store_, scope_, *object));
  // One that was put right or replaced meanwhile is looked at again.
  found_ = true;
  moved_.given_up += removed;
  moved_.damaged -= removed;
  return {};
}

// Of large ones whose metadata opens. The rows of others stay behind; no key opens them.
std::vector<std::optional<ObjectId>> RecordMover::objects_of(const ScopeKeys& keys,
                                                             const KeyCache::Use& use,
                                                             const Rows& rows) {
  std::vector<std::optional<ObjectId>> objects(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto record = StoredRecord::parse(rows[i]->value);
    Prf128 at{};
    if (!record || !record->is_object() || rows[i]->key.size() != at.size()) continue;
    std::ranges::copy(rows[i]->key, at.begin());
    const auto seal = seal_of_generation(keys_.vault_id(), keys, use, record->generation());
    if (!seal) continue;
    MetadataRoom room;
    const auto metadata = RecordOpener(*seal, at, *record).open_metadata(room);
    if (metadata && metadata->object) objects[i] = metadata->object->id;
  }
  return objects;
}

Result<bool> RecordMover::remove_unchanged(RecordWriter& writer, const Row& row,
                                           const std::optional<ObjectId>& object) {
  const RecordKeyRef place{RecordTable::kRecords, scope_, row.key};
  QUIETUS_TRY_AS(const auto value, writer.get(place));
  if (!value || !std::ranges::equal(*value, row.value)) return false;
  QUIETUS_TRY(writer.remove(place));
  if (object) QUIETUS_TRY(abandon_object(writer, scope_, *object));
  return true;
}

}  // namespace quietus
