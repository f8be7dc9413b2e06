#include "evidence/signed_note.hpp"

#include <algorithm>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/hash.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kSignaturePrefix = "\xE2\x80\x94 ";  // U+2014 and a space

// Every space of Unicode (property White_Space) beyond the control characters.
constexpr std::array<std::string_view, 20> kSpaces = {" ",
                                                      "\xC2\x85",
                                                      "\xC2\xA0",
                                                      "\xE1\x9A\x80",
                                                      "\xE2\x80\x80",
                                                      "\xE2\x80\x81",
                                                      "\xE2\x80\x82",
                                                      "\xE2\x80\x83",
                                                      "\xE2\x80\x84",
                                                      "\xE2\x80\x85",
                                                      "\xE2\x80\x86",
                                                      "\xE2\x80\x87",
                                                      "\xE2\x80\x88",
                                                      "\xE2\x80\x89",
                                                      "\xE2\x80\x8A",
                                                      "\xE2\x80\xA8",
                                                      "\xE2\x80\xA9",
                                                      "\xE2\x80\xAF",
                                                      "\xE2\x81\x9F",
                                                      "\xE3\x80\x80"};

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// UTF-8 without control characters other than the newline, ending in one.
bool is_note_text(std::string_view text) noexcept {
  return !text.empty() && text.back() == '\n' && is_utf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

std::optional<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kSignaturePrefix)) return std::nullopt;
  line.remove_prefix(kSignaturePrefix.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view name = line.substr(0, space);
  const std::optional<Bytes> bytes = from_base64(line.substr(space + 1));
  if (!is_note_key_name(name) || !bytes || bytes->size() <= sizeof(NoteKeyId)) return std::nullopt;

  ByteReader reader(*bytes);
  NoteSignature signature;
  signature.name = name;
  signature.key_id = reader.array<sizeof(NoteKeyId)>();
  signature.signature.assign(reader.rest().begin(), reader.rest().end());
  return signature;
}

const NoteKey* find_key(std::span<const NoteKey> known, const NoteSignature& signature) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const NoteKey& key) {
    return key.name == signature.name && key.id() == signature.key_id;
  });
  return found == known.end() ? nullptr : &*found;
}

}  // namespace

bool is_note_key_name(std::string_view name) noexcept {
  return !name.empty() && is_utf8(name) && name.find('+') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), is_control) &&
         std::none_of(kSpaces.begin(), kSpaces.end(), [&](std::string_view space) {
           return name.find(space) != std::string_view::npos;
         });
}

NoteKeyId note_key_id(std::string_view name, const Ed25519PublicKey& key, NoteKeyType type) {
  const std::array<std::uint8_t, 2> separator = {'\n', static_cast<std::uint8_t>(type)};
  const Sha256 digest = sha256({as_bytes(name), ByteView(separator), ByteView(key)});
  return ByteReader(digest).array<sizeof(NoteKeyId)>();
}

std::string format_vkey(const NoteKey& key) {
  const Bytes typed = ByteWriter().u8(static_cast<std::uint8_t>(key.type)).raw(key.key).take();
  return key.name + "+" + to_hex(key.id()) + "+" + to_base64(typed);
}

Result<NoteKey> parse_vkey(std::string_view vkey, NoteKeyType type) {
  const auto invalid = [](const char* reason) {
    return Error(ErrorCode::kInvalidArgument, reason);
  };
  const std::size_t first = vkey.find('+');
  const std::size_t second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return invalid("key is not of the form name+id+key");

  NoteKey key;
  key.name = vkey.substr(0, first);
  const std::optional<Bytes> typed = from_base64(vkey.substr(second + 1));
  if (!is_note_key_name(key.name) || !typed || typed->empty())
    return invalid("key is not of the form name+id+key");
  if (typed->front() != static_cast<std::uint8_t>(type))
    return Error(ErrorCode::kUnsupported, type == NoteKeyType::kEd25519
                                              ? "key is not an Ed25519 key of a log (type 01)"
                                              : "key is not an Ed25519 key of a witness (type 04)");
  key.type = type;
  ByteReader reader(*typed);
  reader.u8();
  key.key = reader.array<sizeof(Ed25519PublicKey)>();
  if (!reader.done()) return invalid("key has the wrong length");
  if (vkey.substr(first + 1, second - first - 1) != to_hex(key.id()))
    return invalid("key does not match its id");
  return key;
}

std::string format_signature(const NoteSignature& signature) {
  const Bytes bytes = ByteWriter().raw(signature.key_id).raw(signature.signature).take();
  std::string line(kSignaturePrefix);
  return line.append(signature.name).append(" ").append(to_base64(bytes)).append("\n");
}

Result<SignedNote> parse_note(std::string_view note) {
  if (!is_note_text(note)) return unverified("note is not plain text that ends in a newline");
  const std::size_t split = note.rfind("\n\n");
  if (split == std::string_view::npos) return unverified("note has no signatures");

  SignedNote parsed;
  parsed.text = note.substr(0, split + 1);
  LineReader lines(note.substr(split + 2));
  while (const auto line = lines.next()) {
    if (parsed.signatures.size() == kMaxNoteSignatures)
      return unverified("note has too many signatures");
    std::optional<NoteSignature> signature = parse_signature(*line);
    if (!signature) return unverified("note has a malformed signature line");
    parsed.signatures.push_back(*std::move(signature));
  }
  if (parsed.signatures.empty()) return unverified("note has no signatures");
  return parsed;
}

Result<std::string> sign_note(std::string_view text, std::string_view name, const SigningKey& key) {
  if (!is_note_text(text) || !is_note_key_name(name))
    return Error(ErrorCode::kInvalidArgument, "not a text or key name that a note can have");
  const Ed25519Signature bytes = ed25519_sign(key, as_bytes(text));
  const NoteSignature signature{std::string(name), note_key_id(name, ed25519_public_key(key)),
                                Bytes(bytes.begin(), bytes.end())};
  return std::string(text) + "\n" + format_signature(signature);
}

Result<std::string> open_note(std::string_view note, std::span<const NoteKey> known) {
  QUIETUS_TRY_AS(SignedNote parsed, parse_note(note));
  bool signed_by_known_key = false;
  for (const NoteSignature& signature : parsed.signatures) {
    const NoteKey* key = find_key(known, signature);
    if (key == nullptr) continue;
    if (!ed25519_verify(key->key, as_bytes(parsed.text), signature.signature))
      return unverified("note has a bad signature by a known key");
    signed_by_known_key = true;
  }
  if (!signed_by_known_key) return unverified("note is not signed by a known key");
  return std::move(parsed.text);
}

}  // namespace quietus
