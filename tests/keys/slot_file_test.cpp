#include "keys/slot_file.hpp"

#include <functional>

#include "keys/sample_secrets.hpp"
#include "support/result_matchers.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

constexpr std::size_t kHeader = 144;
constexpr std::size_t kMaterialEnd = 32544;

struct SlotSample {
  SlotAddress address{vault_id(1), slot_name(7, 2), 0};
  std::shared_ptr<const UnlockSecret> secret = key_file_secret("secret");
  RootKey key = named_key<RootRole>("root");
  Bytes file;

  SlotSample() : file(kSlotFileSize) {
    must(encode_slot(address, *secret, secret->fresh_parameters({}), key, file));
  }
};

// A change by somebody who knows the format but no key: the hash over the header is made anew.
Bytes forged(Bytes file, const std::function<void(Bytes&)>& change) {
  change(file);
  const Sha256 hash = sha256(ByteView(file).first(112));
  std::copy(hash.begin(), hash.end(), file.begin() + 112);
  return file;
}

void put_u32(Bytes& file, std::size_t offset, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i)
    file[offset + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

TEST_CASE("a slot opens with the secret it was sealed with", "[slot]") {
  const SlotSample sample;
  CHECK(same_key(must(decode_slot(sample.address, *sample.secret, sample.file)), sample.key));
  const auto parameters = must(decode_slot_parameters(sample.address, sample.file));
  CHECK(parameters.kind == UnlockKind::kKeyFile);
  CHECK(parameters.argon2 == Argon2Parameters{0, 0});
}

TEST_CASE("another secret does not open it, and that is said", "[slot]") {
  const SlotSample sample;
  CHECK_FAILS_WITH(decode_slot(sample.address, *key_file_secret("other"), sample.file),
                   ErrorCode::kWrongKey);
  CHECK_FAILS_WITH(decode_slot(sample.address, *passphrase_secret("secret"), sample.file),
                   ErrorCode::kWrongKey);
}

TEST_CASE("a slot is bound to vault, generation, id and mirror", "[slot]") {
  const SlotSample sample;
  const auto fails = [&](const std::function<void(SlotAddress&)>& change) {
    SlotAddress other = sample.address;
    change(other);
    CHECK_FAILS_WITH(decode_slot(other, *sample.secret, sample.file), ErrorCode::kCorrupt);
  };
  fails([](SlotAddress& a) { a.vault = vault_id(9); });
  fails([](SlotAddress& a) { ++a.slot.generation; });
  fails([](SlotAddress& a) { a.slot.id[0] ^= 1; });
  fails([](SlotAddress& a) { a.mirror = 1; });
}

TEST_CASE("every changed byte of header and material is found", "[slot]") {
  const SlotSample sample;
  for (std::size_t offset = 0; offset < kMaterialEnd; offset += offset < kHeader ? 1 : 61) {
    Bytes damaged = sample.file;
    damaged[offset] ^= 0x04;
    INFO("offset " << offset);
    // A higher version may have any other form, so it cannot be called damaged.
    const bool version = offset == 8 || offset == 9;
    CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, damaged),
                     version ? ErrorCode::kUnsupported : ErrorCode::kCorrupt);
  }
}

TEST_CASE("the random bytes at the end mean nothing", "[slot]") {
  SlotSample sample;
  for (std::size_t offset = kMaterialEnd; offset < kSlotFileSize; ++offset)
    sample.file[offset] ^= 0xFF;
  CHECK(same_key(must(decode_slot(sample.address, *sample.secret, sample.file)), sample.key));
}

TEST_CASE("a slot of a newer version is unsupported, of version 0 corrupt", "[slot]") {
  const SlotSample sample;
  const auto with_version = [&](std::uint8_t version) {
    return forged(sample.file, [&](Bytes& file) { file[9] = version; });
  };
  CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, with_version(2)),
                   ErrorCode::kUnsupported);
  CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, with_version(0)),
                   ErrorCode::kCorrupt);
}

TEST_CASE("Argon2id parameters out of bounds are corrupt, before anything is derived", "[slot]") {
  const SlotSample sample;
  const auto secret = passphrase_secret("correct horse");
  const auto with = [&](std::uint32_t passes, std::uint32_t memory_kib) {
    return forged(sample.file, [&](Bytes& file) {
      file[10] = static_cast<std::uint8_t>(UnlockKind::kPassphrase);
      put_u32(file, 12, passes);
      put_u32(file, 16, memory_kib);
    });
  };
  for (const auto& file : {with(1, 64 * 1024), with(2, 64 * 1024 - 1), with(0, 0),
                           with(65, 64 * 1024), with(2, 4 * 1024 * 1024 + 1), with(~0U, ~0U)})
    CHECK_FAILS_WITH(decode_slot(sample.address, *secret, file), ErrorCode::kCorrupt);
}

TEST_CASE("a key file has no Argon2id parameters", "[slot]") {
  const SlotSample sample;
  const Bytes file = forged(sample.file, [](Bytes& bytes) { put_u32(bytes, 12, 3); });
  CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, file), ErrorCode::kCorrupt);
}

TEST_CASE("an unknown kind of secret is corrupt", "[slot]") {
  const SlotSample sample;
  for (const std::uint8_t kind : Bytes{0, 3, 255}) {
    const Bytes file = forged(sample.file, [&](Bytes& bytes) { bytes[10] = kind; });
    CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, file), ErrorCode::kCorrupt);
  }
}

TEST_CASE("a header made anew does not open: it is bound to the sealed key", "[slot]") {
  const SlotSample sample;
  // The salt is the only field that means nothing to anybody without the key.
  const Bytes file = forged(sample.file, [](Bytes& bytes) { bytes[20] ^= 1; });
  CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, file), ErrorCode::kWrongKey);
}

TEST_CASE("a file of another size is corrupt", "[slot]") {
  const SlotSample sample;
  for (const std::size_t size : {std::size_t{0}, std::size_t{512}, kSlotFileSize - 1})
    CHECK_FAILS_WITH(decode_slot(sample.address, *sample.secret, ByteView(sample.file).first(size)),
                     ErrorCode::kCorrupt);
}
