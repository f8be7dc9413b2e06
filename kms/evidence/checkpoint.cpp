#include "evidence/checkpoint.hpp"

#include <algorithm>
#include <optional>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
std::string format_checkpoint(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.head.size) + "\n" +
         to_base64(checkpoint.head.root) + "\n";
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  LineReader lines(text);
  const auto origin = lines.next();
  const auto size = lines.next();
  const auto root = lines.next();
  if (!root || origin->empty()) return unverified("checkpoint has fewer than three lines");
  while (const auto extension = lines.next())
    if (extension->empty()) return unverified("checkpoint has an empty line");
  if (!lines.rest().empty()) return unverified("checkpoint does not end in a newline");

  const auto leaves = parse_decimal(*size);
  const auto hash = from_base64(*root);
  if (!leaves || *leaves > kMaxTreeSize) return unverified("checkpoint has a malformed size");
  if (!hash || hash->size() != sizeof(Hash)) return unverified("checkpoint has a malformed root");

  Checkpoint checkpoint{std::string(*origin), {*leaves, {}}};
  std::copy(hash->begin(), hash->end(), checkpoint.head.root.begin());
  if (*leaves == 0 && checkpoint.head.root != empty_root())
    return unverified("checkpoint of an empty log has another root");
  return checkpoint;
}

Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const SigningKey& log_key) {
  return sign_note(format_checkpoint(checkpoint), checkpoint.origin, log_key);
}

Result<Checkpoint> open_checkpoint(std::string_view note, const NoteKey& log_key) {
  QUIETUS_TRY_AS(const std::string text, open_note(note, std::span(&log_key, 1)));
  QUIETUS_TRY_AS(Checkpoint checkpoint, parse_checkpoint(text));
  if (checkpoint.origin != log_key.name) return unverified("checkpoint is of another log");
  return checkpoint;
}

}  // namespace quietus
