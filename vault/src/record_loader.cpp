#include "record_loader.hpp"

#include <algorithm>

namespace quietus {
namespace {

constexpr std::size_t kLoadedRows = 2000;  // in one transaction
constexpr std::size_t kLoadedBytes = std::size_t{8} << 20;

}  // namespace

Result<void> RecordLoader::add(const BackupReader::Row& row) {
  const Place place{*row.table, row.scope};
  if (at_ != place) {
    QUIETUS_TRY(look_at_scope(row.scope));
    at_ = place;
  }
  if (!is_wanted(row)) return {};
  held_.push_back(
      {place, Bytes(row.key.begin(), row.key.end()), Bytes(row.value.begin(), row.value.end())});
  bytes_ += row.key.size() + row.value.size();
  if (held_.size() < kLoadedRows && bytes_ < kLoadedBytes) return {};
  return flush();
}

// Rows of several scopes go into one transaction: it need not be atomic, since nobody sees the
// instance before all is there.
Result<void> RecordLoader::flush() {
  if (held_.empty()) return {};
  QUIETUS_TRY(core_.record_store->update([&](RecordWriter& writer) -> Result<void> {
    for (const Held& row : held_)
      QUIETUS_TRY(writer.put({row.place.table, row.place.scope, row.key}, row.value));
    return {};
  }));
  held_.clear();
  bytes_ = 0;
  return {};
}

Result<void> RecordLoader::look_at_scope(ScopeId scope) {
  generations_.clear();
  auto looked = core_.keys->with_scope(
      scope, KeyUse::kMaintain, [&](const ScopeKeys& keys, const KeyCache::Use&) -> Result<void> {
        newest_ = keys.generation;  // may run twice
        generations_ = {keys.generation};
        for (const GenerationKeys& older : keys.older) generations_.push_back(older.generation);
        return {};
      });
  standing_ = Standing::kLiving;
  if (looked) return {};
  switch (looked.error().code()) {
    case ErrorCode::kErased: {
      QUIETUS_TRY_AS(standing_, standing_of_erased(scope));
      return {};
    }
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt: standing_ = Standing::kUnknown; return {};
    default: return looked;
  }
}

Result<RecordLoader::Standing> RecordLoader::standing_of_erased(ScopeId scope) {
  Standing standing = Standing::kErased;
  QUIETUS_TRY(
      core_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const auto tombstone, rows::tombstone(reader, scopes.seal(), scope));
        if (tombstone && tombstone->reason == kPurgedInCopy) standing = Standing::kPurged;
        return {};
      }));
  return standing;
}

bool RecordLoader::is_wanted(const BackupReader::Row& row) {
  const bool record = row.table == RecordTable::kRecords;
  switch (standing_) {
    case Standing::kErased: report_.erased += record ? 1 : 0; return false;
    case Standing::kPurged: report_.purged += record ? 1 : 0; return false;
    case Standing::kUnknown: report_.missing += record ? 1 : 0; return false;
    case Standing::kLiving: return !record || counts_as_restored(row.value);
  }
  return false;
}

// A record that is damaged is put back as it is: the check that follows names it.
bool RecordLoader::counts_as_restored(ByteView value) {
  const auto record = StoredRecord::parse(value);
  if (!record || std::ranges::find(generations_, record->generation()) != generations_.end())
    return true;
  if (record->generation() > newest_)
    ++report_.missing;
  else
    ++report_.purged;
  return false;
}

}  // namespace quietus
