#include "trust_file.hpp"

#include "input_file.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {

Result<Trust> read_trust(const std::string& path) {
  QUIETUS_TRY_AS(const Bytes text, read_file(path, Trust::kMaxFile));
  return Trust::parse(as_text(text)).within(path);
}

Json to_json(const std::vector<WitnessStatement>& statements) {
  Json list = Json::array();
  for (const WitnessStatement& statement : statements)
    list.push_back({{"name", statement.witness}, {"time", timestamp(statement.unix_ms)}});
  return list;
}

Json to_json(const CheckedCheckpoint& checkpoint) {
  return {{"origin", checkpoint.origin},
          {"size", checkpoint.size},
          {"root_hash", checkpoint.root_hash}};
}

}  // namespace quietus::cli
