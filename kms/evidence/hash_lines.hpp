// The hashes of a proof as C2SP writes them: base64, one a line, ended by an empty line.
#pragma once

#include <quietus/result.hpp>

#include <span>
#include <string>
#include <vector>

#include "evidence/merkle_tree.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {

// Without the empty line.
std::string format_hash_lines(std::span<const Hash> hashes);
// The hashes up to the empty line, which is taken too; at most 63, since no tree is higher.
// kUnverified.
Result<std::vector<Hash>> read_hash_lines(LineReader& lines);

}  // namespace quietus
