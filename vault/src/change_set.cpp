#include "change_set.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "record_fence.hpp"
#include "record_keys.hpp"

namespace quietus {
namespace {

constexpr int kMaxApplyTries = 8;

bool is_object(const RecordChange& change) {
  return change.object || change.content.size() > kMaxInlineContent;
}

RecordMetadata metadata_of(const RecordChange& change, UnixMillis now) {
  RecordMetadata metadata{now, change.content.size(), change.name, change.content_type, {}};
  if (change.object) {
    metadata.size = change.object->size;
    metadata.object = change.object->ref;
  }
  return metadata;
}

// Fresh versions for all that will be stored, at the price of one system call.
Bytes random_versions(std::size_t count) {
  Bytes versions(count * sizeof(Version));
  random_bytes(versions);
  return versions;
}

}  // namespace

Result<void> check_condition(const std::optional<Version>& now,
                             const std::optional<Version>& expected, bool must_be_new) {
  if (must_be_new && now) return Error(ErrorCode::kConflict, "there is such a record");
  if (expected && now != expected)
    return Error(ErrorCode::kConflict, "the record has another version");
  return {};
}

void ChangeSet::add(const RecordChange& change) {
  Step step;
  step.change = change;
  const auto [last, is_first] = last_.try_emplace(change.name, steps_.size());
  if (!is_first) {
    step.earlier = last->second;
    steps_[last->second].superseded = true;
    last->second = steps_.size();
  }
  steps_.push_back(step);
}

Result<void> ChangeSet::apply(UnixMillis now) {
  for (int tries = 1;; ++tries) {
    Result<void> applied = apply_once(now);
    sweep(applied.ok());
    const bool replaced = !applied && applied.error().code() == ErrorCode::kBusy;
    if (!replaced || tries == kMaxApplyTries || !take_back_objects()) return applied;
  }
}

Result<void> ChangeSet::apply_once(UnixMillis now) {
  QUIETUS_TRY(write_objects());
  return keys_.with_scope(access_, KeyUse::kProtect,
                          [&](const ScopeKeys& keys, const KeyCache::Use& use) {
                            return seal_and_commit(keys, use, now);
                          });
}

Result<void> ChangeSet::write_objects() {
  for (Step& step : steps_) {
    RecordChange& change = step.change;
    if (step.superseded || change.removes || change.object || !is_object(change)) continue;
    ByteView rest = change.content;
    ObjectWriter writer(keys_, store_, access_, token_);
    step.wrote_object = true;
    QUIETUS_TRY_AS(change.object, writer.write([&]() -> Result<ByteView> {
      const ByteView piece = rest.first(std::min(rest.size(), kObjectPieceSize));
      rest = rest.subspan(piece.size());
      return piece;
    }));
  }
  return {};
}

// What was sealed under a key that was replaced meanwhile, and can be sealed again.
bool ChangeSet::take_back_objects() {
  bool any = false;
  for (Step& step : steps_) {
    if (!step.wrote_object) continue;
    step.change.object.reset();
    step.wrote_object = false;
    any = true;
  }
  return any;
}

Result<void> ChangeSet::seal_and_commit(const ScopeKeys& keys, const KeyCache::Use& use,
                                        UnixMillis now) {
  for (Step& step : steps_) step.row = prf128(keys.names, as_bytes(step.change.name));
  const Bytes sealed = seal_all(active_seal(keys_.vault_id(), keys, use), now);
  QUIETUS_FAILPOINT("records/before-update");
  QUIETUS_TRY(store_.update([&](RecordWriter& writer) -> Result<void> {
    QUIETUS_TRY(check_all(writer, keys, use));
    QUIETUS_TRY(raise_fence(writer, scope_, keys.generation));
    return write_all(writer, sealed);
  }));
  use.set_committed();
  return {};
}

Result<void> ChangeSet::check_all(RecordWriter& writer, const ScopeKeys& keys,
                                  const KeyCache::Use& use) {
  QUIETUS_TRY(check_fence(writer, scope_, keys.generation, use));
  // with_scope() then begins again.
  if (!use.current()) return Error(ErrorCode::kBusy, "the keys were replaced meanwhile");
  for (Step& step : steps_) QUIETUS_TRY(check(writer, keys, use, step));
  return {};
}

Result<void> ChangeSet::write_all(RecordWriter& writer, ByteView sealed) {
  for (const Step& step : steps_) {
    QUIETUS_TRY(write(writer, step, sealed.first(step.sealed_size)));
    sealed = sealed.subspan(step.sealed_size);
  }
  return {};
}

// All that will be stored, one after the other.
Bytes ChangeSet::seal_all(const RecordSeal& seal, UnixMillis now) {
  const Bytes versions = random_versions(steps_.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    RecordChange& change = step.change;
    std::copy_n(versions.begin() + static_cast<std::ptrdiff_t>(i * sizeof(Version)),
                sizeof(Version), change.version.begin());
    if (change.object) change.object->ref.origin = change.version;
    if (change.removes || step.superseded) continue;
    step.sealed_size = stored_record_size(metadata_of(change, now), change.content.size());
    total += step.sealed_size;
  }
  Bytes sealed(total);
  MutableBytes rest(sealed);
  for (const Step& step : steps_) {
    if (step.sealed_size == 0) continue;
    const ByteView content = step.change.object ? ByteView() : step.change.content;
    seal_record(seal, step.row, step.change.version, metadata_of(step.change, now), content,
                rest.first(step.sealed_size));
    rest = rest.subspan(step.sealed_size);
  }
  return sealed;
}

Result<void> ChangeSet::check(RecordWriter& writer, const ScopeKeys& keys, const KeyCache::Use& use,
                              Step& step) {
  RecordChange& change = step.change;
  std::optional<Version> now;
  if (step.earlier) {
    const RecordChange& earlier = steps_[*step.earlier].change;
    if (!earlier.removes) now = earlier.version;
  } else {
    QUIETUS_TRY_AS(now, look_at_stored(writer, keys, use, step));
    if (now && keys.standing.held)
      return Error(ErrorCode::kHeld, "a legal hold keeps the record from being changed or removed");
  }
  change.existed = now.has_value();
  QUIETUS_TRY(check_condition(now, change.expected, change.must_be_new));
  if (!change.object || step.superseded) return {};
  if (change.object->generation != keys.generation)
    return Error(ErrorCode::kBusy, "the scope's key was replaced meanwhile; try again");
  return check_announced(writer, scope_, change.object->ref.id, token_);
}

// While the scope's key is being replaced, a record lies under its name of the older key until it
// is re-encrypted or changed.
Result<std::optional<ByteView>> ChangeSet::find_stored(RecordWriter& writer, const ScopeKeys& keys,
                                                       Step& step) {
  step.stored_row.reset();
  QUIETUS_TRY_AS(auto value, writer.get({RecordTable::kRecords, scope_, step.row}));
  for (std::size_t i = 0; i < keys.older.size() && !value; ++i) {
    const Prf128 row = prf128(keys.older[i].names, as_bytes(step.change.name));
    QUIETUS_TRY_AS(value, writer.get({RecordTable::kRecords, scope_, row}));
    if (value) step.stored_row = row;
  }
  return value;
}

// The version of the record that is there. A damaged one may be replaced or removed; if it was a
// large object, nobody can tell which one any more and its rows stay.
Result<std::optional<Version>> ChangeSet::look_at_stored(RecordWriter& writer,
                                                         const ScopeKeys& keys,
                                                         const KeyCache::Use& use, Step& step) {
  step.replaced.reset();
  QUIETUS_TRY_AS(const auto value, find_stored(writer, keys, step));
  if (!value) return std::optional<Version>();
  const auto record = StoredRecord::parse(*value);
  if (!record) return std::optional(Version{});
  const auto seal = seal_of_generation(keys_.vault_id(), keys, use, record->generation());
  if (record->is_object() && seal) {
    MetadataRoom room;
    const Prf128& at = step.stored_row ? *step.stored_row : step.row;
    const auto metadata = RecordOpener(*seal, at, *record).open_metadata(room);
    if (metadata && metadata->object) {
      step.replaced = metadata->object->id;
      return std::optional(metadata->object->origin);
    }
  }
  return std::optional(record->version());
}

Result<void> ChangeSet::write(RecordWriter& writer, const Step& step, ByteView sealed) {
  if (step.replaced) QUIETUS_TRY(abandon_object(writer, scope_, *step.replaced));
  if (step.stored_row)
    QUIETUS_TRY(writer.remove({RecordTable::kRecords, scope_, *step.stored_row}));
  if (step.superseded) return {};
  const RecordKeyRef row{RecordTable::kRecords, scope_, step.row};
  if (step.change.removes) return writer.remove(row);
  QUIETUS_TRY(writer.put(row, sealed));
  if (step.change.object) return adopt_object(writer, scope_, step.change.object->ref.id);
  return {};
}

// What cannot be removed now has a garbage row, and is removed when the vault is opened next.
void ChangeSet::sweep(bool applied) {
  for (const Step& step : steps_) {
    if (applied && step.replaced) static_cast<void>(sweep_object(store_, scope_, *step.replaced));
    if (!applied && step.change.object)
      static_cast<void>(sweep_object(store_, scope_, step.change.object->ref.id));
  }
}

}  // namespace quietus
