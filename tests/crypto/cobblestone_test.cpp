#include "crypto/cobblestone.hpp"

#include <sodium.h>
#include <zlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "crypto/derive.hpp"
#include "crypto/random.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using namespace quietus::cobblestone;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

Bytes inflate(const Bytes& compressed) {
  for (uLongf size = 1 << 16;; size *= 4) {
    Bytes out(size);
    const int status = uncompress(out.data(), &size, compressed.data(), compressed.size());
    if (status == Z_OK) {
      out.resize(size);
      return out;
    }
    REQUIRE(status == Z_BUF_ERROR);
    size = out.size();
  }
}

std::string sha512_hex(const Bytes& message) {
  std::array<std::uint8_t, crypto_hash_sha512_BYTES> digest{};
  crypto_hash_sha512(digest.data(), message.data(), message.size());
  return to_hex(digest);
}

// A whole sealed object, from plaintext.
Bytes seal_all(const Object& object, GcmContext& context, ByteView plaintext) {
  Bytes sealed(object.header().begin(), object.header().end());
  for (std::uint64_t index = 0;; ++index) {
    const ByteView chunk = plaintext.first(std::min(plaintext.size(), kChunkSize));
    const std::size_t at = sealed.size();
    sealed.resize(at + chunk.size() + kTagSize);
    object.seal_chunk(context, index, chunk, MutableBytes(sealed).subspan(at));
    plaintext = plaintext.subspan(chunk.size());
    if (chunk.size() < kChunkSize) return sealed;
  }
}

// Reads as a stream does: chunk after chunk, and only a short one ends it. `released` is what had
// been given out when the reading ended, well or not.
Result<void> open_stream(GcmContext& context, ByteView key, ByteView place, ByteView sealed,
                         Bytes& released) {
  if (sealed.size() < kHeaderSize) return Error(ErrorCode::kCorrupt, "no header");
  const auto header = to_array<kHeaderSize>(sealed.first(kHeaderSize));
  QUIETUS_TRY_AS(const Object object, Object::open(key, place, header));
  ByteView rest = sealed.subspan(kHeaderSize);
  for (std::uint64_t index = 0;; ++index) {
    const ByteView chunk = rest.first(std::min(rest.size(), kSealedChunkSize));
    Bytes plaintext(std::max(chunk.size(), kTagSize) - kTagSize);
    QUIETUS_TRY(object.open_chunk(context, index, chunk, plaintext));
    released.insert(released.end(), plaintext.begin(), plaintext.end());
    rest = rest.subspan(chunk.size());
    if (chunk.size() < kSealedChunkSize) return {};
  }
}

// Reads as random access does: the size first, then everything.
Result<Bytes> open_sized(GcmContext& context, ByteView key, ByteView place, ByteView sealed) {
  QUIETUS_TRY_AS(const std::uint64_t size, plaintext_size(sealed.size()));
  Bytes released;
  QUIETUS_TRY(open_stream(context, key, place, sealed, released));
  REQUIRE(released.size() == size);
  return released;
}

// Reads the last chunk alone, found from the size.
bool last_chunk_opens(GcmContext& context, ByteView key, ByteView place, ByteView sealed) {
  const auto size = plaintext_size(sealed.size());
  if (!size.ok()) return false;
  const auto object = Object::open(key, place, to_array<kHeaderSize>(sealed.first(kHeaderSize)));
  if (!object.ok()) return false;
  const std::uint64_t index = *size / kChunkSize;
  Bytes plaintext(*size % kChunkSize);
  return object->open_chunk(context, index, sealed.last(plaintext.size() + kTagSize), plaintext)
      .ok();
}

bool has_flag(const nlohmann::json& vector, const char* flag) {
  const auto& flags = vector.at("flags");
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

void check_wycheproof_vector(GcmContext& context, const nlohmann::json& vector) {
  const Bytes key = hex_field(vector, "key");
  const Bytes place = hex_field(vector, "ctx");
  const Bytes sealed = inflate(hex_field(vector, "ct"));
  const bool valid = vector.at("result") == "valid";

  Bytes released;
  CHECK(open_stream(context, key, place, sealed, released).ok() == valid);
  CHECK(open_sized(context, key, place, sealed).ok() == valid);
  CHECK(last_chunk_opens(context, key, place, sealed) ==
        (valid || has_flag(vector, "ValidFinalChunk")));
  if (vector.contains("msgLength")) {
    CHECK(released.size() == vector.at("msgLength"));
    CHECK(sha512_hex(released) == vector.at("msgSha512"));
  } else {
    CHECK(released.empty());
  }
  if (!valid) return;
  const auto object =
      Object::create_with_salt(key, place, to_array<24>(ByteView(sealed).first(24)));
  CHECK(seal_all(object, context, released) == sealed);
}

struct ObjectFixture {
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  RecordKey key = random_key<RecordRole>();
  Bytes key_bytes = key.expose([](ByteView bytes) { return test::to_bytes(bytes); });
  Bytes place = {'h', 'e', 'r', 'e'};

  static Bytes message(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
    return bytes;
  }
  Bytes sealed(std::size_t size) {
    return seal_all(Object::create(key, place), *context, message(size));
  }
  Result<Bytes> open(ByteView bytes) { return open_sized(*context, key_bytes, place, bytes); }
};

}  // namespace

