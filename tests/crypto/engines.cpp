#include "crypto/engines.hpp"

#include <algorithm>
#include <random>

namespace quietus::test {
namespace {

struct Message {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, kGcmNonceSize> nonce{};
  Bytes associated;
  Bytes plaintext;
};

class MessageSource {
 public:
  explicit MessageSource(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  Bytes bytes(std::size_t size) {
    Bytes out(size);
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random_());
    return out;
  }

  Message next() {
    Message message;
    for (std::uint8_t& byte : message.key) byte = static_cast<std::uint8_t>(random_());
    for (std::uint8_t& byte : message.nonce) byte = static_cast<std::uint8_t>(random_());
    message.associated = bytes(size());
    message.plaintext = bytes(size());
    return message;
  }

 private:
  // Sizes around the places where implementations change their stride: blocks, groups of 4, 8 and
  // 16 blocks, pages; and anything small.
  std::size_t size() {
    static constexpr std::array<std::size_t, 8> kBorders = {0, 16, 64, 128, 256, 512, 4096, 16384};
    if (below(2) == 0) return below(80);
    const std::size_t border = kBorders[below(kBorders.size())];
    return border + below(35) - std::min<std::size_t>(border, 17);
  }

  std::mt19937_64 random_;
};

Bytes seal(GcmContext& context, const Message& message) {
  Bytes out(message.plaintext.size() + kTagSize);
  context.seal(message.key, message.nonce, message.associated, message.plaintext, out);
  return out;
}

Bytes seal_in_place(GcmContext& context, const Message& message) {
  Bytes buffer = message.plaintext;
  buffer.resize(buffer.size() + kTagSize);
  const ByteView plaintext = ByteView(buffer).first(message.plaintext.size());
  context.seal(message.key, message.nonce, message.associated, plaintext, buffer);
  return buffer;
}

Bytes blocks(GcmContext& context, const Message& message, ByteView in) {
  Bytes out(in.size());
  context.encrypt_blocks(message.key, in, out);
  return out;
}

bool opens_to_plaintext(GcmContext& context, const Message& message, ByteView sealed) {
  Bytes out(message.plaintext.size(), 0xEE);
  return context.open(message.key, message.nonce, message.associated, sealed, out).ok() &&
         out == message.plaintext;
}

// kCorrupt, and nothing of the plaintext left.
bool refuses(GcmContext& context, const Message& message, ByteView sealed) {
  Bytes out(message.plaintext.size(), 0xEE);
  const auto result = context.open(message.key, message.nonce, message.associated, sealed, out);
  return !result.ok() && result.error().code() == ErrorCode::kCorrupt &&
         std::all_of(out.begin(), out.end(), [](std::uint8_t byte) { return byte == 0; });
}

// One bit somewhere in the sealed bytes, the associated data, the nonce or the key.
void damage(MessageSource& source, Message& message, Bytes& sealed) {
  const auto flip = [&](MutableBytes bytes) {
    bytes[source.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << source.below(8));
  };
  switch (source.below(4)) {
    case 0: return flip(message.nonce);
    case 1: return flip(message.key);
    case 2:
      if (!message.associated.empty()) return flip(message.associated);
      break;
    default: break;
  }
  flip(sealed);
}

std::optional<std::string> compare_message(MessageSource& source, GcmContext& a, GcmContext& b) {
  Message message = source.next();
  Bytes sealed = seal(a, message);
  if (seal(b, message) != sealed) return "sealed bytes differ";
  if (seal_in_place(a, message) != sealed) return "the first seals differently in place";
  if (seal_in_place(b, message) != sealed) return "the second seals differently in place";
  if (!opens_to_plaintext(a, message, sealed)) return "the first does not open";
  if (!opens_to_plaintext(b, message, sealed)) return "the second does not open";
  const Bytes in = source.bytes(16 * source.below(20));
  if (blocks(a, message, in) != blocks(b, message, in)) return "blocks differ";
  damage(source, message, sealed);
  if (!refuses(a, message, sealed)) return "the first does not refuse and wipe";
  if (!refuses(b, message, sealed)) return "the second does not refuse and wipe";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> first_difference(const GcmEngine& a, const GcmEngine& b,
                                            std::uint64_t seed, int rounds) {
  MessageSource source(seed);
  const auto first = a.make_context();
  const auto second = b.make_context();
  for (int round = 0; round < rounds; ++round) {
    if (auto difference = compare_message(source, *first, *second))
      return std::string(a.name())
          .append(" and ")
          .append(b.name())
          .append(", seed " + std::to_string(seed) + ", round " + std::to_string(round) + ": ")
          .append(*difference);
    if (source.below(8) == 0) first->forget();
    if (source.below(8) == 0) second->forget();
  }
  return std::nullopt;
}

}  // namespace quietus::test
