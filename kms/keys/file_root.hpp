// Root slots as files: two mirrored files per slot in a folder outside the vault.
//
//   slot-<generation, 16 hex>-<id, 32 hex>.0 and .1   a slot
//   gone-<generation, 16 hex>-<id, 32 hex>.0 and .1   a destroyed slot: overwritten with random
//   bytes,
//                                                     read back, and kept as room for the next
//                                                     slot, so that an erasure needs no free disk
//                                                     space
//   anchor                                            see anchor.hpp
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>

#include "keys/root_provider.hpp"
#include "keys/slot_file.hpp"
#include "storage/file.hpp"

namespace quietus {

struct FileRootOptions {
  std::filesystem::path folder;
  VaultId vault{};
  bool inside_vault = false;  // copies of the vault take the slots along; the assurance says so
};

class FileRoot final : public RootProvider {
 public:
  // `files` must outlive the provider.
  FileRoot(FileSystem& files, FileRootOptions options, SlotUnlock unlock)
      : files_(files), options_(std::move(options)), unlock_(std::move(unlock)) {}

  // Makes the folder, its notes to backup tools (CACHEDIR.TAG), the file that copies of the vault
  // exclude each other by (root_lock.hpp) and room for the first two slots.
  // Durable on return.
  Result<void> prepare();

  SlotUnlock unlock() const override {
    const std::lock_guard lock(mutex_);
    return unlock_;
  }
  void use(SlotUnlock unlock) override {
    const std::lock_guard lock(mutex_);
    unlock_ = std::move(unlock);
  }

  std::string kind() const override { return "file"; }
  std::string location() const override { return options_.folder.string(); }
  Result<void> create(const SlotName& slot, const RootKey& key) override;
  void prepare_reading() override;
  Result<RootKey> read(const SlotName& slot) override;
  Result<SlotDestruction> destroy(const SlotName& slot) override;
  Result<std::vector<SlotName>> list() override;
  Assurance assurance() override;

  std::uint32_t intact_mirrors(const SlotName& slot) override;  // 0 to 2
  Result<void> remove_remains() override;

 private:
  std::filesystem::path path_of(std::string_view prefix, const SlotName& slot,
                                std::uint8_t mirror) const;
  Result<SecretBuffer> load(const SlotName& slot, std::uint8_t mirror);
  Result<RootKey> read_mirror(const SlotName& slot, std::uint8_t mirror);
  Result<std::unique_ptr<File>> room_for(const SlotName& slot, std::uint8_t mirror);
  Result<void> write_mirror(File& file, const SlotAddress& address, const RootKey& key);
  Result<void> overwrite(const std::filesystem::path& path, std::uint64_t& size);
  Result<bool> destroy_mirror(const SlotName& slot, std::uint8_t mirror);

  FileSystem& files_;
  FileRootOptions options_;
  mutable std::mutex mutex_;
  // Guarded by mutex_: several threads may read slots. The parameters are those of the slot last
  // read, or of use().
  SlotUnlock unlock_;
};

}  // namespace quietus
