// C2SP signed-note v1.0.0: a text with signatures under it.
//
//   <text, ends in a newline>
//   <empty line>
//   — <key name> <base64(key id (4) || signature)>
//   …
//
// Keys are told apart by name and id, the id being the start of SHA-256(name || 0A || type ||
// public key). Type 01, Ed25519, is the only one that is signed and verified here; lines of other
// keys are read and ignored.
#pragma once

#include <quietus/bytes.hpp>
#include <quietus/result.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.hpp"

namespace quietus {

using NoteKeyId = std::array<std::uint8_t, 4>;

// Signature lines in one note; more are refused.
inline constexpr std::size_t kMaxNoteSignatures = 100;

// Not empty, UTF-8, no spaces of any kind, no plus sign, no control characters.
bool is_note_key_name(std::string_view name) noexcept;

NoteKeyId note_key_id(std::string_view name, const Ed25519PublicKey& key);

// A public key that notes are verified with.
struct NoteKey {
  std::string name;
  Ed25519PublicKey key{};

  NoteKeyId id() const { return note_key_id(name, key); }
};

// The vkey encoding: name+hex(id)+base64(type || key).
std::string format_vkey(const NoteKey& key);
// kInvalidArgument; kUnsupported for a key that is not of type 01.
Result<NoteKey> parse_vkey(std::string_view vkey);

struct NoteSignature {
  std::string name;
  NoteKeyId key_id{};
  Bytes signature;
};

struct SignedNote {
  std::string text;
  std::vector<NoteSignature> signatures;
};

// Takes a note apart and verifies nothing. kUnverified when it is not well-formed.
Result<SignedNote> parse_note(std::string_view note);

// The text, signed by the key `name`. kInvalidArgument for a text or name that no note can have.
Result<std::string> sign_note(std::string_view text, std::string_view name, const SigningKey& key);

// The text of a note that at least one of the `known` keys signed. Signatures by other keys are
// ignored; a bad one by a known key refuses the whole note. kUnverified.
Result<std::string> open_note(std::string_view note, std::span<const NoteKey> known);

}  // namespace quietus
