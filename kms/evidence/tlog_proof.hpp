// C2SP tlog-proof: an inclusion proof that a stranger can verify offline.
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>            optional, not authenticated: read and ignored, never written
//   index <decimal>
//   <base64 hash>…            from the leaf's sibling upwards
//   <empty line>
//   <signed checkpoint>
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/checkpoint.hpp"

namespace quietus {

struct TlogProof {
  std::uint64_t index = 0;
  std::vector<Hash> hashes;
  std::string checkpoint;  // a signed note
};

std::string format_tlog_proof(const TlogProof& proof);
Result<TlogProof> parse_tlog_proof(std::string_view text);  // kUnverified

// The checkpoint under which the log with this key proves to hold `entry`. kUnverified.
Result<Checkpoint> verify_tlog_proof(std::string_view text, ByteView entry, const NoteKey& log_key);

}  // namespace quietus
