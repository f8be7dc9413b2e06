// A vault without records: control store, root slots, anchor, holders, cache and key store, put
// together as the vault does it, with doubles where faults can be planned.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crypto/signature.hpp"
#include "evidence/certificate.hpp"
#include "evidence/signed_note.hpp"
#include "keys/file_root.hpp"
#include "keys/key_store.hpp"
#include "keys/sample_secrets.hpp"
#include "storage/lmdb_store.hpp"
#include "support/fault_control_store.hpp"
#include "support/fault_file_system.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {

class MovingClock final : public Clock {
 public:
  UnixMillis now() const override { return now_; }
  void set(UnixMillis now) { now_ = now; }

 private:
  UnixMillis now_ = 1790000000000;
};

// Where a vault lies, what it is opened with, and the world it lives in. Outlives the vault.
struct VaultPlace {
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  VaultId vault = vault_id(0x5A);
  std::shared_ptr<const UnlockSecret> secret = key_file_secret("secret");
  FaultFileSystem files;
  MovingClock clock;
  std::chrono::milliseconds acknowledgement_timeout{3000};
  std::chrono::milliseconds lock_timeout{10000};
  KeyCache::Mode mode = KeyCache::Mode::kGuarded;
  bool read_only = false;
  std::size_t batch_step = 500;
  std::uint64_t map_size = std::uint64_t{64} << 20;

  std::filesystem::path store() const { return folder / "store"; }
  std::filesystem::path roots() const { return folder / "roots"; }
  std::filesystem::path control() const { return store() / "control.mdb"; }
  // To be called in a forked child, where secrets of the parent read as zero.
  void forked() { secret = key_file_secret("secret"); }
  // Copies of what lies there, to be put back later.
  void copy(const std::string& what, const std::string& to) const {
    std::filesystem::remove_all(folder / to);
    std::filesystem::copy(folder / what, folder / to, std::filesystem::copy_options::recursive);
  }
};

// A process that has the vault open. Its end is that of a process that was killed: nothing is
// tidied.
class TestVault {
 public:
  enum class How { kMake, kOpen };

  explicit TestVault(VaultPlace& place) : place_(place) {}

  // Everything but the keys.
  Result<void> connect(How how) {
    std::filesystem::create_directories(place_.store() / "runtime");
    LmdbOptions options;
    options.map_size = place_.map_size;
    options.create = how == How::kMake;
    options.read_only = place_.read_only;
    QUIETUS_TRY_AS(real_, open_lmdb_control(place_.control(), options));
    control_ = std::make_unique<FaultControlStore>(*real_);
    SlotUnlock unlock{place_.secret, {}};
    if (how == How::kMake) unlock = unlock_with(place_.secret);
    root_ = std::make_unique<FileRoot>(
        place_.files, FileRootOptions{place_.roots(), place_.vault, false}, std::move(unlock));
    anchor_ = std::make_unique<AnchorFile>(place_.files, place_.roots() / "anchor");
    QUIETUS_TRY_AS(holders_,
                   Holders::join({place_.control(), place_.store() / "runtime", place_.read_only,
                                  place_.mode == KeyCache::Mode::kNone, place_.roots() / "lock"}));
    cache_ = std::make_unique<KeyCache>(*holders_, place_.mode);
    KeyStore::Parts parts{{place_.control(), place_.roots() / "lock"},
                          *control_,
                          *root_,
                          *anchor_,
                          *holders_,
                          *cache_,
                          place_.clock,
                          "quietus test",
                          log_origin(place_.vault)};
    parts.lock_timeout = place_.lock_timeout;
    parts.acknowledgement_timeout = place_.acknowledgement_timeout;
    parts.read_only = place_.read_only;
    parts.batch_step = place_.batch_step;
    keys_ = std::make_unique<KeyStore>(parts);
    return {};
  }

  Result<void> make() {
    std::filesystem::create_directories(place_.store());
    QUIETUS_TRY(place_.files.make_folder(place_.roots()));
    QUIETUS_TRY(FileRoot(place_.files, {place_.roots(), place_.vault, false}, {}).prepare());
    QUIETUS_TRY(connect(How::kMake));
    return keys_->create(place_.vault);
  }
  Result<KeyStore::Opened> open() {
    QUIETUS_TRY(connect(How::kOpen));
    return keys_->open(place_.vault);
  }

  KeyStore& keys() { return *keys_; }
  FaultControlStore& control() { return *control_; }
  FileRoot& root() { return *root_; }
  AnchorFile& anchor() { return *anchor_; }
  Holders& holders() { return *holders_; }
  KeyCache& cache() { return *cache_; }

