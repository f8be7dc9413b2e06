// Writes the certificate of a finished root change from what was done, inside the transaction that
// logs it.
#pragma once

#include "evidence/certificate.hpp"
#include "keys/batch_list.hpp"
#include "keys/key_store.hpp"

namespace quietus {

// What the assembly reads, borrowed for the transaction.
struct CertificateInputs {
  ControlWriter& writer;
  const RowSeal& seal;
  const RootChangeOutcome& outcome;
  const KeyStore::Parts& parts;
  std::uint64_t destroyed_index = 0;  // of the slot-destroyed entry
  UnixMillis destroyed_time = 0;
  Assurance assurance;  // of the slots, when they were destroyed
};

// Signs a checkpoint and the certificate, stores the latter and logs it.
Result<WrittenCertificate> write_certificate(const CertificateInputs& inputs);
// The same for one scope of a batch, at any time after it was finished.
Result<WrittenCertificate> write_certificate(const CertificateInputs& inputs,
                                             const BatchStatement& scope,
                                             const StatementProof& proof);

// The log's current head as a signed C2SP checkpoint.
Result<std::string> signed_checkpoint(ControlReader& reader, const RowSeal& seal,
                                      const std::string& origin);

}  // namespace quietus
