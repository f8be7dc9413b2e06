// What a certificate says of copies of the keys that others hold: other instances of the vault, and
// key snapshots, which age out. When it turns out later that there are fewer of them, another
// certificate takes its place.
#pragma once

#include "evidence/certificate.hpp"
#include "keys/control_rows.hpp"
#include "keys/key_store.hpp"

namespace quietus {

// Fills in instances, with their receipts, snapshots, phase and status, from what the rows say now
// and from the other claims: targets, times, root, exports, log.
Result<void> claim_copies(ControlReader& reader, const RowSeal& seal, ErasureClaims& claims);

// Until when key snapshots hold what would be erased now, as far as is attested or scheduled; 0:
// none does.
Result<UnixMillis> snapshots_clear(ControlReader& reader, const RowSeal& seal,
                                   const std::vector<ScopeId>& targets);

// Signs, stores and logs a certificate.
Result<WrittenCertificate> store_certificate(ControlWriter& writer, const RowSeal& seal,
                                             ErasureClaims claims);

// Certificates that wait for something, and stand: ids, ascending, from `from` on, at most `limit`.
Result<std::vector<CertificateId>> waiting_certificates(ControlReader& reader, const RowSeal& seal,
                                                        const CertificateId& from,
                                                        std::size_t limit);
// Writes another certificate of the same erasure if more can be said now than this one says: all
// snapshots that it names are attested to be gone, or an instance that it does not name turned out
// to hold the keys, or one that it names as uncovered has a receipt now, or came to nothing. `tool`
// and `now` are the new one's. Its id, if it was written.
struct Reissue {
  CertificateId id{};
  std::string origin;  // of the log of this instance: others' certificates are not its to replace
  std::string tool;
  UnixMillis now = 0;
};
Result<std::optional<CertificateId>> reissue_certificate(ControlWriter& writer, const RowSeal& seal,
                                                         const Reissue& reissue);

}  // namespace quietus
