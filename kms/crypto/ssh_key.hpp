// SSH public keys and what they sign: the part of SSHSIG that is cryptography. Keys are taken from
// their wire format (RFC 4253, section 6.6; RFC 5656; RFC 8709; OpenSSH's PROTOCOL.u2f). Everything
// that has more than one encoding is refused in all but one.
#pragma once

#include <quietus/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quietus {

enum class SshKeyType : std::uint8_t {
  kEd25519,
  kEcdsaP256,
  kEcdsaP384,
  kRsa,              // 3,072 to 16,384 bits
  kSecurityEd25519,  // sk-ssh-ed25519@openssh.com
  kSecurityEcdsa,    // sk-ecdsa-sha2-nistp256@openssh.com
};

inline constexpr std::size_t kMaxSshKey = 4096;        // bytes of a wire format
inline constexpr std::size_t kMaxSshSignature = 4096;  // bytes of a signature's wire format

struct SshPublicKey {
  SshKeyType type = SshKeyType::kEd25519;
  Bytes wire;

  // On a device that can ask for a touch, or who touches it.
  bool is_security_key() const noexcept {
    return type == SshKeyType::kSecurityEd25519 || type == SshKeyType::kSecurityEcdsa;
  }
  bool operator==(const SshPublicKey&) const = default;
};

// "ssh-ed25519", … as the wire format says.
std::string_view name_of(SshKeyType type) noexcept;

// kInvalidArgument: another type, a weak or malformed key, a certificate, trailing bytes.
Result<SshPublicKey> parse_ssh_key(ByteView wire);

// "SHA256:" and 43 characters, as ssh-keygen -l shows it.
std::string ssh_fingerprint(const SshPublicKey& key);

// The hash that SSHSIG signs in place of a message: "sha512" or "sha256"; nothing for another.
std::optional<Bytes> ssh_message_hash(std::string_view algorithm, ByteView message);

// What a security key says of the moment when it signed; nothing of other keys.
struct SshPresence {
  bool touched = false;   // somebody was there
  bool verified = false;  // and showed who, by a PIN or biometrics
  std::uint32_t counter = 0;
};

// The signature is in the wire format. kUnverified.
Result<SshPresence> verify_ssh(const SshPublicKey& key, ByteView message, ByteView signature);

}  // namespace quietus
