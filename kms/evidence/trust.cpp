#include <quietus/trust.hpp>

#include <algorithm>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/trust_file.hpp"

namespace quietus {
namespace {

// The key among `logs` that signed the note. A bad signature by any of them refuses it.
Result<NoteKey> signing_log(std::string_view note, const std::vector<NoteKey>& logs) {
  QUIETUS_TRY(open_note(note, logs).within("checkpoint"));
  for (const NoteKey& log : logs)
    if (open_note(note, std::span(&log, 1)).ok()) return log;
  return unverified("checkpoint: note is not signed by a known key");
}

struct OpenedCheckpoint {
  CheckedCheckpoint checkpoint;
  std::vector<VerifiedCosignature> cosignatures;
};

Result<OpenedCheckpoint> open_with(const TrustRules& rules, std::string_view note) {
  QUIETUS_TRY_AS(const SignedNote parsed, parse_note(note).within("checkpoint"));
  QUIETUS_TRY_AS(const Checkpoint checkpoint, parse_checkpoint(parsed.text));
  std::vector<NoteKey> logs;
  std::copy_if(rules.logs.begin(), rules.logs.end(), std::back_inserter(logs),
               [&](const NoteKey& log) { return log.name == checkpoint.origin; });
  if (logs.empty())
    return unverified("checkpoint is of a log that the trust file does not name: " +
                      checkpoint.origin);
  QUIETUS_TRY_AS(const NoteKey log, signing_log(note, logs));
  QUIETUS_TRY_AS(auto cosignatures, verified_cosignatures(rules, parsed));

  OpenedCheckpoint opened{
      {checkpoint.origin, checkpoint.head.size, to_hex(checkpoint.head.root), format_vkey(log), {}},
      std::move(cosignatures)};
  opened.checkpoint.witnesses = statements_of(rules, opened.cosignatures);
  return opened;
}

}  // namespace

Result<Trust> Trust::parse(std::string_view text) {
  QUIETUS_TRY_AS(TrustRules rules, parse_trust_file(text));
  return Trust(std::make_shared<const TrustRules>(std::move(rules)));
}

Result<CheckedCheckpoint> Trust::open_checkpoint(std::string_view note) const {
  QUIETUS_TRY_AS(OpenedCheckpoint opened, open_with(*rules_, note));
  return std::move(opened.checkpoint);
}

Result<CheckedCheckpoint> Trust::check_checkpoint(std::string_view note) const {
  QUIETUS_TRY_AS(OpenedCheckpoint opened, open_with(*rules_, note));
  QUIETUS_TRY(check_quorum(*rules_, opened.cosignatures));
  return std::move(opened.checkpoint);
}

const std::string& Trust::quorum() const noexcept {
  return rules_->quorum_name;
}

}  // namespace quietus
