#include "evidence/ssh_signature.hpp"

#include <array>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/text_lines.hpp"

namespace quietus {
namespace {

constexpr std::string_view kMagic = "SSHSIG";
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kBegin = "-----BEGIN SSH SIGNATURE-----";
constexpr std::string_view kEnd = "-----END SSH SIGNATURE-----";
constexpr std::size_t kMaxArmorLine = 76;

Error malformed(const std::string& what) {
  return unverified("SSH signature: " + what);
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The header is the first thing, and nothing follows the end but its line's end.
std::optional<Bytes> blob_in(std::string_view armored) {
  LineReader lines(armored);
  const auto first = lines.next();
  if (!first || without_return(*first) != kBegin) return std::nullopt;
  std::string body;
  while (const auto line = lines.next()) {
    const std::string_view text = without_return(*line);
    if (text == kEnd) return lines.rest().empty() ? from_base64(body) : std::nullopt;
    if (text.empty() || text.size() > kMaxArmorLine) return std::nullopt;
    body += text;
  }
  // A last line without an end is the end too.
  return without_return(lines.rest()) == kEnd ? from_base64(body) : std::nullopt;
}

struct Parts {
  ByteView key;
  std::string_view name_space;
  std::string_view algorithm;
  ByteView signature;
};

Result<Parts> parts_in(ByteView blob) {
  ByteReader in(blob);
  if (as_text(in.raw(kMagic.size())) != kMagic) return malformed("this is none");
  const std::uint32_t version = in.u32();
  if (!in.failed() && version > kVersion)
    return Error(ErrorCode::kUnsupported, "SSH signature: of a newer version");
  Parts parts;
  parts.key = in.field(kMaxSshKey);
  parts.name_space = in.text(kMaxSshKey);
  const ByteView reserved = in.field(kMaxSshKey);
  parts.algorithm = in.text(kMaxSshKey);
  parts.signature = in.field(kMaxSshSignature);
  if (!in.done() || version != kVersion) return malformed("malformed");
  if (!reserved.empty()) return malformed("its reserved field, which nobody signs, is not empty");
  return parts;
}

}  // namespace

Result<VerifiedSshSignature> verify_ssh_signature(std::string_view armored, ByteView message,
                                                  std::string_view name_space) {
  if (armored.size() > kMaxSshSignatureFile) return malformed("too long");
  const auto blob = blob_in(armored);
  if (!blob) return malformed("no armored signature");
  QUIETUS_TRY_AS(const Parts parts, parts_in(*blob));
  if (parts.name_space.empty()) return malformed("without a namespace");
  if (parts.name_space != name_space)
    return malformed("made for another use: its namespace is not " + std::string(name_space));
  auto key = parse_ssh_key(parts.key);
  if (!key) return malformed(key.error().context());
  const auto hash = ssh_message_hash(parts.algorithm, message);
  if (!hash) return malformed("with a hash that is not taken; sha512 and sha256 are");
  const Bytes covered = ByteWriter()
                            .raw(as_bytes(kMagic))
                            .text(parts.name_space)
                            .text("")
                            .text(parts.algorithm)
                            .field(*hash)
                            .take();
  QUIETUS_TRY_AS(const SshPresence presence, verify_ssh(*key, covered, parts.signature));
  return VerifiedSshSignature{*std::move(key), presence};
}

Result<SshKeyLine> parse_ssh_key_line(std::string_view line) {
  const auto refused = [](const std::string& what) {
    return Error(ErrorCode::kInvalidArgument, "SSH public key: " + what);
  };
  const std::size_t type_end = line.find(' ');
  if (type_end == std::string_view::npos) return refused("a line is `type base64 comment`");
  const std::string_view type = line.substr(0, type_end);
  std::string_view rest = line.substr(type_end + 1);
  const std::size_t key_end = std::min(rest.find(' '), rest.size());
  const auto wire = from_base64(rest.substr(0, key_end));
  if (!wire) return refused("its second word is not base64");
  QUIETUS_TRY_AS(SshPublicKey key, parse_ssh_key(*wire));
  if (name_of(key.type) != type) return refused("its type is not that of the key");
  rest.remove_prefix(std::min(key_end + 1, rest.size()));
  return SshKeyLine{std::move(key), std::string(rest)};
}

std::string ssh_key_text(const SshPublicKey& key) {
  return std::string(name_of(key.type)) + " " + to_base64(key.wire);
}

}  // namespace quietus
