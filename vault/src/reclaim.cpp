// Making room: rows of erased scopes, which nothing opens any more, are removed.
#include <quietus/vault.hpp>

#include <algorithm>
#include <set>

#include "erase_many.hpp"
#include "record_fence.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr std::size_t kTransactionsAtOnce = 64;
constexpr std::size_t kReclaimedRows = 64;
constexpr std::size_t kReclaimedBytes = std::size_t{1024} * 1024;
constexpr std::array kTables{RecordTable::kRecords, RecordTable::kChunks, RecordTable::kGarbage};

Result<std::set<ScopeId>> scopes_with_rows(RecordStore& store) {
  std::set<ScopeId> scopes;
  for (const RecordTable table : kTables)
    QUIETUS_TRY(store.scopes(table, [&](ScopeId scope) -> Result<bool> {
      scopes.insert(scope);
      return true;
    }));
  return scopes;
}

// Only what is erased for certain: a damaged row is no erasure, and one that is not confirmed may
// be lost in a power cut, after which the scope lives (I-1).
Result<bool> is_erased(VaultCore& core, ScopeId scope) {
  bool erased = false;
  QUIETUS_TRY(core.read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
        const auto keys = scopes.keys(reader, scope);
        erased = root.confirmed && !keys && keys.error().code() == ErrorCode::kErased;
        return {};
      }));
  return erased;
}

// The bytes removed; fewer than there are when the limit is reached.
Result<std::uint64_t> remove_some(RecordStore& store, ScopeId scope, RecordTable table) {
  std::uint64_t removed = 0;
  QUIETUS_TRY(store.update([&](RecordWriter& writer) -> Result<void> {
    removed = 0;
    std::vector<Bytes> keys;
    QUIETUS_TRY(raise_fence(writer, scope, kErasedFence));
    QUIETUS_TRY(writer.scan({table, scope, {}}, [&](ByteView key, ByteView value) -> Result<bool> {
      keys.emplace_back(key.begin(), key.end());
      removed += key.size() + value.size();
      return keys.size() < kReclaimedRows && removed < kReclaimedBytes;
    }));
    for (const Bytes& key : keys) QUIETUS_TRY(writer.remove({table, scope, key}));
    return {};
  }));
  return removed;
}

}  // namespace

Result<std::uint64_t> Lifecycle::reclaim(std::uint64_t max_bytes) {
  const auto core = core_.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  if (core->options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  bool cleaned = false;
  while (!cleaned) {
    QUIETUS_TRY_AS(cleaned, clean_up_erased(*core, kTransactionsAtOnce));
  }
  QUIETUS_TRY_AS(const auto scopes, scopes_with_rows(*core->record_store));
  std::uint64_t reclaimed = 0;
  for (const ScopeId scope : scopes) {
    QUIETUS_TRY_AS(const bool erased, is_erased(*core, scope));
    if (!erased) continue;
    for (const RecordTable table : kTables) {
      for (std::uint64_t removed = 1; removed > 0 && reclaimed < max_bytes; reclaimed += removed) {
        QUIETUS_TRY_AS(removed, remove_some(*core->record_store, scope, table));
      }
    }
  }
  return reclaimed;
}

}  // namespace quietus
