#include "subjects.hpp"

#include "base/text_encoding.hpp"
#include "evidence/subject.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

struct Lineage {
  ScopeId tenant = kVaultScope;
  std::uint8_t level = 0;  // 1: the scope is the tenant
};

Result<Lineage> lineage_of(ControlReader& reader, ScopeTable& scopes, ScopeId scope) {
  Lineage found;
  while (scope != kVaultScope) {
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), scope));
    if (!row || found.level == kMaxScopeDepth)
      return Error(ErrorCode::kCorrupt, "scope: its tenant is not known");
    found.tenant = scope;
    ++found.level;
    scope = row->parent;
  }
  return found;
}

Result<SubjectSalt> salt_under(ControlReader& reader, ScopeTable& scopes, ScopeId tenant,
                               const ErasureId& erasure, ScopeId scope) {
  QUIETUS_TRY_AS(const LastingKey key, scopes.first_lasting_key(reader, tenant));
  return subject_salt(key, erasure, scope);
}

std::string hex_of(const SubjectSalt& salt) {
  return salt.expose([](ByteView bytes) { return to_hex(bytes); });
}

}  // namespace

Result<Subject> subject_of(ControlReader& reader, ScopeTable& scopes, const ErasureId& erasure,
                           ScopeId scope) {
  QUIETUS_TRY_AS(const Lineage lineage, lineage_of(reader, scopes, scope));
  QUIETUS_TRY_AS(std::string path, path_of(reader, scopes, scope));
  QUIETUS_TRY_AS(const SubjectSalt salt,
                 salt_under(reader, scopes, lineage.tenant, erasure, scope));
  const VaultId vault = scopes.seal().vault;
  Subject subject;
  subject.claim.level = lineage.level;
  subject.claim.commitment =
      salt.expose([&](ByteView bytes) { return subject_commitment(bytes, vault, scope, path); });
  subject.opening = {scope, std::move(path), hex_of(salt)};
  return subject;
}

Result<std::string> salt_of(ControlReader& reader, ScopeTable& scopes, const ErasureId& erasure,
                            const CertifiedScope& scope) {
  QUIETUS_TRY_AS(const Lineage lineage, lineage_of(reader, scopes, scope.scope_id));
  if (lineage.level != scope.level)
    return Error(ErrorCode::kCorrupt, "scope: its tenant is not known");
  QUIETUS_TRY_AS(const SubjectSalt salt,
                 salt_under(reader, scopes, lineage.tenant, erasure, scope.scope_id));
  return hex_of(salt);
}

}  // namespace quietus
