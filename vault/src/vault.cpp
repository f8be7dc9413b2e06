#include <quietus/vault.hpp>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "check.hpp"
#include "evidence/certificate.hpp"
#include "evidence/log_store.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_state.hpp"
#include "names.hpp"
#include "scope_impl.hpp"
#include "scope_paths.hpp"
#include "subjects.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

std::string hex_of(const std::array<std::uint8_t, 16>& id) {
  return to_hex(id);
}

Result<CertificateId> parse_certificate_id(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != std::tuple_size_v<CertificateId>)
    return Error(ErrorCode::kInvalidArgument, "a certificate id is 32 hex digits");
  CertificateId id{};
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

// The second path element names the class; below it the parent's class goes on.
std::string default_class(std::size_t depth, const std::string& name, const InfoRow& parent) {
  if (depth == 2) return name;
  return depth > 2 ? parent.data_class : std::string();
}

Result<std::vector<ScopeId>> resolve_sources(ControlReader& reader, ScopeTable& scopes,
                                             const std::vector<std::string>& paths) {
  if (paths.size() > kMaxSources)
    return Error(ErrorCode::kInvalidArgument, "at most 16 sources of a scope");
  std::vector<ScopeId> sources;
  for (const std::string& path : paths) {
    if (path.empty())
      return Error(ErrorCode::kInvalidArgument, "a source is a scope, not the vault");
    QUIETUS_TRY_AS(const ScopeId source, resolve_path(reader, scopes, path));
    sources.push_back(source);
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return sources;
}

}  // namespace

Vault::Vault(std::shared_ptr<VaultCore> core) : core_(std::move(core)) {}
Vault::Vault(Vault&&) noexcept = default;
Vault& Vault::operator=(Vault&&) noexcept = default;
Vault::~Vault() = default;

Result<Vault> Vault::create(const std::filesystem::path& folder, const Unlock& unlock,
                            const CreateOptions& options) {
  QUIETUS_TRY_AS(auto core, VaultCore::create(folder, unlock, options, {}));
  return Vault(std::move(core));
}

Result<Vault> Vault::open(const std::filesystem::path& folder, const Unlock& unlock,
                          const OpenOptions& options) {
  QUIETUS_TRY_AS(auto core, VaultCore::open(folder, unlock, options, {}));
  return Vault(std::move(core));
}

Result<void> Vault::rewrite_anchor(const std::filesystem::path& folder, const Unlock& unlock) {
  QUIETUS_TRY_AS(const auto core, VaultCore::assemble(folder, unlock, {}, {}));
  core->recovery_pending = true;  // the close must not touch what is written here
  return core->keys->rewrite_anchor(core->header.vault);
}

Result<Scope> Vault::scope(std::string_view path) {
  if (!core_) return closed();
  ScopeId id = kVaultScope;
  QUIETUS_TRY(parse_scope_path(path));
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(id, resolve_path(reader, scopes, path));
        return {};
      }));
  return make_scope(core_, id);
}

Result<Scope> Vault::create_scope(std::string_view path, const ScopeOptions& options) {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const auto elements, parse_scope_path(path));
  QUIETUS_TRY(validate_content_type(options.data_class));
  const std::size_t slash = path.rfind('/');
  const std::string_view parent = slash == std::string_view::npos ? "" : path.substr(0, slash);
  const UnixMillis now = core_->environment.clock.now();
  ScopeId id = kVaultScope;
  QUIETUS_TRY(
      core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
        ScopeTable::NewScope scope;
        QUIETUS_TRY_AS(scope.parent, resolve_path(writer, scopes, parent));
        scope.name = elements.back();
        scope.data_class = options.data_class;
        if (scope.data_class.empty()) {
          QUIETUS_TRY_AS(const InfoRow above, scopes.info(writer, scope.parent));
          scope.data_class = default_class(elements.size(), scope.name, above);
        }
        QUIETUS_TRY_AS(scope.sources, resolve_sources(writer, scopes, options.derived_from));
        QUIETUS_TRY_AS(scope.now, rows::no_earlier_than_accepted(writer, scopes.seal(), now));
        QUIETUS_TRY_AS(id, scopes.create(writer, root, scope));
        // A sweep that has begun does not know of it.
        return give_up_begun(writer, scopes, root, {id, "postponed", now, true});
      }));
  return make_scope(core_, id);
}

