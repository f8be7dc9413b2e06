// A vault of its own for one test, in memory where there is such a place.
#pragma once

#include <quietus/vault.hpp>

#include <memory>
#include <string>

#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "vault_core.hpp"

namespace quietus::test {

class TempVault {
 public:
  TempVault() {
    must(new_key_file(key_file()));
    CreateOptions options;
    options.root_folder = folder_ / "roots";
    options.accept_unknown_medium = true;
    core_ = must(VaultCore::create(vault_folder(), unlock(), options, {}));
  }

  std::filesystem::path vault_folder() const { return folder_ / "vault"; }
  std::filesystem::path key_file() const { return folder_ / "key"; }
  Unlock unlock() const { return Unlock::key_file(key_file()); }

  Vault vault() const { return Vault(core_); }
  VaultCore& core() const { return *core_; }
  RecordStore& store() const { return *core_->record_store; }
  KeyStore& keys() const { return *core_->keys; }

  // The scope of that path, made with its parents where they are missing.
  Scope scope(const std::string& path) const {
    Vault all = vault();
    if (auto there = all.scope(path)) return *there;
    if (const auto slash = path.rfind('/'); slash != std::string::npos)
      static_cast<void>(scope(path.substr(0, slash)));
    return must(all.create_scope(path));
  }

  void erase(const std::string& path) const {
    const std::string paths[] = {path};
    must(vault().erase(paths, "test"));
  }

  void close() { core_.reset(); }
  void reopen(const OpenOptions& options = {}) {
    core_.reset();
    core_ = must(VaultCore::open(vault_folder(), unlock(), options, {}));
  }

 private:
  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  std::shared_ptr<VaultCore> core_;
};

}  // namespace quietus::test
