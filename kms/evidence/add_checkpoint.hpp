// What a witness is asked with: the body of C2SP tlog-witness v1.0.0, add-checkpoint.
//
//   old <decimal>             size of the last checkpoint of this log that the witness cosigned
//   <base64 hash>…            consistency proof from there; none from size 0 and between equal
//   sizes <empty line> <signed checkpoint>
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/merkle_tree.hpp"

namespace quietus {

struct AddCheckpoint {
  std::uint64_t old_size = 0;
  std::vector<Hash> proof;
  std::string checkpoint;  // a signed note
};

std::string format_add_checkpoint(const AddCheckpoint& request);
Result<AddCheckpoint> parse_add_checkpoint(std::string_view text);  // kUnverified

}  // namespace quietus
