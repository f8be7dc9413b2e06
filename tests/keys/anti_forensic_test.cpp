#include "keys/anti_forensic.hpp"

#include <catch2/catch.hpp>

#include "crypto/random.hpp"

using namespace quietus;  // NOLINT: a test

namespace {

constexpr std::size_t kSecret = 72;
constexpr std::size_t kStripes = 450;
constexpr std::size_t kStripe = 512;

Bytes random_secret() {
  Bytes secret(kSecret);
  random_bytes(secret);
  return secret;
}

Bytes split(ByteView secret, std::size_t stripes = kStripes) {
  Bytes material(secret.size() * stripes);
  anti_forensic_split(secret, material);
  return material;
}

Bytes merge(ByteView material, std::size_t size = kSecret) {
  Bytes secret(size);
  anti_forensic_merge(material, secret);
  return secret;
}

std::size_t differing_bits(ByteView a, ByteView b) {
  std::size_t bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    bits += static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(a[i] ^ b[i])));
  return bits;
}

}  // namespace

TEST_CASE("what was split is merged again, for every number of stripes and size", "[split]") {
  for (const std::size_t size : {1U, 16U, 31U, 32U, 33U, 64U, 72U})
    for (const std::size_t stripes : {2U, 3U, 10U}) {
      Bytes secret(size);
      random_bytes(secret);
      CHECK(merge(split(secret, stripes), size) == secret);
    }
  const Bytes secret = random_secret();
  CHECK(merge(split(secret)) == secret);
}

TEST_CASE("splitting twice gives material that has nothing in common", "[split]") {
  const Bytes secret = random_secret();
  const Bytes first = split(secret);
  const Bytes second = split(secret);
  const auto half = static_cast<double>(first.size()) * 4;
  CHECK(static_cast<double>(differing_bits(first, second)) == Approx(half).epsilon(0.05));
}

TEST_CASE("without any one sector nothing is left of the secret", "[split]") {
  const Bytes secret = random_secret();
  const Bytes material = split(secret);
  for (std::size_t offset = 0; offset < material.size(); offset += kStripe) {
    Bytes damaged = material;
    const auto size = std::min(kStripe, material.size() - offset);
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(offset), size, std::uint8_t{0});
    INFO("sector at " << offset);
    const Bytes merged = merge(damaged);
    // The last stripe alone is added as it is: where it is overwritten, only that much is lost of
    // the sum, and the sum of the others is as good as random.
    CHECK(differing_bits(merged, secret) > kSecret * 8 / 4);
  }
}

TEST_CASE("one changed bit in any stripe but the last changes the whole secret", "[split]") {
  const Bytes secret = random_secret();
  const Bytes material = split(secret);
  for (std::size_t stripe = 0; stripe + 1 < kStripes; stripe += 7) {
    Bytes damaged = material;
    damaged[stripe * kSecret + stripe % 32] ^= 1;
    const Bytes merged = merge(damaged);
    INFO("stripe " << stripe);
    // A stripe's digest blocks stand for themselves: the block of 32 bytes that was hit is lost.
    CHECK(differing_bits(ByteView(merged).first(32), ByteView(secret).first(32)) > 64);
  }
}
