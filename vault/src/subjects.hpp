// Whose scope it was: commitments to the paths of erased scopes, and the salts that open them.
#pragma once

#include <quietus/certificate.hpp>

#include "keys/key_store.hpp"

namespace quietus {

// A commitment to the path of a scope, and what opens it.
struct Subject {
  SubjectClaim claim;
  SubjectOpening opening;
};
// Of a scope that is alive, for the erasure that it is about to be a target of. kCorrupt when
// nothing can be said of whose scope it was. Errors of ScopeTable::keys.
Result<Subject> subject_of(ControlReader& reader, ScopeTable& scopes, const ErasureId& erasure,
                           ScopeId scope);

// The salt of such a commitment, as 64 hex digits, for as long as the tenant of the scope lives.
// `level` is that of the certificate. kErased; kCorrupt when the scope's tenant is not known any
// more.
Result<std::string> salt_of(ControlReader& reader, ScopeTable& scopes, const ErasureId& erasure,
                            const CertifiedScope& scope);

}  // namespace quietus
