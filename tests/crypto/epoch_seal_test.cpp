#include "crypto/epoch_seal.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_writer.hpp"
#include "crypto/derive.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/random.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

template <class Role>
Key<Role> key_of_bytes(ByteView bytes) {
  return Key<Role>::make([&](std::span<std::uint8_t, kKeySize> out) {
    REQUIRE(bytes.size() == out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  });
}

template <class Role>
std::string text_of_key(const Key<Role>& key) {
  return key.expose([](ByteView bytes) { return to_hex(bytes); });
}

X25519PublicKey x25519_key(const std::string& text) {
  return to_array<32>(hex(text));
}

// Empty when the step refuses.
std::string x25519_text(const std::string& scalar, const std::string& point) {
  std::array<std::uint8_t, 32> shared{0x55};
  const bool good = x25519(to_array<32>(hex(scalar)), x25519_key(point), shared);
  CHECK(good != test::all_zero(shared));
  return good ? to_hex(shared) : "";
}

// Every encoding of a point whose order divides the cofactor of the curve or of its twist.
std::vector<X25519PublicKey> small_order_points() {
  const std::string middle = std::string(60, 'f');
  std::vector<X25519PublicKey> points;
  for (const std::string& text :
       {std::string(64, '0'), "01" + std::string(62, '0'),
        std::string("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        std::string("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        "ec" + middle + "7f", "ed" + middle + "7f", "ee" + middle + "7f"}) {
    points.push_back(x25519_key(text));
    points.push_back(points.back());
    points.back()[31] |= 0x80;  // the bit that X25519 ignores
  }
  return points;
}

struct EpochFixture {
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  EpochKeyPair epoch = make_epoch_key_pair();
  RootKey root = random_key<RootRole>();
  Bytes data = {1, 2, 3};

  Bytes seal() { return must(seal_to_epoch(*context, epoch.public_key, data, root)); }
  Result<RootKey> open(ByteView sealed) {
    return open_with_epoch(*context, epoch.public_key.id, epoch.private_key, data, sealed);
  }
};

}  // namespace

TEST_CASE("X25519 agrees with RFC 7748 section 5.2", "[epoch]") {
  CHECK(x25519_text("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c") ==
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  CHECK(x25519_text("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493") ==
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");

  std::string scalar = "09" + std::string(62, '0');
  std::string point = scalar;
  for (int i = 1; i <= 1000; ++i) {
    point = std::exchange(scalar, x25519_text(scalar, point));
    if (i == 1)
      REQUIRE(scalar == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
  }
  CHECK(scalar == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST_CASE("X25519 agrees with RFC 7748 section 6.1", "[epoch]") {
  const std::string alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
  const std::string bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
  const auto alice_public = epoch_public_key(key_of_bytes<EpochRole>(hex(alice)));
  const auto bob_public = epoch_public_key(key_of_bytes<EpochRole>(hex(bob)));
  const std::string shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  CHECK(to_hex(alice_public) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  CHECK(to_hex(bob_public) == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  CHECK(x25519_text(alice, to_hex(bob_public)) == shared);
  CHECK(x25519_text(bob, to_hex(alice_public)) == shared);
}

TEST_CASE_METHOD(EpochFixture, "what is sealed to an epoch opens with its private key", "[epoch]") {
  for (const std::size_t size : {0U, 1U, 3U, 2000U}) {
    data = Bytes(size, 0x42);
    const Bytes sealed = seal();
    CHECK(sealed.size() == kEpochSealSize);
    CHECK(sealed.size() == 105);
    CHECK(sealed.front() == 1);
    CHECK(text_of_key(must(open(sealed))) == text_of_key(root));
  }
}

TEST_CASE("seals made without any code of the project open", "[epoch]") {
  const auto context = openssl_engine().make_context();
  const auto cases = test::own_vectors("escrow/epoch_seal.json");
  CHECK(cases.size() == 2);
  for (const auto& vector : cases) {
    INFO(vector.at("case"));
    const auto key = key_of_bytes<EpochRole>(hex_field(vector, "epoch_private"));
    CHECK(to_hex(epoch_public_key(key)) == vector.at("epoch_public"));
    const RootKey root =
        must(open_with_epoch(*context, to_array<16>(hex_field(vector, "epoch")), key,
                             hex_field(vector, "associated_data"), hex_field(vector, "sealed")));
    CHECK(text_of_key(root) == vector.at("root_key"));
  }
}

TEST_CASE_METHOD(EpochFixture, "a seal is bound to every bit of itself", "[epoch]") {
  const Bytes sealed = seal();
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    INFO(bit);
    Bytes damaged = sealed;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK_FAILS_WITH(open(damaged), bit < 8 ? ErrorCode::kUnsupported : ErrorCode::kCorrupt);
  }
}

TEST_CASE_METHOD(EpochFixture, "a seal has one length", "[epoch]") {
  Bytes sealed = seal();
  for (std::size_t size = 0; size < sealed.size(); ++size)
    CHECK_FAILS_WITH(open(ByteView(sealed).first(size)), ErrorCode::kCorrupt);
  sealed.push_back(0);
  CHECK_FAILS_WITH(open(sealed), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(EpochFixture, "another algorithm is of a newer version", "[epoch]") {
  CHECK_FAILS_WITH(open(Bytes{2}), ErrorCode::kUnsupported);
  CHECK_FAILS_WITH(open(Bytes(2000, 0xff)), ErrorCode::kUnsupported);
  CHECK_FAILS_WITH(open(Bytes(kEpochSealSize, 0)), ErrorCode::kUnsupported);
}

TEST_CASE_METHOD(EpochFixture, "a seal is bound to its associated data", "[epoch]") {
  const Bytes sealed = seal();
  for (const Bytes& other : {Bytes{}, Bytes{1, 2}, Bytes{1, 2, 4}, Bytes{1, 2, 3, 0}}) {
    data = other;
    CHECK_FAILS_WITH(open(sealed), ErrorCode::kCorrupt);
  }
}

TEST_CASE_METHOD(EpochFixture, "a seal is bound to its epoch", "[epoch]") {
  const Bytes sealed = seal();
  const EpochKeyPair other = make_epoch_key_pair();
  const EpochId& id = epoch.public_key.id;
  CHECK_FAILS_WITH(open_with_epoch(*context, id, other.private_key, data, sealed),
                   ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_with_epoch(*context, other.public_key.id, epoch.private_key, data, sealed),
                   ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_with_epoch(*context, other.public_key.id, other.private_key, data, sealed),
                   ErrorCode::kCorrupt);
  CHECK(open(sealed).ok());
}

TEST_CASE("points of small order give no secret", "[epoch]") {
  const std::string scalar(64, '4');
  for (const X25519PublicKey& point : small_order_points()) {
    INFO(to_hex(point));
    CHECK(x25519_text(scalar, to_hex(point)).empty());
    CHECK_FALSE(is_x25519_public_key(point));
  }
}

TEST_CASE_METHOD(EpochFixture, "nothing is sealed to a point of small order", "[epoch]") {
  for (const X25519PublicKey& point : small_order_points())
    CHECK_FAILS_WITH(seal_to_epoch(*context, {epoch.public_key.id, point}, data, root),
                     ErrorCode::kInvalidArgument);
}

// With a point of small order in it the shared secret is zero whatever the epoch's key is, and a
// stranger can make a seal that is right in all else.
TEST_CASE_METHOD(EpochFixture, "a forged seal with a point of small order does not open",
                 "[epoch]") {
  const auto forge = [&](ByteView shared, const X25519PublicKey& sent) {
    const Bytes info = ByteWriter()
                           .raw(as_bytes("quietus/v1/epoch-seal"))
                           .u8(0)
                           .u8(1)
                           .raw(epoch.public_key.id)
                           .raw(sent)
                           .raw(epoch.public_key.key)
                           .take();
    const auto key =
        EpochSealKey::make([&](MutableBytes out) { hkdf_sha256(shared, {}, info, out); });
    const Bytes associated =
        ByteWriter().raw(as_bytes("quietus/v1/ad/epoch-seal")).u8(0).raw(data).take();
    const Bytes wrapped = wrap_key(*context, key, associated, root);
    return ByteWriter().u8(1).raw(sent).raw(wrapped).take();
  };
  // The same forger, who knows an honest secret, is believed.
  const EpochKeyPair sender = make_epoch_key_pair();
  std::array<std::uint8_t, 32> shared{};
  sender.private_key.expose([&](std::span<const std::uint8_t, kKeySize> scalar) {
    REQUIRE(x25519(scalar, epoch.public_key.key, shared));
  });
  CHECK(open(forge(shared, sender.public_key.key)).ok());

  for (const X25519PublicKey& point : small_order_points())
    CHECK_FAILS_WITH(open(forge(std::array<std::uint8_t, 32>{}, point)), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(EpochFixture, "a public key has one encoding", "[epoch]") {
  X25519PublicKey key = epoch.public_key.key;
  CHECK(is_x25519_public_key(key));
  key[31] |= 0x80;
  CHECK_FALSE(is_x25519_public_key(key));
  CHECK_FAILS_WITH(seal_to_epoch(*context, {epoch.public_key.id, key}, data, root),
                   ErrorCode::kInvalidArgument);

  // u = 2 and u = 2 + (2^255-19); 2^255-19 itself is among the points of small order.
  CHECK(is_x25519_public_key(x25519_key("02" + std::string(62, '0'))));
  CHECK_FALSE(is_x25519_public_key(x25519_key("ef" + std::string(60, 'f') + "7f")));
  CHECK(is_x25519_public_key(x25519_key("eb" + std::string(60, 'f') + "7f")));
  CHECK(is_x25519_public_key(x25519_key("ed" + std::string(58, 'f') + "fe7f")));
}

TEST_CASE_METHOD(EpochFixture, "no two seals and no two epochs are alike", "[epoch]") {
  const Bytes first = seal();
  const Bytes second = seal();
  CHECK_FALSE(std::equal(first.begin() + 1, first.begin() + 33, second.begin() + 1));
  CHECK_FALSE(std::equal(first.begin() + 33, first.end(), second.begin() + 33));
  const EpochPublicKey other = make_epoch_key_pair().public_key;
  CHECK(other.id != epoch.public_key.id);
  CHECK(other.key != epoch.public_key.key);
  CHECK(epoch.public_key.key == epoch_public_key(epoch.private_key));
}
