#include "crypto/epoch_seal.hpp"

#include <sodium.h>

#include <algorithm>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/derive.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/precondition.hpp"
#include "crypto/random.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kX25519Seal = 0x01;

// The sealing key is of no use after its one message, and must not outlive the epoch.
class ForgetAfterwards {
 public:
  explicit ForgetAfterwards(GcmContext& context) noexcept : context_(context) {}
  ~ForgetAfterwards() { context_.forget(); }
  ForgetAfterwards(const ForgetAfterwards&) = delete;
  ForgetAfterwards& operator=(const ForgetAfterwards&) = delete;

 private:
  GcmContext& context_;
};

template <class Role>
X25519PublicKey public_half(const Key<Role>& key) {
  X25519PublicKey result{};
  key.expose([&](std::span<const std::uint8_t, kKeySize> scalar) {
    require(crypto_scalarmult_curve25519_base(result.data(), scalar.data()) == 0);
  });
  return result;
}

// Below 2^255-19, which is ed ff … ff 7f, the lowest byte first.
bool is_canonical(const X25519PublicKey& key) noexcept {
  if (key.back() != 0x7f) return key.back() < 0x7f;
  const bool all_ones =
      std::all_of(key.begin() + 1, key.end() - 1, [](std::uint8_t byte) { return byte == 0xff; });
  return !all_ones || key.front() < 0xed;
}

Bytes epoch_seal_info(const EpochPublicKey& epoch, const X25519PublicKey& ephemeral) {
  return ByteWriter()
      .raw(as_bytes(labels::kEpochSeal))
      .u8(0)
      .u8(kX25519Seal)
      .raw(epoch.id)
      .raw(ephemeral)
      .raw(epoch.key)
      .take();
}

Bytes epoch_seal_data(ByteView associated_data) {
  return ByteWriter().raw(as_bytes(labels::kEpochSealData)).u8(0).raw(associated_data).take();
}

// The key that both sides agree on; nothing when their secret would be known to all.
template <class Role>
std::optional<EpochSealKey> agree(const Key<Role>& own, const X25519PublicKey& theirs,
                                  ByteView info) {
  StackSecret<kKeySize> shared;
  const bool good = own.expose([&](std::span<const std::uint8_t, kKeySize> scalar) {
    return x25519(scalar, theirs, shared.bytes());
  });
  if (!good) return std::nullopt;
  return EpochSealKey::make([&](MutableBytes out) { hkdf_sha256(shared.bytes(), {}, info, out); });
}

}  // namespace

EpochKeyPair make_epoch_key_pair() {
  EpochKeyPair pair{{}, random_key<EpochRole>()};
  random_bytes(pair.public_key.id);
  pair.public_key.key = epoch_public_key(pair.private_key);
  return pair;
}

EpochPrivateKey epoch_key_of(const LastingKey& scope, const EpochId& epoch) {
  return derive(edges::kEpochs, scope, epoch);
}

X25519PublicKey epoch_public_key(const EpochPrivateKey& key) {
  return public_half(key);
}

bool is_x25519_public_key(const X25519PublicKey& key) noexcept {
  // X25519 makes every scalar a multiple of both cofactors, so any one finds all small orders.
  constexpr std::array<std::uint8_t, kKeySize> kAnyScalar{};
  std::array<std::uint8_t, kKeySize> product{};
  return is_canonical(key) && x25519(kAnyScalar, key, product);
}

Result<Bytes> seal_to_epoch(GcmContext& context, const EpochPublicKey& epoch,
                            ByteView associated_data, const RootKey& root_key) {
  const ForgetAfterwards forget(context);
  const EphemeralKey ephemeral = random_key<EphemeralRole>();
  const X25519PublicKey sent = public_half(ephemeral);
  const auto key = agree(ephemeral, epoch.key, epoch_seal_info(epoch, sent));
  if (!key || !is_canonical(epoch.key))
    return Error(ErrorCode::kInvalidArgument, "not a public key that can be sealed to");
  const Bytes wrapped = wrap_key(context, *key, epoch_seal_data(associated_data), root_key);
  return ByteWriter().u8(kX25519Seal).raw(sent).raw(wrapped).take();
}

Result<RootKey> open_with_epoch(GcmContext& context, const EpochId& epoch,
                                const EpochPrivateKey& key, ByteView associated_data,
                                ByteView sealed) {
  const ForgetAfterwards forget(context);
  const auto corrupt = [] {
    return Error(ErrorCode::kCorrupt, "sealed root key: not what was sealed to this epoch");
  };
  ByteReader reader(sealed);
  const std::uint8_t algorithm = reader.u8();
  if (reader.failed()) return corrupt();
  if (algorithm != kX25519Seal)
    return Error(ErrorCode::kUnsupported, "sealed root key: unknown algorithm");
  const auto sent = reader.array<sizeof(X25519PublicKey)>();
  if (sealed.size() != kEpochSealSize) return corrupt();

  const auto seal_key = agree(key, sent, epoch_seal_info({epoch, public_half(key)}, sent));
  if (!seal_key) return corrupt();
  Result<RootKey> opened =
      unwrap_key<RootRole>(context, *seal_key, epoch_seal_data(associated_data), reader.rest());
  if (!opened) return corrupt();
  return opened;
}

bool x25519(std::span<const std::uint8_t, kKeySize> scalar, const X25519PublicKey& point,
            std::span<std::uint8_t, kKeySize> shared) noexcept {
  const bool good = crypto_scalarmult_curve25519(shared.data(), scalar.data(), point.data()) == 0 &&
                    sodium_is_zero(shared.data(), shared.size()) == 0;
  if (!good) wipe(shared);
  return good;
}

}  // namespace quietus
