#include <openssl/evp.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/byte_reader.hpp"
#include "crypto/aead.hpp"
#include "crypto/derive.hpp"
#include "crypto/engines.hpp"
#include "crypto/random.hpp"
#include "crypto/xaes_steps.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

using Key32 = std::array<std::uint8_t, 32>;

// The two examples of C2SP XAES-256-GCM v1.0.1, with all that lies between input and output.
struct Published {
  const char *key, *l, *k1, *m1, *m2, *subkey, *associated, *sealed;
};
constexpr const char* kNonce = "4142434445464748494a4b4c4d4e4f505152535455565758";
constexpr const char* kPlaintext = "584145532d3235362d47434d";
constexpr Published kPublished[] = {
    {"0101010101010101010101010101010101010101010101010101010101010101",
     "7298caa565031eadc6ce23d23ea66378", "e531954aca063d5b8d9c47a47d4cc6f0",
     "000158004142434445464748494a4b4c", "000258004142434445464748494a4b4c",
     "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b", "",
     "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
    {"0303030303030303030303030303030303030303030303030303030303030303",
     "91c08762876dccf9ba204a33768fa5fe", "23810ec50edb99f374409466ed1f4b7b",
     "000158004142434445464748494a4b4c", "000258004142434445464748494a4b4c",
     "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8",
     "633273702e6f72672f584145532d3235362d47434d",
     "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
};

Bytes seal(GcmContext& context, const Key32& key, const XaesNonce& nonce, ByteView associated,
           ByteView plaintext) {
  Bytes sealed(plaintext.size() + kTagSize);
  xaes_seal(context, key, nonce, associated, plaintext, sealed);
  return sealed;
}

Result<Bytes> open(GcmContext& context, const Key32& key, const XaesNonce& nonce,
                   ByteView associated, ByteView sealed) {
  Bytes plaintext(sealed.size() - kTagSize, 0xEE);
  QUIETUS_TRY(xaes_open(context, key, nonce, associated, sealed, plaintext));
  return plaintext;
}

using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

DigestContext shake128() {
  DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  REQUIRE(EVP_DigestInit_ex(context.get(), EVP_shake128(), nullptr) == 1);
  return context;
}

// The first bytes of SHAKE-128 of nothing: enough for `messages`, which take 313 each on average.
Bytes stream_for(std::size_t messages) {
  Bytes stream(messages * 320 + 65536);
  REQUIRE(EVP_DigestFinalXOF(shake128().get(), stream.data(), stream.size()) == 1);
  return stream;
}

// The specification's accumulated test: key (32), nonce (24) and two strings with a length byte are
// read from the stream; the result is SHAKE-128 of all ciphertexts.
std::string accumulated(const GcmEngine& engine, std::size_t messages) {
  const Bytes stream = stream_for(messages);
  const auto context = engine.make_context();
  const auto digest = shake128();
  ByteReader reader(stream);
  for (std::size_t i = 0; i < messages; ++i) {
    const auto key = reader.array<32>();
    const auto nonce = reader.array<kXaesNonceSize>();
    const ByteView plaintext = reader.raw(reader.u8());
    const ByteView associated = reader.raw(reader.u8());
    const Bytes sealed = seal(*context, key, nonce, associated, plaintext);
    const auto opened = open(*context, key, nonce, associated, sealed);
    if (!opened.ok() || !std::equal(opened->begin(), opened->end(), plaintext.begin()))
      return "message " + std::to_string(i) + " does not open";
    EVP_DigestUpdate(digest.get(), sealed.data(), sealed.size());
  }
  REQUIRE_FALSE(reader.failed());
  std::array<std::uint8_t, 32> result{};
  REQUIRE(EVP_DigestFinalXOF(digest.get(), result.data(), result.size()) == 1);
  return to_hex(result);
}

void check_accumulated(std::size_t messages, const std::string& expected) {
  for (const GcmEngine* engine : test::engines_under_test()) {
    INFO(engine->name());
    CHECK(accumulated(*engine, messages) == expected);
  }
}

template <class Role>
Key<Role> key_of(const Key32& bytes) {
  return Key<Role>::make([&](std::span<std::uint8_t, kKeySize> out) {
    std::copy(bytes.begin(), bytes.end(), out.begin());
  });
}

}  // namespace

TEST_CASE("XAES-256-GCM goes through the published intermediate values") {
  const auto nonce = to_array<kXaesNonceSize>(hex(kNonce));
  const auto head = std::span<const std::uint8_t, kXaesNonceSize>(nonce).first<12>();
  for (const GcmEngine* engine : test::engines_under_test())
    for (const Published& vector : kPublished) {
      INFO(engine->name() << ", key " << vector.key);
      const auto context = engine->make_context();
      const auto key = to_array<32>(hex(vector.key));
      XaesSteps steps;
      xaes_steps(*context, key, head, steps);
      CHECK(to_hex(steps.l.bytes()) == vector.l);
      CHECK(to_hex(steps.k1.bytes()) == vector.k1);
      CHECK(to_hex(steps.m1) == vector.m1);
      CHECK(to_hex(steps.m2) == vector.m2);
      XaesSubkey subkey;
      xaes_derive(*context, key, head, subkey);
      CHECK(to_hex(subkey.key.bytes()) == vector.subkey);
    }
}

TEST_CASE("XAES-256-GCM agrees with the published messages") {
  const auto nonce = to_array<kXaesNonceSize>(hex(kNonce));
  for (const GcmEngine* engine : test::engines_under_test())
    for (const Published& vector : kPublished) {
      INFO(engine->name() << ", key " << vector.key);
      const auto context = engine->make_context();
      const auto key = to_array<32>(hex(vector.key));
      const Bytes associated = hex(vector.associated);
      CHECK(to_hex(seal(*context, key, nonce, associated, hex(kPlaintext))) == vector.sealed);
      CHECK(must(open(*context, key, nonce, associated, hex(vector.sealed))) == hex(kPlaintext));
    }
}

TEST_CASE("XAES-256-GCM agrees with 60 messages in full") {
  const auto file = test::own_vectors("xaes/first_60.json");
  const auto& messages = file.at("first_60");
  CHECK(messages.size() == 60);
  for (const GcmEngine* engine : test::engines_under_test()) {
    const auto context = engine->make_context();
    for (const auto& message : messages) {
      const auto key = to_array<32>(hex_field(message, "key"));
      const auto nonce = to_array<kXaesNonceSize>(hex_field(message, "nonce"));
      const Bytes associated = hex_field(message, "aad");
      const Bytes plaintext = hex_field(message, "plaintext");
      const Bytes sealed = hex_field(message, "ciphertext");
      CHECK(seal(*context, key, nonce, associated, plaintext) == sealed);
      CHECK(must(open(*context, key, nonce, associated, sealed)) == plaintext);
    }
  }
}

TEST_CASE("XAES-256-GCM agrees with the accumulated hashes") {
  check_accumulated(400, "70202641cc58d9e41fcafec0592151305af9bae10e7b30cd4f5fc2295ae3d7fe");
  check_accumulated(10'000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

TEST_CASE("XAES-256-GCM agrees with the accumulated hash of a million messages", "[.long]") {
  check_accumulated(1'000'000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15");
}

TEST_CASE("every bit of key, nonce and associated data matters") {
  const auto context = openssl_engine().make_context();
  const Key32 key{1};
  const XaesNonce nonce{2};
  const Bytes associated = {3, 4};
  const Bytes sealed = seal(*context, key, nonce, associated, Bytes(20, 5));
  for (std::size_t bit = 0; bit < 256; ++bit) {
    Key32 other = key;
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK_FAILS_WITH(open(*context, other, nonce, associated, sealed), ErrorCode::kCorrupt);
  }
  for (std::size_t bit = 0; bit < kXaesNonceSize * 8; ++bit) {
    XaesNonce other = nonce;
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK_FAILS_WITH(open(*context, key, other, associated, sealed), ErrorCode::kCorrupt);
  }
  CHECK_FAILS_WITH(open(*context, key, nonce, Bytes{3, 5}, sealed), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open(*context, key, nonce, Bytes{3}, sealed), ErrorCode::kCorrupt);
  CHECK(open(*context, key, nonce, associated, sealed).ok());
}

TEST_CASE("sealing under a random nonce puts the nonce in front") {
  const auto context = openssl_engine().make_context();
  const Key32 key{1};
  for (const std::size_t size : {0U, 1U, 1000U}) {
    const Bytes plaintext(size, 0x77);
    const Bytes sealed = xaes_seal_random(*context, key, Bytes{9}, plaintext);
    REQUIRE(sealed.size() == size + kSealOverhead);
    const auto nonce = to_array<kXaesNonceSize>(ByteView(sealed).first(kXaesNonceSize));
    CHECK(must(open(*context, key, nonce, Bytes{9}, ByteView(sealed).subspan(kXaesNonceSize))) ==
          plaintext);
    CHECK(must(xaes_open_random(*context, key, Bytes{9}, sealed)) == plaintext);
    CHECK(xaes_seal_random(*context, key, Bytes{9}, plaintext) != sealed);
    for (std::size_t cut = 0; cut < std::min<std::size_t>(sealed.size(), 60); ++cut)
      CHECK_FAILS_WITH(xaes_open_random(*context, key, Bytes{9}, ByteView(sealed).first(cut)),
                       ErrorCode::kCorrupt);
  }
}

// Not a wish but a fact to design around: XAES-256-GCM does not commit to its key. Whoever knows
// two keys can make one message that opens under both. What tells the keys apart is their
// commitment.
TEST_CASE("one message opens under two keys, and only the commitment tells them apart") {
  const auto vector = test::own_vectors("xaes/two_key_collision.json");
  const auto key1 = to_array<32>(hex_field(vector, "key1"));
  const auto key2 = to_array<32>(hex_field(vector, "key2"));
  const auto nonce = to_array<kXaesNonceSize>(hex_field(vector, "nonce"));
  const Bytes associated = hex_field(vector, "aad");
  const Bytes sealed = hex_field(vector, "ciphertext_and_tag");
  REQUIRE(key1 != key2);
  for (const GcmEngine* engine : test::engines_under_test()) {
    const auto context = engine->make_context();
    CHECK(must(open(*context, key1, nonce, associated, sealed)) ==
          hex_field(vector, "plaintext_under_key1"));
    CHECK(must(open(*context, key2, nonce, associated, sealed)) ==
          hex_field(vector, "plaintext_under_key2"));
  }
  const Bytes key_id(8, 1);
  CHECK(commit_to(key_of<ScopeRole>(key1), key_id) != commit_to(key_of<ScopeRole>(key2), key_id));
}
