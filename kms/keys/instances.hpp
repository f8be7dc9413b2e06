// The other instances of this vault: whoever made a copy of it that lives on holds the keys that
// there were then, and nothing that is destroyed here is destroyed there.
//
//   "O" instance id   InstanceRow, sealed under the vault's row key: version u8 (1, or 2 with the
//                     least size) || copied u64 || log size u64 || log key 32 || issuing key 32 ||
//                     least log size u64
//   "o" instance id || scope u64   that instance destroyed the scope too, and what it certified it
//                     with: version u8 (1) || certificate id 16. Scope 0: that whole instance
//   "i"               in a copy that is no instance yet: OriginKeys, version u8 (1) || log key 32
//                     || issuing key 32
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <optional>
#include <utility>
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
  // When it is known only that the log had at least this size, and at most the other, when the copy
  // was made.
  std::optional<std::uint64_t> least_log_size = {};
};

struct InstanceReceipt {
  InstanceId instance{};
  ScopeId scope = 0;
  CertificateId certificate{};
};

// Public halves of the keys that sign in the instance that a copy was made of.
struct OriginKeys {
  Ed25519PublicKey log{};
  Ed25519PublicKey issuing{};
};

namespace rows {

Result<void> put_instance(ControlWriter& writer, const RowSeal& seal, const InstanceRow& row);
Result<void> remove_instance(ControlWriter& writer, const InstanceId& id);
// Ascending by id. `damaged` is told of each that cannot be read.
Result<std::vector<InstanceRow>> instances(ControlReader& reader, const RowSeal& seal,
                                           FunctionRef<void()> damaged);

Result<std::optional<CertificateId>> instance_receipt(ControlReader& reader, const RowSeal& seal,
                                                      const InstanceId& instance, ScopeId scope);
// Takes the place of what was there for that instance and scope.
Result<void> put_instance_receipt(ControlWriter& writer, const RowSeal& seal,
                                  const InstanceReceipt& receipt);

// Key and sealed value of the row that goes into a copy.
std::pair<Bytes, Bytes> sealed_origin_keys(const RowSeal& seal, const OriginKeys& keys);
// kCorrupt when there is none.
Result<OriginKeys> origin_keys(ControlReader& reader, const RowSeal& seal);
Result<void> remove_origin_keys(ControlWriter& writer);

}  // namespace rows
}  // namespace quietus
