#include "keys/slot_file.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/derive.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "keys/anti_forensic.hpp"

namespace quietus {
namespace {

constexpr std::string_view kSlotMagic = "QUIETUSS";
constexpr std::uint16_t kSlotVersion = 1;
constexpr std::size_t kBoundHeader = 80;
constexpr std::size_t kHashedHeader = 112;
constexpr std::size_t kMaterialOffset = 144;
constexpr std::size_t kSealedKeySize = kKeySize + kSealOverhead;  // 72
constexpr std::uint32_t kStripes = 450;
constexpr std::size_t kMaterialSize = kStripes * kSealedKeySize;
static_assert(kMaterialOffset + kMaterialSize <= kSlotFileSize);

Bytes bound_header(const SlotAddress& address, const UnlockParameters& parameters) {
  ByteWriter header;
  header.raw(as_bytes(kSlotMagic)).u16(kSlotVersion);
  header.u8(static_cast<std::uint8_t>(parameters.kind)).u8(address.mirror);
  header.u32(parameters.argon2.passes).u32(parameters.argon2.memory_kib).raw(parameters.salt);
  header.raw(address.vault).u64(address.slot.generation).raw(address.slot.id).u32(kStripes);
  return header.take();
}

Bytes associated_data(ByteView header) {
  return ByteWriter().raw(as_bytes(labels::kSlotData)).raw(header).take();
}

Result<SlotKey> slot_key(const SlotAddress& address, const UnlockSecret& unlock,
                         const UnlockParameters& parameters) {
  QUIETUS_TRY_AS(const UnlockKey key, unlock.key_for(parameters));
  ByteWriter context;
  context.raw(address.vault).u64(address.slot.generation).raw(address.slot.id);
  return derive(edges::kSlot, key, context.view());
}

Error corrupt(std::string_view what) {
  return Error(ErrorCode::kCorrupt, "root slot: " + std::string(what));
}

}  // namespace

Result<void> encode_slot(const SlotAddress& address, const UnlockSecret& unlock,
                         const UnlockParameters& parameters, const RootKey& key,
                         MutableBytes file) {
  QUIETUS_TRY_AS(const SlotKey sealing_key, slot_key(address, unlock, parameters));
  random_bytes(file);
  const Bytes header = bound_header(address, parameters);
  const auto context = openssl_engine().make_context();
  Bytes sealed = sealing_key.expose([&](std::span<const std::uint8_t, 32> slot) {
    return key.expose([&](ByteView root) {
      return xaes_seal_random(*context, slot, associated_data(header), root);
    });
  });
  const MutableBytes material = file.subspan(kMaterialOffset, kMaterialSize);
  anti_forensic_split(sealed, material);
  wipe(sealed);
  std::copy(header.begin(), header.end(), file.begin());
  const Sha256 material_hash = sha256(material);
  std::copy(material_hash.begin(), material_hash.end(), file.begin() + kBoundHeader);
  const Sha256 header_hash = sha256(file.first(kHashedHeader));
  std::copy(header_hash.begin(), header_hash.end(), file.begin() + kHashedHeader);
  return {};
}

Result<UnlockParameters> decode_slot_parameters(const SlotAddress& address, ByteView file) {
  if (file.size() != kSlotFileSize) return corrupt("wrong size");
  ByteReader reader(file.first(kMaterialOffset));
  if (as_text(reader.raw(kSlotMagic.size())) != kSlotMagic) return corrupt("not a slot file");
  if (reader.u16() > kSlotVersion)
    return Error(ErrorCode::kUnsupported, "root slot: written by a newer version");
  const Sha256 header_hash = sha256(file.first(kHashedHeader));
  if (!std::equal(header_hash.begin(), header_hash.end(), file.begin() + kHashedHeader))
    return corrupt("damaged header");
  UnlockParameters parameters;
  parameters.kind = static_cast<UnlockKind>(reader.u8());
  reader.u8();
  parameters.argon2.passes = reader.u32();
  parameters.argon2.memory_kib = reader.u32();
  parameters.salt = reader.array<16>();
  const Bytes expected = bound_header(address, parameters);
  if (!std::equal(expected.begin(), expected.end(), file.begin())) return corrupt("not this slot");
  if (parameters.kind == UnlockKind::kPassphrase)
    QUIETUS_TRY(check_argon2(parameters.argon2).within("root slot"));
  else if (parameters.kind != UnlockKind::kKeyFile || parameters.argon2 != Argon2Parameters{0, 0})
    return corrupt("unknown kind of unlock secret");
  return parameters;
}

Result<RootKey> decode_slot(const SlotAddress& address, const UnlockSecret& unlock, ByteView file) {
  QUIETUS_TRY_AS(const UnlockParameters parameters, decode_slot_parameters(address, file));
  const ByteView material = file.subspan(kMaterialOffset, kMaterialSize);
  const Sha256 material_hash = sha256(material);
  if (!std::equal(material_hash.begin(), material_hash.end(), file.begin() + kBoundHeader))
    return corrupt("damaged material");
  QUIETUS_TRY_AS(const SlotKey sealing_key, slot_key(address, unlock, parameters));
  StackSecret<kSealedKeySize> sealed;
  anti_forensic_merge(material, sealed.bytes());
  XaesNonce nonce{};
  std::copy_n(sealed.bytes().begin(), nonce.size(), nonce.begin());
  const auto context = openssl_engine().make_context();
  Result<void> opened;
  RootKey key = RootKey::make([&](MutableBytes out) {
    opened = sealing_key.expose([&](std::span<const std::uint8_t, 32> slot) {
      return xaes_open(*context, slot, nonce, associated_data(file.first(kBoundHeader)),
                       sealed.bytes().subspan(nonce.size()), out);
    });
  });
  // The file is whole (its hashes say so), so what does not fit is the key.
  if (!opened) return Error(ErrorCode::kWrongKey, "the unlock secret does not open the root slot");
  return key;
}

}  // namespace quietus
