// A vault on disk that nobody has open: made once, kept as a copy, put back as often as a test
// needs. Its contents can be told from where they lie.
#pragma once

#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <map>
#include <string>
#include <vector>

#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "vault_core.hpp"

namespace quietus::test {

class VaultPlace {
 public:
  explicit VaultPlace(const std::filesystem::path& below = TemporaryFolder::in_memory())
      : folder_(below) {
    must(new_key_file(key_file()));
  }

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  std::filesystem::path live() const { return folder_ / "live"; }
  std::filesystem::path vault() const { return live() / "vault"; }
  std::filesystem::path roots() const { return live() / "roots"; }
  // Where this vault's slots and anchor lie.
  std::filesystem::path root() const {
    const auto first = std::filesystem::directory_iterator(roots());
    REQUIRE(first != std::filesystem::directory_iterator());
    return first->path();
  }
  std::filesystem::path key_file() const { return folder_ / "key"; }
  Unlock unlock() const { return Unlock::key_file(key_file()); }

  CreateOptions create_options() const {
    CreateOptions options;
    options.root_folder = roots();
    options.accept_unknown_medium = true;
    return options;
  }
  Result<std::shared_ptr<VaultCore>> create() const {
    std::filesystem::create_directories(live());
    return VaultCore::create(vault(), unlock(), create_options(), {});
  }
  Result<std::shared_ptr<VaultCore>> open(const OpenOptions& options = {}) const {
    return VaultCore::open(vault(), unlock(), options, {});
  }

  // Copies of everything that lives, under a name.
  void keep(const std::string& name) const { copy(live(), folder_ / name); }
  void put_back(const std::string& name) const { copy(folder_ / name, live()); }
  // One file of a kept copy in the place of the living one.
  void put_back_file(const std::string& name, const std::filesystem::path& living) const {
    const auto relative = living.lexically_relative(live());
    std::filesystem::copy_file(folder_ / name / relative, living,
                               std::filesystem::copy_options::overwrite_existing);
  }

 private:
  static void copy(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  TemporaryFolder folder_;
};

// What a record of that scope and name holds: long enough to be an object when the name says so.
inline Bytes content_of(const std::string& scope, const std::string& name) {
  const std::string line = scope + ":" + name + ";";
  const std::size_t size = name.starts_with("large") ? std::size_t{700} << 10 : 100;
  Bytes content;
  content.reserve(size + line.size());
  while (content.size() < size) content.insert(content.end(), line.begin(), line.end());
  return content;
}

inline Result<void> put_known(Vault& vault, const std::string& scope, const std::string& name) {
  QUIETUS_TRY_AS(Scope place, vault.scope(scope));
  QUIETUS_TRY(place.put(name, content_of(scope, name)));
  return {};
}

// 'whole', 'absent', 'erased', or what else reading gave.
inline std::string reading(Vault& vault, const std::string& scope, const std::string& name) {
  auto place = vault.scope(scope);
  if (!place) return std::string(name_of(place.error().code()));
  auto got = place->get(name);
  if (!got) return std::string(name_of(got.error().code()));
  if (!*got) return "absent";
  return **got == content_of(scope, name) ? "whole" : "wrong data";
}

// Everything that must hold in an open vault in which nothing is damaged (docs/erasure.md): nothing
// pending, exactly the slot that is named, every stored byte authentic, a log that verifies, and
// certificates that verify without the vault. The ids of the scopes they name.
inline std::vector<std::uint64_t> check_invariants(VaultCore& core, Vault& vault) {
  const auto status = must(vault.status());
  CHECK(status.pending.empty());
  CHECK(must(core.provider->list()).size() == 1);
  for (const auto& damage : must(vault.check()).damages) FAIL_CHECK(damage.where + damage.what);
  must(vault.verify_log());
  const std::string key = must(vault.issuing_key_pem());
  std::vector<std::uint64_t> certified;
  for (const auto& info : must(vault.certificates())) {
    const std::string document = must(vault.certificate(info.id));
    const auto verified = must(verify_certificate(as_bytes(document), key));
    certified.insert(certified.end(), verified.scope_ids().begin(), verified.scope_ids().end());
  }
  return certified;
}

}  // namespace quietus::test
