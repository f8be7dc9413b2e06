// The escrow ring of a recovery site, in the control store of the site's own vault. Nothing of it
// is secret: the private half of an epoch derives from the lasting line of the epoch's scope
// (crypto/epoch_seal.hpp) and is in no row.
//
//   "e"            RingRow: version u8 (1) || ring id 16 || epoch length u64 || life u64 ||
//                  issued u64
//   "e" epoch id   EpochRow: version u8 (1) || scope id u64 || opens u64 || closes u64 ||
//                  expires u64 || public key 32 || destroyed u64 || erasure id 16 ||
//                  complete u8
//   "e" epoch id || instance id   OpeningRow: version u8 (1) || vault id 16 || time u64
//
// Both are sealed under the vault's row key; times and lengths are milliseconds, whole seconds.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <vector>

#include "evidence/ring_file.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

struct RingRow {
  RingId ring{};
  UnixMillis epoch = 0;   // how long one is open
  UnixMillis life = 0;    // from its opening to its expiry
  UnixMillis issued = 0;  // the ring file and the receipt that stand now
};

struct EpochRow {
  RingEpoch epoch;
  UnixMillis destroyed = 0;  // 0: as far as is known its key lives
  ErasureId erasure{};
  bool complete = false;  // says the certificate of that erasure
};

// The epoch's key was used to make that instance of that vault.
struct OpeningRow {
  EpochId epoch{};
  InstanceId instance{};
  VaultId vault{};
  UnixMillis time = 0;  // whole seconds
};

namespace rows {

Result<std::optional<RingRow>> ring(ControlReader& reader, const RowSeal& seal);
Result<void> put_ring(ControlWriter& writer, const RowSeal& seal, const RingRow& row);

Result<std::optional<EpochRow>> epoch(ControlReader& reader, const RowSeal& seal,
                                      const EpochId& id);
Result<void> put_epoch(ControlWriter& writer, const RowSeal& seal, const EpochRow& row);
Result<void> remove_epoch(ControlWriter& writer, const EpochId& id);
// In the order in which they open. kCorrupt when one is damaged.
Result<std::vector<EpochRow>> epochs(ControlReader& reader, const RowSeal& seal);

Result<void> put_opening(ControlWriter& writer, const RowSeal& seal, const OpeningRow& row);
Result<void> remove_opening(ControlWriter& writer, const EpochId& epoch, const InstanceId& id);
// In no order. kCorrupt when one is damaged.
Result<std::vector<OpeningRow>> openings(ControlReader& reader, const RowSeal& seal);

}  // namespace rows
}  // namespace quietus
