// An open vault: everything it is made of, in the order in which it must be taken down again.
#pragma once

#include <quietus/report.hpp>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "activity.hpp"
#include "base/clock.hpp"
#include "keys/file_root.hpp"
#include "keys/key_store.hpp"
#include "records.hpp"
#include "session.hpp"
#include "storage/lmdb_store.hpp"
#include "vault_files.hpp"
#include "vault_header.hpp"

namespace quietus {

// What tests put something else in place of.
struct Environment {
  FileSystem& files = posix_file_system();
  const Clock& clock = system_clock();
};

struct VaultCore {
  VaultCore(std::filesystem::path folder, const OpenOptions& how, Environment where)
      : files(std::move(folder)), options(how), environment(where) {}
  ~VaultCore();
  VaultCore(const VaultCore&) = delete;
  VaultCore& operator=(const VaultCore&) = delete;

  VaultFiles files;
  std::filesystem::path secret_file;  // it was opened with that; empty: with none
  OpenOptions options;
  Environment environment;
  VaultHeader header;
  std::unique_ptr<ControlStore> control;
  std::unique_ptr<RecordStore> record_store;
  std::unique_ptr<RootProvider> provider;
  std::unique_ptr<AnchorFile> anchor;
  std::unique_ptr<Holders> holders;
  std::unique_ptr<KeyCache> cache;
  std::unique_ptr<KeyStore> keys;
  std::unique_ptr<Records> records;
  std::unique_ptr<Activity> activity;
  std::atomic<bool> recovery_pending{false};
  Session session;
  bool destroyed = false;

  // A vault that is not opened yet but has its parts; for open() and for the repair of an anchor.
  static Result<std::shared_ptr<VaultCore>> assemble(const std::filesystem::path& folder,
                                                     const Unlock& unlock,
                                                     const OpenOptions& options,
                                                     Environment environment);
  static Result<std::shared_ptr<VaultCore>> create(const std::filesystem::path& folder,
                                                   const Unlock& unlock,
                                                   const CreateOptions& options,
                                                   Environment environment);
  // A new vault in an absent or empty folder, which is one when `fill` has put everything into its
  // stores. Interrupted before that, it is taken away by the next attempt.
  struct Making {
    const CreateOptions& options;
    VaultHeader header;  // its root folder is set here
    std::function<Result<void>(VaultCore&)> fill;
    // Its root key lives in guarded memory alone, and the vault ends with the process. No secret
    // unlocks it.
    bool in_memory = false;
  };
  static Result<std::shared_ptr<VaultCore>> make(const std::filesystem::path& folder,
                                                 const Unlock& unlock, const Making& making,
                                                 Environment environment);
  // Takes away what a failed making of that vault left in the folder. True when each of its root
  // slots was overwritten, on a medium that is known to do so, read back and is gone. Of a folder
  // that has another header by now, or none, nothing is touched.
  static Result<bool> take_away_unfinished(const std::filesystem::path& folder,
                                           const VaultHeader& made, Environment environment);
  static Result<std::shared_ptr<VaultCore>> open(const std::filesystem::path& folder,
                                                 const Unlock& unlock, const OpenOptions& options,
                                                 Environment environment);

  static Result<void> finish_destruction(const std::filesystem::path& folder,
                                         Environment environment);

  RootLockFiles lock_files() const { return {files.control(), root_lock_path(header.root_folder)}; }

  // A control-store transaction or snapshot with the vault's keys.
  Result<void> read(KeyStore::ReadWork work) { return keys->read(work); }
  Result<void> update(KeyStore::WriteWork work) { return keys->update(work); }

 private:
  void collect_garbage();
  void note(std::string_view line) const;
  void note_opened(const KeyStore::Opened& opened) const;
  Result<void> forget_unfinished();
  Result<void> open_records(const LmdbOptions& how);
  Result<void> connect(std::shared_ptr<const UnlockSecret> secret, bool create);
};

// Whether the one absolute path lies below the other, or is it.
bool lies_inside(const std::filesystem::path& inner, const std::filesystem::path& outer);

// What a handle of a vault answers after the vault was closed.
Error closed();
Result<std::shared_ptr<VaultCore>> open_core(const std::weak_ptr<VaultCore>& core);
// The same for what changes the vault: kRefused when it is open for reading only.
Result<std::shared_ptr<VaultCore>> writable_core(const std::weak_ptr<VaultCore>& core);

// The secret that an Unlock names, read now.
struct Unlock::Source {
  enum class Kind { kKeyFile, kPassphraseFile, kDescriptor };
  Kind kind;
  std::filesystem::path path;
  int descriptor = -1;
};
Result<std::shared_ptr<const UnlockSecret>> load_secret(FileSystem& files, const Unlock& unlock);
// The absolute path of its file; empty when it comes from a descriptor.
std::filesystem::path secret_file_of(const Unlock& unlock);

// The version that is shown and certified, for example "quietus 0.1.0".
std::string tool_version();

}  // namespace quietus
