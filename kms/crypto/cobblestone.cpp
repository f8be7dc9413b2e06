#include "crypto/cobblestone.hpp"

#include <algorithm>

#include "crypto/derive.hpp"
#include "crypto/precondition.hpp"
#include "crypto/random.hpp"

namespace quietus::cobblestone {
namespace {

constexpr std::size_t kSaltSize = 24;
constexpr std::size_t kCommitmentSize = 32;
static_assert(kSaltSize + kCommitmentSize == kHeaderSize);

// The chunk index fits 38 bits; the last chunk is never full, so this many bytes never fit.
constexpr std::uint64_t kMaxChunks = std::uint64_t{1} << 38;
constexpr std::uint64_t kPlaintextEnd = kMaxChunks * kChunkSize;

// HKDF info in front of salt and context; its last byte is the zero that ends the string.
constexpr std::string_view kInfoPrefix{"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0", 48};
static_assert(kInfoPrefix.back() == '\0');

// key (32) || base nonce (12) || commitment (32), in one expansion.
struct Derived {
  StackSecret<kKeySize + kGcmNonceSize + kCommitmentSize> bytes;

  auto key() const { return bytes.bytes().first<kKeySize>(); }
  auto base_nonce() const { return bytes.bytes().subspan<kKeySize, kGcmNonceSize>(); }
  auto commitment() const { return bytes.bytes().last<kCommitmentSize>(); }
};

void derive_object(ByteView key, ByteView context, ByteView salt, Derived& out) {
  Bytes info;
  info.reserve(kInfoPrefix.size() + salt.size() + context.size());
  for (const ByteView part : {as_bytes(kInfoPrefix), salt, context})
    info.insert(info.end(), part.begin(), part.end());
  hkdf_expand_sha512(key, info, out.bytes.bytes());
}

SecretBuffer copy_secret(ByteView secret) {
  SecretBuffer copy(secret.size());
  copy.fill([&](MutableBytes to) { std::copy(secret.begin(), secret.end(), to.begin()); });
  return copy;
}

using Nonce = std::array<std::uint8_t, kGcmNonceSize>;

// base nonce XOR the index as a 96-bit big-endian number.
Nonce chunk_nonce(Nonce nonce, std::uint64_t index) {
  for (std::size_t i = kGcmNonceSize; index != 0; index >>= 8)
    nonce[--i] ^= static_cast<std::uint8_t>(index);
  return nonce;
}

}  // namespace

std::uint64_t sealed_size(std::uint64_t plaintext_size) {
  require(plaintext_size < kPlaintextEnd);
  const std::uint64_t chunks = plaintext_size / kChunkSize + 1;
  return kHeaderSize + plaintext_size + chunks * kTagSize;
}

Result<std::uint64_t> plaintext_size(std::uint64_t sealed_size) {
  if (sealed_size < kHeaderSize)
    return Error(ErrorCode::kCorrupt, "object shorter than its header");
  const std::uint64_t body = sealed_size - kHeaderSize;
  const std::uint64_t full_chunks = body / kSealedChunkSize;
  const std::uint64_t last = body % kSealedChunkSize;
  if (last < kTagSize) return Error(ErrorCode::kCorrupt, "object truncated");
  if (full_chunks >= kMaxChunks) return Error(ErrorCode::kCorrupt, "object longer than allowed");
  return full_chunks * kChunkSize + (last - kTagSize);
}

namespace {

template <class Role>
Object create_salted(const Key<Role>& key, ByteView context) {
  std::array<std::uint8_t, kSaltSize> salt{};
  random_bytes(salt);
  return key.expose([&](ByteView bytes) { return Object::create_with_salt(bytes, context, salt); });
}

}  // namespace

Object Object::create(const RecordKey& key, ByteView context) {
  return create_salted(key, context);
}

Object Object::create(const EnvelopeKey& key, ByteView context) {
  return create_salted(key, context);
}

Object Object::create_with_salt(ByteView key, ByteView context,
                                std::span<const std::uint8_t, 24> salt) {
  require(key.size() == kKeySize);
  Derived derived;
  derive_object(key, context, salt, derived);
  Object object;
  std::copy(salt.begin(), salt.end(), object.header_.begin());
  std::copy_n(derived.commitment().begin(), kCommitmentSize, object.header_.begin() + kSaltSize);
  std::copy_n(derived.base_nonce().begin(), kGcmNonceSize, object.base_nonce_.begin());
  object.key_ = copy_secret(derived.key());
  return object;
}

Result<Object> Object::open(ByteView key, ByteView context, const Header& header) {
  if (key.size() != kKeySize)
    return Error(ErrorCode::kInvalidArgument, "object key is not 32 bytes");
  const std::span<const std::uint8_t, kHeaderSize> stored(header);
  Object object = create_with_salt(key, context, stored.first<kSaltSize>());
  if (!equal_constant_time(object.header_, stored))
    return Error(ErrorCode::kCorrupt, "object does not belong to this key and place");
  return object;
}

void Object::seal_chunk(GcmContext& context, std::uint64_t index, ByteView plaintext,
                        MutableBytes out) const {
  require(index < kMaxChunks && plaintext.size() <= kChunkSize);
  const Nonce nonce = chunk_nonce(base_nonce_, index);
  key_.expose(
      [&](ByteView key) { context.seal(key.first<kKeySize>(), nonce, {}, plaintext, out); });
}

Result<void> Object::open_chunk(GcmContext& context, std::uint64_t index, ByteView sealed,
                                MutableBytes out) const {
  if (index >= kMaxChunks || sealed.size() > kSealedChunkSize) {
    wipe(out);
    return Error(ErrorCode::kCorrupt, "chunk out of bounds");
  }
  const Nonce nonce = chunk_nonce(base_nonce_, index);
  return key_.expose(
      [&](ByteView key) { return context.open(key.first<kKeySize>(), nonce, {}, sealed, out); });
}

}  // namespace quietus::cobblestone