TEST_CASE("chunked encryption agrees with Wycheproof") {
  const auto vectors =
      test::shared_vectors("wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json");
  if (!vectors) return;
  int count = 0;
  for (const GcmEngine* engine : all_engines()) {
    const auto context = engine->make_context();
    for (const auto& group : vectors->at("testGroups"))
      for (const auto& vector : group.at("tests")) {
        INFO(engine->name() << ", tcId " << vector.at("tcId") << ": " << vector.at("comment"));
        check_wycheproof_vector(*context, vector);
        ++count;
      }
  }
  CHECK(count == 35 * static_cast<int>(all_engines().size()));
}

TEST_CASE("sizes of objects are computed both ways") {
  CHECK(sealed_size(0) == 72);
  CHECK(sealed_size(1) == 73);
  CHECK(sealed_size(16383) == 56 + 16383 + 16);
  CHECK(sealed_size(16384) == 56 + 16384 + 16 + 16);
  CHECK(sealed_size(16385) == 56 + 16385 + 32);
  const std::uint64_t largest = (std::uint64_t{1} << 52) - 1;
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{16383},
                                   std::uint64_t{16384}, std::uint64_t{50000}, largest}) {
    CHECK(must(plaintext_size(sealed_size(size))) == size);
  }
  CHECK_FAILS_WITH(plaintext_size(sealed_size(largest) + 1), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(plaintext_size(sealed_size(largest) + 1 + kTagSize), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(plaintext_size(~std::uint64_t{0}), ErrorCode::kCorrupt);
  CHECK(test::aborts([&] { static_cast<void>(sealed_size(largest + 1)); }));
}

TEST_CASE("a sealed size is valid exactly when some plaintext has it") {
  std::set<std::uint64_t> possible;
  for (std::uint64_t size = 0; size <= 3 * kChunkSize; ++size) possible.insert(sealed_size(size));
  for (std::uint64_t size = 0; size <= 3 * kSealedChunkSize; ++size) {
    const bool valid = plaintext_size(size).ok();
    if (valid != possible.contains(size)) FAIL("sealed size " << size);
  }
}

TEST_CASE_METHOD(ObjectFixture, "objects of every shape open again") {
  for (const std::size_t size : {0U, 1U, 16U, 16383U, 16384U, 16385U, 32768U, 50000U}) {
    const Bytes bytes = sealed(size);
    CHECK(bytes.size() == sealed_size(size));
    CHECK(must(open(bytes)) == message(size));
  }
}

TEST_CASE_METHOD(ObjectFixture, "no truncation of an object opens") {
  for (const std::size_t size : {0U, 5U, 16384U, 16400U, 32768U, 40000U}) {
    const Bytes whole = sealed(size);
    for (std::size_t cut = 1; cut <= whole.size(); cut += (cut < 40 ? 1 : 97)) {
      INFO("plaintext " << size << ", cut " << cut);
      CHECK_FAILS_WITH(open(ByteView(whole).first(whole.size() - cut)), ErrorCode::kCorrupt);
    }
  }
}

TEST_CASE_METHOD(ObjectFixture,
                 "an object cut at a chunk border is found out by size and by stream") {
  const Bytes whole = sealed(2 * kChunkSize + 7);
  for (const std::size_t chunks : {0U, 1U, 2U}) {
    const ByteView cut = ByteView(whole).first(kHeaderSize + chunks * kSealedChunkSize);
    CHECK_FAILS_WITH(plaintext_size(cut.size()), ErrorCode::kCorrupt);
    Bytes released;
    CHECK_FAILS_WITH(open_stream(*context, key_bytes, place, cut, released), ErrorCode::kCorrupt);
    CHECK(released.size() == chunks * kChunkSize);
  }
}

TEST_CASE_METHOD(ObjectFixture,
                 "a last chunk dropped with its predecessor shortened does not open") {
  // Long enough to be a valid size; the shortened chunk must fail on its tag.
  const Bytes whole = sealed(2 * kChunkSize);
  const ByteView cut = ByteView(whole).first(kHeaderSize + 2 * kSealedChunkSize - 1);
  CHECK(plaintext_size(cut.size()).ok());
  CHECK_FAILS_WITH(open(cut), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(ObjectFixture, "anything behind the last chunk is refused") {
  for (const std::size_t size : {0U, 7U, 16384U}) {
    for (const std::size_t extra : {1U, 15U, 16U, 17U, 16400U}) {
      Bytes longer = sealed(size);
      longer.resize(longer.size() + extra);
      CHECK_FAILS_WITH(open(longer), ErrorCode::kCorrupt);
    }
  }
}

TEST_CASE_METHOD(ObjectFixture, "an object opens only under its key and in its place") {
  const Header header = Object::create(key, place).header();
  CHECK(Object::open(key_bytes, place, header).ok());
  CHECK_FAILS_WITH(Object::open(key_bytes, Bytes{'t'}, header), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(Object::open(key_bytes, {}, header), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(Object::open(Bytes(32, 1), place, header), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(Object::open(Bytes(31, 1), place, header), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(Object::open(Bytes(33, 1), place, header), ErrorCode::kInvalidArgument);
  for (std::size_t i = 0; i < header.size(); ++i) {
    Header damaged = header;
    damaged[i] ^= 1;
    CHECK_FAILS_WITH(Object::open(key_bytes, place, damaged), ErrorCode::kCorrupt);
  }
}

TEST_CASE_METHOD(ObjectFixture,
                 "chunks open only where they were sealed, and a failure leaves zero") {
  const Object object = Object::create(key, place);
  const Bytes plaintext = message(100);
  const std::uint64_t last = (std::uint64_t{1} << 38) - 1;
  std::set<Bytes> seen;
  for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255},
                                    std::uint64_t{256}, std::uint64_t{65536}, last}) {
    Bytes chunk(plaintext.size() + kTagSize);
    object.seal_chunk(*context, index, plaintext, chunk);
    CHECK(seen.insert(chunk).second);
    Bytes out(plaintext.size());
    must(object.open_chunk(*context, index, chunk, out));
    CHECK(out == plaintext);
    CHECK_FAILS_WITH(object.open_chunk(*context, index ^ 1, chunk, out), ErrorCode::kCorrupt);
    CHECK(test::all_zero(out));
  }
}

TEST_CASE_METHOD(ObjectFixture, "chunks out of bounds are refused") {
  const Object object = Object::create(key, place);
  const std::uint64_t beyond = std::uint64_t{1} << 38;
  Bytes out(10, 0xEE);
  CHECK_FAILS_WITH(object.open_chunk(*context, beyond, Bytes(26), out), ErrorCode::kCorrupt);
  CHECK(test::all_zero(out));
  Bytes large(kChunkSize + 1, 0xEE);
  CHECK_FAILS_WITH(object.open_chunk(*context, 0, Bytes(kSealedChunkSize + 1), large),
                   ErrorCode::kCorrupt);
  CHECK(test::all_zero(large));
  CHECK(test::aborts([&] {
    Bytes sealed_chunk(kTagSize);
    object.seal_chunk(*context, beyond, {}, sealed_chunk);
  }));
  CHECK(test::aborts([&] {
    Bytes sealed_chunk(kSealedChunkSize + 1);
    object.seal_chunk(*context, 0, large, sealed_chunk);
  }));
}

// A sealer that breaks the rules, with the right key: the tag fits, and still the chunk is too
// long.
TEST_CASE_METHOD(ObjectFixture, "a well-sealed chunk of more than 16 KiB is refused") {
  const std::array<std::uint8_t, 24> salt{};
  const Object object = Object::create_with_salt(key_bytes, place, salt);
  Bytes info = test::to_bytes(as_bytes("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"));
  info.resize(info.size() + 1 + salt.size());
  info.insert(info.end(), place.begin(), place.end());
  std::array<std::uint8_t, kKeySize + kGcmNonceSize> derived{};
  hkdf_expand_sha512(key_bytes, info, derived);
  const auto seal_as_first = [&](std::size_t size) {
    const std::span<const std::uint8_t, kKeySize + kGcmNonceSize> bytes(derived);
    Bytes chunk(size + kTagSize);
    context->seal(bytes.first<kKeySize>(), bytes.last<kGcmNonceSize>(), {}, message(size), chunk);
    return chunk;
  };
  Bytes out(kChunkSize);
  must(object.open_chunk(*context, 0, seal_as_first(kChunkSize), out));
  Bytes longer(kChunkSize + 1);
  CHECK_FAILS_WITH(object.open_chunk(*context, 0, seal_as_first(kChunkSize + 1), longer),
                   ErrorCode::kCorrupt);
  CHECK(test::all_zero(longer));
}

TEST_CASE_METHOD(ObjectFixture, "two objects under one key share nothing") {
  CHECK(Object::create(key, place).header() != Object::create(key, place).header());
  CHECK(sealed(40) != sealed(40));
}
