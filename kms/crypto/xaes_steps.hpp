// The values on the way through the derivation of XAES-256-GCM, named as in the specification. Only
// aead.cpp and the tests that compare them with the published ones look at this.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "crypto/aead.hpp"

namespace quietus {

struct XaesSteps {
  StackSecret<16> l;                  // AES-256(K, 0^128)
  StackSecret<16> k1;                 // L doubled in GF(2^128), as in CMAC
  std::array<std::uint8_t, 16> m1{};  // 00 01 'X' 00 || N[0..12)
  std::array<std::uint8_t, 16> m2{};  // 00 02 'X' 00 || N[0..12)
};

void xaes_steps(GcmContext& context, std::span<const std::uint8_t, 32> key,
                std::span<const std::uint8_t, 12> nonce_head, XaesSteps& out);

}  // namespace quietus
