// C2SP signed-note v1.0.0: a text with signatures under it.
//
//   <text, ends in a newline>
//   <empty line>
//   — <key name> <base64(key id (4) || signature)>
//   …
//
// Keys are told apart by name and id, the id being the start of SHA-256(name || 0A || type ||
// public key). Type 01, Ed25519, is what is signed and verified here; type 04, the cosignature of a
// witness, is in cosignature.hpp. Lines of other keys are read and ignored.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.hpp"

namespace quietus {

using NoteKeyId = std::array<std::uint8_t, 4>;

// What a key signs, and how. Both are Ed25519.
enum class NoteKeyType : std::uint8_t {
  kEd25519 = 0x01,      // the text
  kCosignature = 0x04,  // the text and a time, by a witness
};

// Signature lines in one note; more are refused.
inline constexpr std::size_t kMaxNoteSignatures = 100;

// Not empty, UTF-8, no spaces of any kind, no plus sign, no control characters.
bool is_note_key_name(std::string_view name) noexcept;

NoteKeyId note_key_id(std::string_view name, const Ed25519PublicKey& key,
                      NoteKeyType type = NoteKeyType::kEd25519);

// A public key that notes are verified with.
struct NoteKey {
  std::string name;
  Ed25519PublicKey key{};
  NoteKeyType type = NoteKeyType::kEd25519;

  NoteKeyId id() const { return note_key_id(name, key, type); }
};

// The vkey encoding: name+hex(id)+base64(type || key).
std::string format_vkey(const NoteKey& key);
// kInvalidArgument; kUnsupported for a key of another type.
Result<NoteKey> parse_vkey(std::string_view vkey, NoteKeyType type = NoteKeyType::kEd25519);

struct NoteSignature {
  std::string name;
  NoteKeyId key_id{};
  Bytes signature;
};

// Its line, with the newline.
std::string format_signature(const NoteSignature& signature);

struct SignedNote {
  std::string text;
  std::vector<NoteSignature> signatures;
};

// Takes a note apart and verifies nothing. kUnverified when it is not well-formed.
Result<SignedNote> parse_note(std::string_view note);

// The text, signed by the key `name`. kInvalidArgument for a text or name that no note can have.
Result<std::string> sign_note(std::string_view text, std::string_view name, const SigningKey& key);

// The text of a note that at least one of the `known` keys, all of type 01, signed. Signatures by
// other keys are ignored; a bad one by a known key refuses the whole note. kUnverified.
Result<std::string> open_note(std::string_view note, std::span<const NoteKey> known);

}  // namespace quietus
