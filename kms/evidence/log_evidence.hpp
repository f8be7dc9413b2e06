// Whether the log entries that a certificate encloses carry what it claims.
#pragma once

#include <quietus/result.hpp>

#include <string>

#include "evidence/certificate.hpp"
#include "evidence/checkpoint.hpp"

namespace quietus {

// Every proof holds under one checkpoint that the log's key signed; there is one keys-unreachable
// (or batch-unreachable, with the scope's statement in its tree) and one slot-destroyed entry, of
// this erasure and as claimed, one key-created entry for each key with its commitment, nothing
// else; and they stand in the log in the order in which such things happen. Returns that
// checkpoint. kUnverified.
struct ProvenCheckpoint {
  Checkpoint checkpoint;
  std::string note;  // as it was signed, cosignatures included
};
Result<ProvenCheckpoint> verify_log_evidence(const ErasureClaims& claims);

}  // namespace quietus
