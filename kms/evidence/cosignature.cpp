#include "evidence/cosignature.hpp"

#include <algorithm>
#include <limits>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace quietus {
namespace {

constexpr std::uint64_t kMaxTime = std::numeric_limits<std::int64_t>::max();

std::string message(std::string_view text, std::uint64_t unix_seconds) {
  std::string bytes = "cosignature/v1\ntime " + std::to_string(unix_seconds) + "\n";
  return bytes.append(text);
}

// The time of a signature that verifies.
std::optional<std::uint64_t> verified_time(const SignedNote& note, const NoteKey& witness,
                                           ByteView signature) {
  ByteReader reader(signature);
  const std::uint64_t time = reader.u64();
  const Ed25519Signature bytes = reader.array<sizeof(Ed25519Signature)>();
  if (!reader.done() || time > kMaxTime ||
      !ed25519_verify(witness.key, as_bytes(message(note.text, time)), bytes))
    return std::nullopt;
  return time;
}

}  // namespace

Result<std::string> cosign_text(std::string_view text, std::string_view name, const SigningKey& key,
                                std::uint64_t unix_seconds) {
  if (!is_note_key_name(name) || unix_seconds > kMaxTime)
    return Error(ErrorCode::kInvalidArgument, "not a name or time that a cosignature can have");
  const Ed25519Signature bytes = ed25519_sign(key, as_bytes(message(text, unix_seconds)));
  const NoteKeyId id = note_key_id(name, ed25519_public_key(key), NoteKeyType::kCosignature);
  return format_signature(
      {std::string(name), id, ByteWriter().u64(unix_seconds).raw(bytes).take()});
}

Result<std::optional<std::uint64_t>> cosigned_at(const SignedNote& note, const NoteKey& witness) {
  std::optional<std::uint64_t> latest;
  const NoteKeyId id = witness.id();
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != witness.name || signature.key_id != id) continue;
    const auto time = verified_time(note, witness, signature.signature);
    if (!time)
      return Error(ErrorCode::kUnverified, "bad cosignature by the witness " + witness.name);
    latest = std::max(latest.value_or(0), *time);
  }
  return latest;
}

}  // namespace quietus
