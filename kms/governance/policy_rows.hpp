// The versions of the retention policy, all of them, as they were applied.
//
//   "p" version u32   format u8 (1) || applied u64 || effective u64 || text, sealed under the
//   vault's
//                     row key
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <vector>

#include "governance/policy.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

struct PolicyVersion {
  std::uint32_t version = 0;  // 1, 2, 3, …
  UnixMillis applied = 0;
  UnixMillis effective = 0;
  std::string text;  // the file, byte for byte
};

namespace rows {
// In the order of their numbers. kCorrupt when one is damaged or missing in between.
Result<std::vector<PolicyVersion>> policies(ControlReader& reader, const RowSeal& seal);
}  // namespace rows

// The one that counts at a time: the newest of those that are effective by then.
const PolicyVersion* in_force(const std::vector<PolicyVersion>& versions, UnixMillis at) noexcept;

// Parses, checks the notice period against the newest version, stores and logs. kInvalidArgument
// names the line; kRefused: the notice period; kAlreadyExists: it is the newest version already.
Result<PolicyVersion> apply_policy(ControlWriter& writer, const RowSeal& seal,
                                   std::string_view text, UnixMillis now);

}  // namespace quietus