  Result<ScopeId> add(ScopeId parent, const std::string& name, std::vector<ScopeId> sources = {}) {
    ScopeId made = 0;
    QUIETUS_TRY(keys_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) {
      const ScopeTable::NewScope scope{parent, name, "customer-data", sources, place_.clock.now()};
      const auto created = scopes.create(writer, root, scope);
      if (created) made = *created;
      return created ? Result<void>() : Result<void>(created.error());
    }));
    return made;
  }
  // What stands for all of a scope's keys.
  Result<Bytes> record_key(ScopeId scope) {
    Bytes key;
    QUIETUS_TRY(keys_->with_scope(scope, KeyUse::kProcess,
                                  [&](const ScopeKeys& keys, const KeyCache::Use&) {
                                    key = bytes_of(keys.records);
                                    return Result<void>();
                                  }));
    return key;
  }
  Result<RootChangeOutcome> erase(std::vector<ScopeId> scopes) {
    RootChangeRequest request;
    request.scopes = std::move(scopes);
    request.reason = "customer-request";
    return keys_->change_root(request);
  }
  Result<RootChangeOutcome> change_unlock(const std::shared_ptr<const UnlockSecret>& secret) {
    RootChangeRequest request;
    request.kind = ChangeKind::kUnlock;
    request.reason = "unlock-change";
    request.new_unlock = unlock_with(secret);
    return keys_->change_root(request);
  }
  Result<RootChangeOutcome> destroy() {
    RootChangeRequest request;
    request.kind = ChangeKind::kDestroyVault;
    request.scopes = {kVaultScope};
    request.reason = "contract-ended";
    return keys_->change_root(request);
  }

  template <class F>
  auto look(F&& work) {
    using Found =
        std::decay_t<decltype(*work(std::declval<ControlReader&>(), std::declval<ScopeTable&>(),
                                    std::declval<const RootRow&>()))>;
    Found found{};
    must(keys_->read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
          QUIETUS_TRY_AS(found, work(reader, scopes, root));
          return {};
        }));
    return found;
  }
  RootRow root_row() {
    return look([](ControlReader&, ScopeTable&, const RootRow& root) { return Result(root); });
  }
  std::optional<KeyRow> key_row(ScopeId scope) {
    return look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return rows::key_row(reader, scopes.seal(), scope);
    });
  }
  std::optional<Tombstone> tombstone(ScopeId scope) {
    return look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return rows::tombstone(reader, scopes.seal(), scope);
    });
  }
  std::vector<std::pair<CertificateId, CertificateRow>> certificates() {
    return look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return rows::certificates(reader, scopes.seal());
    });
  }
  std::string issuer_pem() { return ed25519_to_pem(public_key("issuing-key")); }
  CertificateExpectations expectations() {
    return {format_vkey({log_origin(place_.vault), public_key("log-key")})};
  }
  Result<VerifiedCertificate> verify(const std::string& document) {
    return verify_certificate(as_bytes(document), issuer_pem(), expectations());
  }
  std::string document(const CertificateId& id) {
    const auto found = look([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return rows::certificate(reader, scopes.seal(), id);
    });
    REQUIRE(found);
    return *found;
  }

 private:
  Ed25519PublicKey public_key(std::string_view name) {
    return look(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<Ed25519PublicKey> {
          QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), name));
          return ed25519_public_key(key);
        });
  }

  VaultPlace& place_;
  std::unique_ptr<ControlStore> real_;
  std::unique_ptr<FaultControlStore> control_;
  std::unique_ptr<FileRoot> root_;
  std::unique_ptr<AnchorFile> anchor_;
  std::unique_ptr<Holders> holders_;
  std::unique_ptr<KeyCache> cache_;
  std::unique_ptr<KeyStore> keys_;
};

// A vault with a few scopes, one derived from another.
struct Tenancy {
  ScopeId acme = 0;
  ScopeId data = 0;   // acme/data
  ScopeId user = 0;   // acme/data/user
  ScopeId other = 0;  // acme/data/other
  ScopeId globex = 0;
  ScopeId derived = 0;            // globex/derived, from user
  std::map<ScopeId, Bytes> keys;  // record keys, while they lived

  std::vector<ScopeId> all() const { return {acme, data, user, other, globex, derived}; }

  void fill(TestVault& vault) {
    acme = must(vault.add(kVaultScope, "acme"));
    data = must(vault.add(acme, "data"));
    user = must(vault.add(data, "user"));
    other = must(vault.add(data, "other"));
    globex = must(vault.add(kVaultScope, "globex"));
    derived = must(vault.add(globex, "derived", {user}));
    for (const ScopeId scope : all()) keys[scope] = must(vault.record_key(scope));
  }
  // Whether exactly these do not open, because they were erased, and all others do as ever.
  void check_erased(TestVault& vault, const std::set<ScopeId>& erased) const {
    for (const ScopeId scope : all()) {
      const auto key = vault.record_key(scope);
      INFO("scope " << scope << ": " << describe(key));
      if (erased.contains(scope))
        CHECK((!key && key.error().code() == ErrorCode::kErased));
      else
        CHECK((key && *key == keys.at(scope)));
    }
  }
};

// What holds of every vault at rest: one root, confirmed; exactly its slots, whole; nothing
// pending.
inline void check_settled(TestVault& vault) {
  const RootRow root = vault.root_row();
  CHECK(root.confirmed);
  CHECK(root.slots.size() == 1);
  CHECK(must(vault.root().list()) == root.slots);
  CHECK(vault.root().intact_mirrors(root.slots.at(0)) == 2);
  CHECK(must(vault.keys().pending()).empty());
  const Anchor anchor = must(vault.anchor().read(root.vault));
  CHECK(anchor.generation == root.generation);
}

}  // namespace quietus::test
