// The statements of a batch as one Merkle tree: leaves in ascending order of scope ids, its root in
// the log. Blocks of 256 leaves are kept, so that a proof reads one block and the hashes of the
// others.
#pragma once

#include "keys/batch_rows.hpp"

namespace quietus {

// The leaf of a statement (evidence/certificate.hpp).
Hash statement_hash(const ErasureId& batch, const BatchStatement& row);

// Writes the blocks anew, in one transaction each, and says what the list comes to. Nobody else may
// change it meanwhile.
Result<BatchHead> seal_list(ControlStore& control, const RowSeal& seal, const ErasureId& batch);

struct StatementProof {
  std::uint64_t index = 0;
  std::vector<Hash> hashes;
};
// That the scope's statement is in the tree of `head`. kNotFound; kCorrupt when the rows do not add
// up to its root.
Result<StatementProof> prove_statement(ControlReader& reader, const RowSeal& seal,
                                       const ErasureId& batch, const BatchHead& head,
                                       ScopeId scope);

}  // namespace quietus
