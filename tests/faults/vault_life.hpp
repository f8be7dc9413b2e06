// A vault's life, recorded: tenants, classes, subjects and derived data come and go, keys change
// their states, scopes are held, the unlock secret changes, an erasure is killed and another one
// fails.
#pragma once

#include <quietus/vault.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "faults/write_recorder.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "vault_core.hpp"

namespace quietus::test {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

// What was written, whether it was later replaced or not.
struct Fact {
  std::string scope;
  std::string name;
  Bytes content;
};

struct LifeOfScope {
  ScopeId id = 0;
  std::uint64_t erased = kNever;  // the root generation in which it was alive last
};

// A vault and everything that ever happened to it.
class Life {
 public:
  Life();

  std::filesystem::path watched() const { return folder_ / "watched"; }
  std::filesystem::path vault_folder() const { return watched() / "vault"; }
  const std::filesystem::path& root_folder() const { return root_folder_; }
  std::filesystem::path key_file(int n) const { return folder_ / ("key" + std::to_string(n)); }
  std::filesystem::path passphrase_file() const { return folder_ / "passphrase"; }
  std::filesystem::path aside(const std::string& name) const { return folder_ / name; }

  // What opens the vault now, and everything that ever did.
  Unlock unlock() const;
  std::vector<std::shared_ptr<const UnlockSecret>> all_secrets() const;

  Vault vault() const { return Vault(core_); }
  VaultCore& core() const { return *core_; }
  const VaultId& id() const { return id_; }
  void close() { core_.reset(); }
  void open() { core_ = must(VaultCore::open(vault_folder(), unlock(), {}, {})); }
  std::uint64_t generation() const { return must(vault().status()).root_generation; }

  void make(const std::string& path, std::vector<std::string> sources = {});
  void put(const std::string& scope, const std::string& name, std::size_t size);
  void remove(const std::string& scope, const std::string& name);
  void erase(const std::vector<std::string>& paths);
  // As a sweep does it: one root change, a certificate for each.
  void erase_many(const std::vector<std::string>& paths);
  // The scopes and what is below them were erased when root generation `last` ended.
  void note_erased(const std::vector<std::string>& paths, std::uint64_t last);
  void change_secret(int n);

  const std::map<std::string, LifeOfScope>& scopes() const { return scopes_; }
  const std::vector<Fact>& facts() const { return facts_; }
  std::vector<RecordedCall> calls() const { return recorder_->calls(); }

 private:
  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  std::optional<WriteRecorder> recorder_;
  std::filesystem::path root_folder_;
  VaultId id_{};
  int secret_ = 1;
  std::shared_ptr<VaultCore> core_;
  std::map<std::string, LifeOfScope> scopes_;
  std::vector<Fact> facts_;
};

inline bool is_erased(const LifeOfScope& scope) {
  return scope.erased != kNever;
}

struct WholeLife {
  Life life;
  std::string abandoned;  // the slot of the crashed attempt
};

// From the first day to the last. Copies of the vault's folder, as `cp -r` takes them, are laid
// aside as "before-all", with its slots in "before-all-roots", and as "between" some erasures.
void live(WholeLife& whole);

void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace quietus::test
