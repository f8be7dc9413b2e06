// A witness of evidence logs: a key in a file, and beside it the newest checkpoint that it cosigned
// of each log. quietus/trust.hpp has the contract; docs/format.md the bytes.
#pragma once

#include <quietus/trust.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "evidence/checkpoint.hpp"
#include "storage/file.hpp"

namespace quietus {

// The newest checkpoint of each log, by origin, ascending.
using WitnessState = std::vector<Checkpoint>;

inline constexpr std::size_t kMaxWitnessedLogs = 1024;

std::string format_witness_state(const WitnessState& state);
Result<WitnessState> parse_witness_state(std::string_view text);  // kCorrupt

// Where a witness works; tests put something else here.
struct WitnessPlace {
  FileSystem& files;
  const Clock& clock;
  std::filesystem::path key;
};

Result<std::string> create_witness(const WitnessPlace& place, std::string_view name);
Result<std::string> cosign(const WitnessPlace& place, std::string_view request, const Trust& logs);

}  // namespace quietus
