// The last time that a backup was restored on trial.
//
//   "u"   DrillRow, sealed under the vault's row key: version u8 (1) || done u8 || instance 16 ||
//         time u64 || backup 16 || passed u8 || report 32
#pragma once

#include <quietus/result.hpp>

#include <optional>

#include "keys/control_rows.hpp"

namespace quietus {

struct DrillRow {
  bool done = false;      // false: begun, and as far as is known not ended
  InstanceId instance{};  // whose root key is in the memory of who does it
  UnixMillis time = 0;    // when it was begun, or was done
  BackupId backup{};
  bool passed = false;
  Sha256 report{};  // of the signed report's payload
};

namespace rows {

Result<std::optional<DrillRow>> drill(ControlReader& reader, const RowSeal& seal);
Result<void> put_drill(ControlWriter& writer, const RowSeal& seal, const DrillRow& row);

}  // namespace rows
}  // namespace quietus
