// Root slots in guarded memory alone: of a vault that is restored on trial, and ends with the
// process.
#pragma once

#include <map>
#include <mutex>

#include "keys/root_provider.hpp"
#include "keys/slot_file.hpp"

namespace quietus {

class MemoryRoot final : public RootProvider {
 public:
  std::string kind() const override { return "memory"; }
  std::string location() const override { return "memory of this process"; }
  Result<void> create(const SlotName& slot, const RootKey& key) override;
  Result<RootKey> read(const SlotName& slot) override;
  Result<SlotDestruction> destroy(const SlotName& slot) override;
  Result<std::vector<SlotName>> list() override;
  Assurance assurance() override;
  std::uint32_t intact_mirrors(const SlotName& slot) override;
  SlotUnlock unlock() const override { return {}; }
  void use(SlotUnlock) override {}

 private:
  std::mutex mutex_;
  std::map<SlotName, RootKey> slots_;  // guarded by mutex_
};

}  // namespace quietus