Result<ScopeInfo> Vault::describe(std::string_view path) {
  if (!core_) return closed();
  QUIETUS_TRY(parse_scope_path(path));
  ScopeInfo info;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const ScopeId id, resolve_path(reader, scopes, path));
        QUIETUS_TRY_AS(info, describe_scope(reader, scopes, id));
        return {};
      }));
  return info;
}

Result<std::vector<ScopeInfo>> Vault::children(std::string_view path) {
  if (!core_) return closed();
  std::vector<ScopeInfo> found;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const ScopeId parent, resolve_path(reader, scopes, path));
        QUIETUS_TRY_AS(const auto ids, rows::children(reader, scopes.seal(), parent));
        for (const ScopeId id : ids) {
          QUIETUS_TRY_AS(ScopeInfo info, describe_scope(reader, scopes, id));
          found.push_back(std::move(info));
        }
        return {};
      }));
  std::sort(found.begin(), found.end(),
            [](const ScopeInfo& a, const ScopeInfo& b) { return a.path < b.path; });
  return found;
}

Result<CheckReport> Vault::check(const Progress& progress) {
  if (!core_) return closed();
  return check_vault(*core_, progress);
}

Result<void> Vault::record_export(std::string_view path, std::uint64_t records,
                                  std::uint64_t bytes) {
  if (!core_) return closed();
  const UnixMillis now = core_->environment.clock.now();
  return core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const ScopeId id, resolve_path(writer, scopes, path));
    const std::string entry = entry_text(new_entry(now), ExportMade{id, records, bytes});
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const std::uint64_t index,
                   append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
    return rows::put_export(writer, seal, index, {id, now, records, bytes});
  });
}

Result<std::vector<CertificateInfo>> Vault::certificates() {
  if (!core_) return closed();
  std::vector<CertificateInfo> found;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::certificates(reader, scopes.seal()));
        for (const auto& [id, row] : all)
          found.push_back(
              {hex_of(id), hex_of(row.erasure), row.issued, std::string(name_of(row.status))});
        return {};
      }));
  std::sort(found.begin(), found.end(), [](const CertificateInfo& a, const CertificateInfo& b) {
    return a.issued_unix_ms < b.issued_unix_ms;
  });
  return found;
}

Result<std::string> Vault::certificate(std::string_view id) {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const CertificateId key, parse_certificate_id(id));
  std::optional<std::string> document;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(document, rows::certificate(reader, scopes.seal(), key));
        return {};
      }));
  if (!document) return Error(ErrorCode::kNotFound, "no such certificate");
  return std::move(*document);
}

Result<std::vector<SubjectOpening>> Vault::reveal(std::string_view certificate_id) {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const CertificateId key, parse_certificate_id(certificate_id));
  std::vector<SubjectOpening> found;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto document, rows::certificate(reader, scopes.seal(), key));
        if (!document) return Error(ErrorCode::kNotFound, "no such certificate");
        QUIETUS_TRY_AS(const auto stored, read_unverified_certificate(as_bytes(*document)));
        QUIETUS_TRY_AS(const ErasureClaims claims, decode_claims(as_bytes(stored.payload)));
        for (const ClaimedTarget& target : claims.targets) {
          if (!target.subject) continue;
          auto salt = salt_of(reader, scopes, claims.erasure, {target.scope, target.level, {}});
          if (!salt && salt.error().code() == ErrorCode::kErased) continue;
          QUIETUS_TRY(salt);
          found.push_back({target.scope, {}, std::move(*salt)});
        }
        return {};
      }));
  return found;
}

Result<std::string> Vault::issuing_key_pem() {
  if (!core_) return closed();
  std::string pem;
  QUIETUS_TRY(core_->read([&](ControlReader& reader, ScopeTable& scopes,
                              const RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), "issuing-key"));
    pem = ed25519_to_pem(ed25519_public_key(key));
    return {};
  }));
  return pem;
}

Error closed() {
  return {ErrorCode::kUnavailable, "the vault is closed"};
}

Result<std::shared_ptr<VaultCore>> open_core(const std::weak_ptr<VaultCore>& core) {
  auto open = core.lock();
  if (!open) return closed();
  return open;
}

Result<std::shared_ptr<VaultCore>> writable_core(const std::weak_ptr<VaultCore>& core) {
  QUIETUS_TRY_AS(auto open, open_core(core));
  if (open->options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return open;
}

}  // namespace quietus
