// What binds a large object to its place.
#pragma once

#include "base/byte_writer.hpp"
#include "record_format.hpp"

namespace quietus {

inline Bytes object_context(const VaultId& vault, ScopeId scope, const ObjectId& id) {
  return ByteWriter().raw(as_bytes(labels::kObject)).u8(0).raw(vault).u64(scope).raw(id).take();
}

}  // namespace quietus
