// What a certificate says of who decided: kept beside the erasure that was approved, because its
// certificate may be written later, by another process.
//
//   "v" erasure id   version u8 (1) || request id 16 || kind text || plan SHA-256 32 || u16
//                    approvals of { operator id 16 || key SHA-256 32 || time u64 || touched u8 ||
//                    verified u8 }
//   "v" scope id     the same, of the newest request for its termination or withdrawal of consent
//                    that was carried out: a rule of the policy may count from it
#pragma once

#include "evidence/certificate.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

// Fills in who decided: what was approved, or else what the vault was when the erasure began. That
// of a row that is damaged is not known.
Result<void> claim_decision(ControlReader& reader, const RowSeal& seal, bool governed,
                            ErasureClaims& claims);

namespace rows {

Result<std::optional<ClaimedRequest>> approved_by(ControlReader& reader, const RowSeal& seal,
                                                  const ErasureId& erasure);
Result<void> put_approved_by(ControlWriter& writer, const RowSeal& seal, const ErasureId& erasure,
                             const ClaimedRequest& row);
Result<void> remove_approved_by(ControlWriter& writer, const ErasureId& erasure);

Result<std::optional<ClaimedRequest>> approved_for(ControlReader& reader, const RowSeal& seal,
                                                   ScopeId scope);
Result<void> put_approved_for(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                              const ClaimedRequest& row);

}  // namespace rows
}  // namespace quietus
