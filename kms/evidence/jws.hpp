// Signed JSON documents: flattened JSON JWS (RFC 7515 section 7.2.2) with Ed25519 (RFC 8037), in
// one byte form, so that changing any byte of a file makes it invalid. A file is one line:
//
//   {"payload":"<base64url>","protected":"<base64url>","signature":"<base64url>"}
//
// and the protected header is exactly {"alg":"EdDSA","kid":"<RFC 7638 thumbprint>","typ":"<type>"}.
// The name that RFC 9864 gives the same algorithm, "Ed25519", is accepted too.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

#include "crypto/signature.hpp"

namespace quietus {

// Bytes; larger files are refused unread.
inline constexpr std::size_t kMaxJwsFile = std::size_t{64} << 20;

std::string sign_jws(ByteView payload, std::string_view type, const SigningKey& key);

// A file taken apart. Nothing of it is verified.
struct UnverifiedJws {
  Bytes payload;
  Bytes signature;
  std::string signing_input;
  std::string kid;  // the key that the header names
};

// Checks the form alone: that the file is in the one byte form, and its header that of a document
// of this type. kUnverified.
Result<UnverifiedJws> read_jws(ByteView file, std::string_view type);

// The payload of a file that `key` signed as a document of this type. The algorithm is the key's:
// the header may only agree. kUnverified.
Result<Bytes> verify_jws(ByteView file, std::string_view type, const Ed25519PublicKey& key);

// RFC 7638 over SHA-256, base64url: the `kid` of a key.
std::string jwk_thumbprint(const Ed25519PublicKey& key);

// A public key as a JWK (RFC 7517), one line of JSON; and back. kInvalidArgument for anything but
// an Ed25519 public key; a JWK with a private part is refused too.
std::string format_jwk(const Ed25519PublicKey& key);
Result<Ed25519PublicKey> parse_jwk(std::string_view jwk);

}  // namespace quietus
