// Which of a scope's keys a record is sealed with.
#pragma once

#include "keys/key_store.hpp"
#include "record_format.hpp"

namespace quietus {

// What seals new records of a scope. Borrows all three.
inline RecordSeal active_seal(const VaultId& vault, const ScopeKeys& keys,
                              const KeyCache::Use& use) {
  return {use.context(), keys.records, keys.generation, vault, keys.id};
}

// What opens a record of that generation. kCorrupt when the scope has no such key; the Use is
// outdated then, if it is a newer one.
inline Result<RecordSeal> seal_of_generation(const VaultId& vault, const ScopeKeys& keys,
                                             const KeyCache::Use& use, std::uint32_t generation) {
  const GenerationKeys* of = keys.of_generation(generation);
  if (generation > keys.generation) use.set_outdated();
  if (of == nullptr) return Error(ErrorCode::kCorrupt, "record: of a key generation that is gone");
  return RecordSeal{use.context(), of->records, of->generation, vault, keys.id};
}

}  // namespace quietus
