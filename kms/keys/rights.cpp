#include "keys/rights.hpp"

#include "base/byte_writer.hpp"
#include "crypto/row_seal.hpp"

namespace quietus {

bool is_governed(const RootRow& root) noexcept {
  return root.rights != Sha256{};
}

Result<Sha256> hash_of_rights(ControlReader& reader, const RowSeal& seal) {
  ByteWriter all;
  QUIETUS_TRY(reader.scan(Bytes{'g'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    all.field(key);
    if (content) all.field(*content);  // else it is like no row that was ever written
    return true;
  }));
  return sha256(all.view());
}

Result<void> seal_rights(ControlWriter& writer, const ScopeTable& scopes, RootRow& root) {
  QUIETUS_TRY_AS(root.rights, hash_of_rights(writer, scopes.seal()));
  return scopes.save(writer, root);
}

Result<void> check_rights(ControlReader& reader, const RowSeal& seal, const RootRow& root) {
  if (!is_governed(root)) return {};
  QUIETUS_TRY_AS(const Sha256 found, hash_of_rights(reader, seal));
  if (found == root.rights) return {};
  return Error(ErrorCode::kCorrupt,
               "the rows of operators are not those that were written last: nobody can decide "
               "anything. Put the control store back as it was, or let another admin in "
               "(`quietus operator break-glass`)");
}

}  // namespace quietus
