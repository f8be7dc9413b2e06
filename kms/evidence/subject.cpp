#include "evidence/subject.hpp"

#include <string>

#include "base/text_encoding.hpp"
#include "crypto/derive.hpp"
#include "crypto/labels.hpp"

namespace quietus {

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
