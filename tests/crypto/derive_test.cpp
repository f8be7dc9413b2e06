#include "crypto/derive.hpp"

#include <sodium.h>

#include <catch2/catch.hpp>
#include <numeric>
#include <set>

#include "crypto/labels.hpp"
#include "support/child_process.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex;
using quietus::test::hex_field;

namespace {

constexpr std::size_t kLimit256 = std::size_t{255} * 32;
constexpr std::size_t kLimit512 = std::size_t{255} * 64;

// HKDF-Extract of RFC 5869; the library never extracts with SHA-512.
Bytes extract_sha512(ByteView key_material, ByteView salt) {
  const Bytes no_salt(crypto_auth_hmacsha512_BYTES);  // as the RFC has it
  if (salt.empty()) salt = no_salt;
  Bytes key(crypto_auth_hmacsha512_BYTES);
  crypto_auth_hmacsha512_state state;
  crypto_auth_hmacsha512_init(&state, salt.data(), salt.size());
  crypto_auth_hmacsha512_update(&state, key_material.data(), key_material.size());
  crypto_auth_hmacsha512_final(&state, key.data());
  return key;
}

Bytes okm_sha256(ByteView key_material, ByteView salt, ByteView info, std::size_t size) {
  Bytes out(size);
  hkdf_sha256(key_material, salt, info, out);
  return out;
}

Bytes okm_sha512(ByteView key_material, ByteView salt, ByteView info, std::size_t size) {
  Bytes out(size);
  hkdf_expand_sha512(extract_sha512(key_material, salt), info, out);
  return out;
}

template <class Derive>
void check_wycheproof_hkdf(const char* file, std::size_t limit, Derive derive) {
  const auto vectors = test::shared_vectors(file);
  if (!vectors) return;
  int count = 0;
  for (const auto& group : vectors->at("testGroups"))
    for (const auto& vector : group.at("tests")) {
      INFO("tcId " << vector.at("tcId"));
      const auto size = vector.at("size").template get<std::size_t>();
      const auto run = [&] {
        return derive(hex_field(vector, "ikm"), hex_field(vector, "salt"),
                      hex_field(vector, "info"), size);
      };
      ++count;
      if (vector.at("result") == "valid") {
        CHECK(run() == hex_field(vector, "okm"));
      } else {
        CHECK(size > limit);
        CHECK(test::aborts(run));
      }
    }
  CHECK(count == vectors->at("numberOfTests"));
}

// 00 01 02 … 1f
template <class Role>
Key<Role> counting_key() {
  return Key<Role>::make([](std::span<std::uint8_t, kKeySize> out) {
    std::iota(out.begin(), out.end(), std::uint8_t{0});
  });
}

template <class Role>
std::string hex_of(const Key<Role>& key) {
  return key.expose([](ByteView bytes) { return to_hex(bytes); });
}

}  // namespace

TEST_CASE("HKDF-SHA256 agrees with RFC 5869 appendix A") {
  CHECK(okm_sha256(Bytes(22, 0x0b), hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"),
                   42) == hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                              "34007208d5b887185865"));
  Bytes input(80), salt(80), info(80);
  std::iota(input.begin(), input.end(), std::uint8_t{0x00});
  std::iota(salt.begin(), salt.end(), std::uint8_t{0x60});
  std::iota(info.begin(), info.end(), std::uint8_t{0xb0});
  CHECK(
      okm_sha256(input, salt, info, 82) ==
      hex("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
          "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"));
  CHECK(
      okm_sha256(Bytes(22, 0x0b), {}, {}, 42) ==
      hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"));
}

TEST_CASE("HKDF-Expand alone agrees with RFC 5869 A.1") {
  Bytes out(42);
  hkdf_expand_sha256(hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
                     hex("f0f1f2f3f4f5f6f7f8f9"), out);
  CHECK(out == hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                   "34007208d5b887185865"));
}

