// An SSH key that signs as `ssh-keygen -Y sign` does, or as a security key would.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "crypto/hash.hpp"
#include "crypto/signature.hpp"
#include "evidence/test_keys.hpp"

namespace quietus::test {

class SshSigner {
 public:
  explicit SshSigner(std::string_view name, bool security_key = false)
      : key_(signing_key(name)), security_key_(security_key) {}

  // A line of a .pub file.
  std::string line() const { return type() + " " + to_base64(wire()); }

  std::string sign(std::string_view text, std::string_view name_space,
                   std::uint8_t flags = 1) const {
    const auto hash = sha256(as_bytes(text));
    const Bytes covered = ByteWriter()
                              .raw(as_bytes("SSHSIG"))
                              .text(name_space)
                              .text("")
                              .text("sha256")
                              .field(hash)
                              .take();
    const Bytes blob = ByteWriter()
                           .raw(as_bytes("SSHSIG"))
                           .u32(1)
                           .field(wire())
                           .text(name_space)
                           .text("")
                           .text("sha256")
                           .field(signature(covered, flags))
                           .take();
    std::string armored = "-----BEGIN SSH SIGNATURE-----\n";
    const std::string body = to_base64(blob);
    for (std::size_t at = 0; at < body.size(); at += 70) armored += body.substr(at, 70) + "\n";
    return armored + "-----END SSH SIGNATURE-----\n";
  }

 private:
  std::string type() const { return security_key_ ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519"; }

  Bytes wire() const {
    ByteWriter out;
    out.text(type()).field(ed25519_public_key(key_));
    if (security_key_) out.text("ssh:");
    return out.take();
  }

  Bytes signature(ByteView covered, std::uint8_t flags) const {
    ByteWriter out;
    out.text(type());
    if (!security_key_) return out.field(ed25519_sign(key_, covered)).take();
    const Bytes device =
        ByteWriter().raw(sha256(as_bytes("ssh:"))).u8(flags).u32(7).raw(sha256(covered)).take();
    return out.field(ed25519_sign(key_, device)).u8(flags).u32(7).take();
  }

  SigningKey key_;
  bool security_key_;
};

}  // namespace quietus::test
