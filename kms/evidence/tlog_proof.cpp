#include "evidence/tlog_proof.hpp"

#include <algorithm>
#include <optional>

#include "base/text_encoding.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr std::size_t kMaxHashes = 63;  // no tree is higher

Error malformed(const char* reason) {
  return {ErrorCode::kUnverified, reason};
}

std::optional<Hash> parse_hash(std::string_view line) {
  const std::optional<Bytes> bytes = from_base64(line);
  if (!bytes || bytes->size() != sizeof(Hash)) return std::nullopt;
  Hash hash;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

// The hashes up to the empty line, which is taken too.
Result<std::vector<Hash>> read_hashes(LineReader& lines) {
  std::vector<Hash> hashes;
  while (const auto line = lines.next()) {
    if (line->empty()) return hashes;
    const std::optional<Hash> hash = parse_hash(*line);
    if (!hash || hashes.size() == kMaxHashes)
      return malformed("log proof has a malformed hash line");
    hashes.push_back(*hash);
  }
  return malformed("log proof has no checkpoint");
}

}  // namespace

std::string format_tlog_proof(const TlogProof& proof) {
  std::string text(kFirstLine);
  text.append("\n").append(kIndex).append(std::to_string(proof.index)).append("\n");
  for (const Hash& hash : proof.hashes) text.append(to_base64(hash)).append("\n");
  return text.append("\n").append(proof.checkpoint);
}

Result<TlogProof> parse_tlog_proof(std::string_view text) {
  LineReader lines(text);
  if (lines.next() != kFirstLine) return malformed("log proof does not begin as one");
  auto line = lines.next();
  if (line && line->starts_with(kExtra)) {
    if (!from_base64(line->substr(kExtra.size())))
      return malformed("log proof has a malformed extra line");
    line = lines.next();
  }
  if (!line || !line->starts_with(kIndex)) return malformed("log proof has no index");
  const auto index = parse_decimal(line->substr(kIndex.size()));
  if (!index) return malformed("log proof has a malformed index");

  TlogProof proof;
  proof.index = *index;
  QUIETUS_TRY_AS(proof.hashes, read_hashes(lines));
  proof.checkpoint = lines.rest();
  return proof;
}

Result<Checkpoint> verify_tlog_proof(std::string_view text, ByteView entry,
                                     const NoteKey& log_key) {
  QUIETUS_TRY_AS(const TlogProof proof, parse_tlog_proof(text));
  QUIETUS_TRY_AS(Checkpoint checkpoint, open_checkpoint(proof.checkpoint, log_key));
  QUIETUS_TRY(verify_inclusion(leaf_hash(entry), proof.index, checkpoint.head.size, proof.hashes,
                               checkpoint.head.root));
  return checkpoint;
}

}  // namespace quietus
