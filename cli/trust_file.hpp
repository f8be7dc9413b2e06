// The file that --trust names, and what was checked against it.
#pragma once

#include "json_output.hpp"

#include <quietus/trust.hpp>

#include <string>
#include <vector>

namespace quietus::cli {

// kInvalidArgument with file and line.
Result<Trust> read_trust(const std::string& path);

// A list of {"name", "time"}.
Json to_json(const std::vector<WitnessStatement>& statements);
// {"origin", "size", "root_hash"}.
Json to_json(const CheckedCheckpoint& checkpoint);

}  // namespace quietus::cli
