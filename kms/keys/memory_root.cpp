#include "keys/memory_root.hpp"

#include <algorithm>

namespace quietus {
namespace {

RootKey copy_of(const RootKey& key) {
  return RootKey::make([&](MutableBytes out) {
    key.expose([&](ByteView from) { std::ranges::copy(from, out.begin()); });
  });
}

}  // namespace

Result<void> MemoryRoot::create(const SlotName& slot, const RootKey& key) {
  const std::lock_guard lock(mutex_);
  slots_.insert_or_assign(slot, copy_of(key));
  return {};
}

Result<RootKey> MemoryRoot::read(const SlotName& slot) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(slot);
  if (found == slots_.end()) return Error(ErrorCode::kNotFound, "no such root slot in memory");
  return copy_of(found->second);
}

// The memory of a key is wiped when it is let go.
Result<SlotDestruction> MemoryRoot::destroy(const SlotName& slot) {
  const std::lock_guard lock(mutex_);
  const bool there = slots_.erase(slot) > 0;
  return SlotDestruction{slot, there ? 1U : 0U, there, true, true};
}

Result<std::vector<SlotName>> MemoryRoot::list() {
  const std::lock_guard lock(mutex_);
  std::vector<SlotName> names;
  for (const auto& [slot, key] : slots_) names.push_back(slot);
  return names;
}

Assurance MemoryRoot::assurance() {
  return {"Guarded memory of a process, wiped", false};
}

std::uint32_t MemoryRoot::intact_mirrors(const SlotName& slot) {
  const std::lock_guard lock(mutex_);
  return slots_.contains(slot) ? kSlotMirrors : 0;
}

}  // namespace quietus
