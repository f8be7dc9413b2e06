// Keys as the adversary has them: plain bytes, and what docs/format.md derives from them.
#pragma once

#include <algorithm>

#include "base/byte_writer.hpp"
#include "crypto/derive.hpp"
#include "faults/adversary.hpp"

namespace quietus::test {

inline RawKey raw(ByteView bytes) {
  RawKey key{};
  std::copy_n(bytes.begin(), key.size(), key.begin());
  return key;
}

template <class Role>
RawKey raw(const Key<Role>& key) {
  return key.expose([](ByteView bytes) { return raw(bytes); });
}

template <class K>
K made(const RawKey& key) {
  return K::make([&](MutableBytes out) { std::copy(key.begin(), key.end(), out.begin()); });
}

inline RawKey expanded(const RawKey& key, std::string_view label) {
  RawKey out{};
  expand_labelled(key, label, {}, out);
  return out;
}

// What a wrapped key is bound to (format.md 5.2).
inline Bytes binding(const VaultId& vault, const KeyRow& row, const KeyRecord& key) {
  ByteWriter out;
  out.raw(vault).u64(row.id).u64(row.parent).u64(key.id).u8(key.line == KeyLine::kData ? 0 : 1);
  out.u32(key.generation).u32(key.parent_generation);
  out.u8(static_cast<std::uint8_t>(row.sources.size()));
  for (std::size_t i = 0; i < row.sources.size(); ++i)
    out.u64(row.sources[i]).u32(key.source_generations.at(i));
  return out.take();
}

inline Bytes labelled(std::string_view label, ByteView content) {
  return ByteWriter().raw(as_bytes(label)).u8(0).raw(content).take();
}

}  // namespace quietus::test
