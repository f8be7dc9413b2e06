#include "evidence/hash_lines.hpp"

#include <algorithm>
#include <optional>

#include "base/text_encoding.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxHashes = 63;

std::optional<Hash> parse_hash(std::string_view line) {
  const std::optional<Bytes> bytes = from_base64(line);
  if (!bytes || bytes->size() != sizeof(Hash)) return std::nullopt;
  Hash hash;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

}  // namespace

std::string format_hash_lines(std::span<const Hash> hashes) {
  std::string text;
  for (const Hash& hash : hashes) text.append(to_base64(hash)).append("\n");
  return text;
}

Result<std::vector<Hash>> read_hash_lines(LineReader& lines) {
  std::vector<Hash> hashes;
  while (const auto line = lines.next()) {
    if (line->empty()) return hashes;
    const std::optional<Hash> hash = parse_hash(*line);
    if (!hash || hashes.size() == kMaxHashes)
      return Error(ErrorCode::kUnverified, "log proof has a malformed hash line");
    hashes.push_back(*hash);
  }
  return Error(ErrorCode::kUnverified, "log proof has no checkpoint");
}

}  // namespace quietus
