// Writes the certificate of a finished root change from what was done, inside the transaction that
// logs it.
#pragma once

#include "evidence/certificate.hpp"
#include "keys/key_store.hpp"

namespace quietus {

// What the assembly reads, borrowed for the transaction.
struct CertificateInputs {
  ControlWriter& writer;
  const RowSeal& seal;
  const RootChangeOutcome& outcome;
  const KeyStore::Parts& parts;
  std::uint64_t destroyed_index;  // of the slot-destroyed entry
  UnixMillis destroyed_time;
};

// Signs a checkpoint and the certificate, and stores the latter. Requires: the slot-destroyed entry
// is the newest of the log. Sets outcome.certificate and certificate_document in the result.
struct WrittenCertificate {
  CertificateId id{};
  std::string document;
};
Result<WrittenCertificate> write_certificate(const CertificateInputs& inputs);

// The log's current head as a signed C2SP checkpoint.
Result<std::string> signed_checkpoint(ControlReader& reader, const RowSeal& seal,
                                      const std::string& origin);

}  // namespace quietus
