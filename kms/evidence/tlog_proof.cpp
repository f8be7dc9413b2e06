#include "evidence/tlog_proof.hpp"

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/hash_lines.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";

}  // namespace

std::string format_tlog_proof(const TlogProof& proof) {
  std::string text(kFirstLine);
  text.append("\n").append(kIndex).append(std::to_string(proof.index)).append("\n");
  return text.append(format_hash_lines(proof.hashes)).append("\n").append(proof.checkpoint);
}

Result<TlogProof> parse_tlog_proof(std::string_view text) {
  LineReader lines(text);
  if (lines.next() != kFirstLine) return unverified("log proof does not begin as one");
  auto line = lines.next();
  if (line && line->starts_with(kExtra)) {
    if (!from_base64(line->substr(kExtra.size())))
      return unverified("log proof has a malformed extra line");
    line = lines.next();
  }
  if (!line || !line->starts_with(kIndex)) return unverified("log proof has no index");
  const auto index = parse_decimal(line->substr(kIndex.size()));
  if (!index) return unverified("log proof has a malformed index");

  TlogProof proof;
  proof.index = *index;
  QUIETUS_TRY_AS(proof.hashes, read_hash_lines(lines));
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
