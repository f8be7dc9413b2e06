// The other instances of this vault: whoever made a copy of it that lives on holds the keys that
// there were then, and nothing that is destroyed here is destroyed there.
//
//   "O" instance id   InstanceRow, sealed under the vault's row key: version u8 (1) || copied u64
//   ||
//                     log size u64 || log key 32 || issuing key 32
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <vector>

#include "base/function_ref.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

struct InstanceRow {
  InstanceId instance{};
  UnixMillis copied = 0;
  // Of the part of the log that both have: it holds no key that is logged after that. UINT64_MAX:
  // not known.
  std::uint64_t log_size = 0;
  // That sign its log and its certificates; zero: not known.
  Ed25519PublicKey log_key{};
  Ed25519PublicKey issuing_key{};
};

namespace rows {

Result<void> put_instance(ControlWriter& writer, const RowSeal& seal, const InstanceRow& row);
Result<void> remove_instance(ControlWriter& writer, const InstanceId& id);
// Ascending by id. `damaged` is told of each that cannot be read.
Result<std::vector<InstanceRow>> instances(ControlReader& reader, const RowSeal& seal,
                                           FunctionRef<void()> damaged);

}  // namespace rows
}  // namespace quietus
