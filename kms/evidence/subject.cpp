#include "evidence/subject.hpp"

#include <string>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "crypto/derive.hpp"
#include "crypto/labels.hpp"

namespace quietus {

SubjectSalt subject_salt(const LastingKey& tenant, const ErasureId& erasure, ScopeId scope) {
  return derive(edges::kSubjectSalts, tenant, ByteWriter().raw(erasure).u64(scope).view());
}

Sha256 subject_commitment(ByteView salt, const VaultId& vault, ScopeId scope,
                          std::string_view path) {
  std::string text(labels::kSubject);
  text += '\n';
  text += to_hex(vault);
  text += '\n';
  text += hex_id(scope);
  text += '\n';
  text += path;
  text += '\n';
  return hmac_sha256(salt, as_bytes(text));
}

}  // namespace quietus
