// A salted commitment to the path of an erased scope: a certificate names nobody, and whoever was
// given the salt can show whose scope it was. Without the salt not even guesses can be tested.
#pragma once

#include <quietus/result.hpp>

#include <string_view>

#include "base/ids.hpp"
#include "crypto/hash.hpp"
#include "crypto/labels.hpp"
#include "evidence/log_entry.hpp"

namespace quietus {

inline constexpr std::size_t kSubjectSaltSize = kKeySize;

// The salt for a scope in an erasure: derived from the lasting key of the scope's tenant, which may
// be the scope itself. So it is stored nowhere, and dies with the tenant.
SubjectSalt subject_salt(const LastingKey& tenant, const ErasureId& erasure, ScopeId scope);

// HMAC-SHA256 (RFC 2104), the salt as key, over four lines of text: "quietus-subject-1", the vault
// id (32 hex digits), the scope id (16), the path; each with its line feed.
Sha256 subject_commitment(ByteView salt, const VaultId& vault, ScopeId scope,
                          std::string_view path);

}  // namespace quietus
