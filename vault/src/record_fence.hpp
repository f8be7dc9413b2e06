// The fence of a scope (docs/architecture.md): records are sealed outside the transaction that
// stores them, and the keys lie in another store; so the record store itself says what may still be
// written.
//
//   RecordTable::kFence, empty key -> least key generation that may be written u32; all ones: the
//   scope was erased
//
// Without a row every generation may be written. Whoever is first to write under a newer generation
// raises it: two processes of which one does not know the newer key yet must not both write.
#pragma once

#include <quietus/result.hpp>

#include "keys/key_cache.hpp"
#include "storage/record_store.hpp"

namespace quietus {

inline constexpr std::uint32_t kErasedFence = 0xFFFFFFFF;

// Raises the fence, never lowers it. Part of the writer's transaction, and of every one that stores
// what a scope's key sealed, after its checks.
Result<void> raise_fence(RecordWriter& writer, ScopeId scope, std::uint32_t least_generation);

// kErased; kBusy when the key that the caller works with is being replaced: the Use is outdated
// then. kCorrupt. Checked in every transaction that stores what a scope's key sealed, first; and in
// every snapshot in which a name was not found, or names are listed.
Result<void> check_fence(RecordReader& reader, ScopeId scope, std::uint32_t generation,
                         const KeyCache::Use& use);

}  // namespace quietus
