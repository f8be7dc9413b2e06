// SSHSIG: signatures over files by SSH keys, as `ssh-keygen -Y sign` makes them (OpenSSH,
// PROTOCOL.sshsig 1.4). The verdict is stricter than that of `ssh-keygen -Y verify`: one version,
// nothing in the reserved field, no certificates, no SHA-1, no weak RSA, and whether a security key
// was touched is told, not passed over.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

#include "crypto/ssh_key.hpp"

namespace quietus {

inline constexpr std::size_t kMaxSshSignatureFile = 16384;  // bytes, armored

struct VerifiedSshSignature {
  SshPublicKey key;  // that signed; who that is, is for the caller
  SshPresence presence;
};

// The armored signature of the message in that namespace. kUnverified; kUnsupported for a
// higher version.
Result<VerifiedSshSignature> verify_ssh_signature(std::string_view armored, ByteView message,
                                                  std::string_view name_space);

// A public key as it stands in a .pub file, or on a line of authorized_keys without options:
// type, base64, and perhaps a comment. kInvalidArgument.
struct SshKeyLine {
  SshPublicKey key;
  std::string comment;
};
Result<SshKeyLine> parse_ssh_key_line(std::string_view line);
// "ssh-ed25519 AAAA…", without a comment.
std::string ssh_key_text(const SshPublicKey& key);

}  // namespace quietus
