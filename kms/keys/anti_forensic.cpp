#include "keys/anti_forensic.hpp"

#include <algorithm>
#include <array>

#include "base/secret.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace quietus {
namespace {

void xor_into(MutableBytes to, ByteView from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<std::uint8_t>(to[i] ^ from[i]);
}

// Replaces each 32-byte piece of the block by SHA-256(piece number, 4 bytes big-endian || piece).
void diffuse(MutableBytes block) {
  for (std::size_t offset = 0, piece = 0; offset < block.size(); offset += 32, ++piece) {
    const std::array<std::uint8_t, 4> number = {0, 0, 0, static_cast<std::uint8_t>(piece)};
    const MutableBytes part =
        block.subspan(offset, std::min<std::size_t>(32, block.size() - offset));
    Sha256 digest = sha256({number, part});
    std::copy_n(digest.begin(), part.size(), part.begin());
    wipe(digest);
  }
}

// The diffused sum of all stripes but the last.
void accumulate(ByteView stripes, MutableBytes sum) {
  std::fill(sum.begin(), sum.end(), std::uint8_t{0});
  for (std::size_t offset = 0; offset < stripes.size(); offset += sum.size()) {
    xor_into(sum, stripes.subspan(offset, sum.size()));
    diffuse(sum);
  }
}

}  // namespace

void anti_forensic_split(ByteView secret, MutableBytes out) {
  const MutableBytes last = out.last(secret.size());
  const MutableBytes stripes = out.first(out.size() - secret.size());
  random_bytes(stripes);
  accumulate(stripes, last);
  xor_into(last, secret);
}

void anti_forensic_merge(ByteView material, MutableBytes secret) {
  accumulate(material.first(material.size() - secret.size()), secret);
  xor_into(secret, material.last(secret.size()));
}

}  // namespace quietus