TEST_CASE("HKDF-SHA256 agrees with Wycheproof") {
  check_wycheproof_hkdf("wycheproof/hkdf_sha256_test.json", kLimit256, okm_sha256);
}

TEST_CASE("HKDF-SHA512 agrees with Wycheproof") {
  check_wycheproof_hkdf("wycheproof/hkdf_sha512_test.json", kLimit512, okm_sha512);
}

TEST_CASE("HKDF gives its longest output and the prefix of it") {
  const Bytes key(32, 7);
  Bytes longest(kLimit256);
  hkdf_expand_sha256(key, {}, longest);
  for (const std::size_t size : {0U, 1U, 31U, 32U, 33U, 64U, 8159U}) {
    Bytes shorter(size);
    hkdf_expand_sha256(key, {}, shorter);
    CHECK(std::equal(shorter.begin(), shorter.end(), longest.begin()));
  }
}

TEST_CASE("HMAC-SHA256 agrees with Wycheproof") {
  const auto vectors = test::shared_vectors("wycheproof/hmac_sha256_test.json");
  if (!vectors) return;
  int count = 0;
  for (const auto& group : vectors->at("testGroups"))
    for (const auto& vector : group.at("tests")) {
      INFO("tcId " << vector.at("tcId"));
      const Mac mac = hmac_sha256(hex_field(vector, "key"), hex_field(vector, "msg"));
      const Bytes tag = hex_field(vector, "tag");
      const bool equal = equal_constant_time(ByteView(mac).first(tag.size()), tag);
      CHECK(equal == (vector.at("result") == "valid"));
      ++count;
    }
  CHECK(count == 174);
}

// Expected values by Python: hmac and hashlib, HKDF-Expand written out.
TEST_CASE("labelled derivation is frozen") {
  const auto scope = counting_key<ScopeRole>();
  CHECK(hex_of(derive(edges::kRecords, scope, hex("010203"))) ==
        "1f6e8a6dfcdbede0ef0d4c5b2d96192cd05e76b610167fdd06bf570b6922da9d");
  CHECK(hex_of(derive(edges::kNames, scope)) ==
        "82187d5a8edf371bdb88d2be34689ed71d26cea4d6dfaacf4b6eb6908f216da5");
  CHECK(to_hex(commit_to(scope, hex("0102030405060708"))) ==
        "3c1e10228c26b4d67190586971e00d3194774616ad232f1bd4ada1ed7e9ba6d1");
}

TEST_CASE("the keyed name hash is frozen") {
  const auto key = counting_key<NamePrfRole>();
  CHECK(to_hex(prf128(key, as_bytes("profile.json"))) == "c9e1f99e065aaf34334892d4d49adc7b");
  CHECK(to_hex(prf128(key, {})) == "3daf97bce7888fd59773c66bf647459c");
}

TEST_CASE("labels, contexts and parents all separate keys") {
  const auto scope = counting_key<ScopeRole>();
  const auto other = derive(Edge<ScopeRole, ScopeRole>{"test/other"}, scope);
  std::set<std::string> keys;
  CHECK(keys.insert(hex_of(derive(edges::kRecords, scope))).second);
  CHECK(keys.insert(hex_of(derive(edges::kNames, scope))).second);
  CHECK(keys.insert(hex_of(derive(edges::kTags, scope))).second);
  CHECK(keys.insert(hex_of(derive(edges::kRows, scope))).second);
  CHECK(keys.insert(hex_of(derive(edges::kChildren, scope))).second);
  CHECK(keys.insert(hex_of(derive(edges::kRecords, scope, hex("00")))).second);
  CHECK(keys.insert(hex_of(derive(edges::kRecords, other))).second);
  CHECK(keys.insert(to_hex(commit_to(scope, {}))).second);
}

TEST_CASE("label and context cannot be shifted into each other") {
  const Bytes key(32, 1);
  Bytes a(32), b(32);
  expand_labelled(key, "ab", as_bytes("c"), a);
  expand_labelled(key, "a", as_bytes("bc"), b);
  CHECK(a != b);
}
