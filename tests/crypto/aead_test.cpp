#include "crypto/aead.hpp"

#include <openssl/err.h>
#include <sys/mman.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "crypto/engines.hpp"
#include "crypto/memory_search.hpp"
#include "crypto/random.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

using Key32 = std::array<std::uint8_t, 32>;
using Nonce = std::array<std::uint8_t, kGcmNonceSize>;

void check_gcm_vector(GcmContext& context, const nlohmann::json& vector) {
  const auto key = to_array<32>(hex_field(vector, "key"));
  const auto nonce = to_array<kGcmNonceSize>(hex_field(vector, "iv"));
  const Bytes associated = hex_field(vector, "aad");
  const Bytes message = hex_field(vector, "msg");
  Bytes sealed = hex_field(vector, "ct");
  const Bytes tag = hex_field(vector, "tag");
  sealed.insert(sealed.end(), tag.begin(), tag.end());

  Bytes out(sealed.size() - kTagSize, 0xEE);
  if (vector.at("result") != "valid") {
    CHECK_FAILS_WITH(context.open(key, nonce, associated, sealed, out), ErrorCode::kCorrupt);
    CHECK(test::all_zero(out));
    return;
  }
  must(context.open(key, nonce, associated, sealed, out));
  CHECK(out == message);
  Bytes again(sealed.size());
  context.seal(key, nonce, associated, message, again);
  CHECK(again == sealed);
}

// One message of 40 bytes, sealed.
struct Sealed {
  Key32 key{1, 2, 3};
  Nonce nonce{4, 5, 6};
  Bytes associated = {7, 8, 9};
  Bytes plaintext = Bytes(40, 0x5C);
  Bytes bytes = Bytes(40 + kTagSize);

  explicit Sealed(GcmContext& context) { context.seal(key, nonce, associated, plaintext, bytes); }
  Result<void> open(GcmContext& context, ByteView sealed, MutableBytes out) const {
    return context.open(key, nonce, associated, sealed, out);
  }
};

}  // namespace

TEST_CASE("AES-256-GCM agrees with Wycheproof on every engine") {
  const auto vectors = test::shared_vectors("wycheproof/aes_gcm_test.json");
  if (!vectors) return;
  for (const GcmEngine* engine : test::engines_under_test()) {
    const auto context = engine->make_context();
    int count = 0;
    for (const auto& group : vectors->at("testGroups")) {
      if (group.at("ivSize") != 96 || group.at("keySize") != 256) continue;
      for (const auto& vector : group.at("tests")) {
        INFO(engine->name() << ", tcId " << vector.at("tcId"));
        check_gcm_vector(*context, vector);
        ++count;
      }
    }
    CHECK(count == 66);
  }
}

TEST_CASE("every damaged bit is found and leaves an empty buffer") {
  for (const GcmEngine* engine : test::engines_under_test()) {
    INFO(engine->name());
    const auto context = engine->make_context();
    const Sealed sealed(*context);
    for (std::size_t bit = 0; bit < sealed.bytes.size() * 8; ++bit) {
      Bytes damaged = sealed.bytes;
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      Bytes out(sealed.plaintext.size(), 0xEE);
      CHECK_FAILS_WITH(sealed.open(*context, damaged, out), ErrorCode::kCorrupt);
      CHECK(test::all_zero(out));
    }
  }
}

// OpenSSL itself would take a correct first byte of the tag for the whole.
TEST_CASE("a shortened tag is refused at every length") {
  for (const GcmEngine* engine : test::engines_under_test()) {
    const auto context = engine->make_context();
    const Sealed sealed(*context);
    for (std::size_t size = 0; size < sealed.bytes.size(); ++size) {
      INFO(engine->name() << ", size " << size);
      Bytes out(std::max(size, kTagSize) - kTagSize, 0xEE);
      CHECK_FAILS_WITH(sealed.open(*context, ByteView(sealed.bytes).first(size), out),
                       ErrorCode::kCorrupt);
      CHECK(test::all_zero(out));
    }
  }
}

TEST_CASE("nothing is read as plaintext of a message too short for a tag") {
  const auto context = openssl_engine().make_context();
  const Sealed sealed(*context);
  Bytes out(4, 0xEE);
  CHECK_FAILS_WITH(sealed.open(*context, Bytes(15), out), ErrorCode::kCorrupt);
  CHECK(test::all_zero(out));
}

TEST_CASE("opening in place works, and wipes in place") {
  const auto context = openssl_engine().make_context();
  const Sealed sealed(*context);
  Bytes buffer = sealed.bytes;
  const MutableBytes out = MutableBytes(buffer).first(40);
  must(sealed.open(*context, buffer, out));
  CHECK(test::to_bytes(out) == sealed.plaintext);

  buffer = sealed.bytes;
  buffer[50] ^= 1;
  CHECK_FAILS_WITH(sealed.open(*context, buffer, out), ErrorCode::kCorrupt);
  CHECK(test::all_zero(out));
}

TEST_CASE("a context works on after failures and after forget") {
  const auto context = openssl_engine().make_context();
  const Sealed sealed(*context);
  Bytes out(40);
  CHECK_FAILS_WITH(sealed.open(*context, Bytes(56), out), ErrorCode::kCorrupt);
  must(sealed.open(*context, sealed.bytes, out));
  context->forget();
  context->forget();
  must(sealed.open(*context, sealed.bytes, out));
  CHECK(out == sealed.plaintext);
  CHECK(Sealed(*context).bytes == sealed.bytes);
}

// The queue belongs to the thread, and an application's own TLS code may look at it next.
TEST_CASE("a failed opening leaves the application's OpenSSL errors alone") {
  const auto context = openssl_engine().make_context();
  const Sealed sealed(*context);
  Bytes out(40);
  ERR_clear_error();
  CHECK_FAILS_WITH(sealed.open(*context, Bytes(56), out), ErrorCode::kCorrupt);
  CHECK(ERR_peek_error() == 0);
  ERR_raise(ERR_LIB_USER, 7);
  CHECK_FAILS_WITH(sealed.open(*context, Bytes(56), out), ErrorCode::kCorrupt);
  CHECK(ERR_GET_REASON(ERR_get_error()) == 7);
  CHECK(ERR_peek_error() == 0);
}

// FIPS 197 appendix C.3.
TEST_CASE("blocks are those of FIPS 197") {
  Key32 key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const Bytes in = test::hex("00112233445566778899aabbccddeeff");
  for (const GcmEngine* engine : test::engines_under_test()) {
    const auto context = engine->make_context();
    Bytes out(16);
    context->encrypt_blocks(key, in, out);
    CHECK(to_hex(out) == "8ea2b7ca516745bfeafc49904b496089");
    // Another key and back: the remembered key must not be taken for the new one.
    context->encrypt_blocks(Key32{}, in, out);
    CHECK(to_hex(out) != "8ea2b7ca516745bfeafc49904b496089");
    context->encrypt_blocks(key, in, out);
    CHECK(to_hex(out) == "8ea2b7ca516745bfeafc49904b496089");
  }
}

TEST_CASE("wrong buffer sizes end the process before a byte is written") {
  const auto context = openssl_engine().make_context();
  const Key32 key{};
  const Nonce nonce{};
  Bytes small(40 + kTagSize - 1), right(40), block(16);
  CHECK(test::aborts([&] { context->seal(key, nonce, {}, right, small); }));
  CHECK(test::aborts(
      [&] { static_cast<void>(context->open(key, nonce, {}, Bytes(40 + kTagSize), small)); }));
  CHECK(test::aborts([&] { context->encrypt_blocks(key, Bytes(15), small); }));
  CHECK(test::aborts([&] { context->encrypt_blocks(key, Bytes(32), block); }));
}

TEST_CASE("a message above the limit of AES-GCM is refused untouched") {
  // Address space only; a single touched byte would end the test.
  const std::size_t size = kMaxGcmPlaintext + 1 + kTagSize;
  void* const space =
      mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) {
    WARN("skipped: no address space of 64 GiB");
    return;
  }
  const MutableBytes huge(static_cast<std::uint8_t*>(space), size);
  const auto context = openssl_engine().make_context();
  CHECK_FAILS_WITH(context->open(Key32{}, Nonce{}, {}, huge, huge.first(size - kTagSize)),
                   ErrorCode::kInvalidArgument);
  CHECK(test::aborts(
      [&] { context->seal(Key32{}, Nonce{}, {}, huge.first(size - kTagSize), huge); }));
  munmap(space, size);
}

TEST_CASE("messages longer than an int agree between engines", "[.long]") {
  const std::size_t size = (std::size_t{1} << 31) + 33;
  std::vector<Bytes> tags;
  for (const GcmEngine* engine : test::engines_under_test()) {
    INFO(engine->name());
    const auto context = engine->make_context();
    Bytes buffer(size + kTagSize, 0x3C);
    const MutableBytes body = MutableBytes(buffer).first(size);
    context->seal(Key32{9}, Nonce{9}, Bytes{1}, body, buffer);
    tags.push_back(test::to_bytes(ByteView(buffer).last(kTagSize)));
    must(context->open(Key32{9}, Nonce{9}, Bytes{1}, buffer, body));
    CHECK(std::all_of(body.begin(), body.end(), [](std::uint8_t byte) { return byte == 0x3C; }));
  }
  for (const Bytes& tag : tags) CHECK(tag == tags.front());
}

TEST_CASE("forget leaves no key in memory") {
  if (QUIETUS_TEST_SANITIZED) {
    WARN("skipped: a sanitizer keeps freed memory");
    return;
  }
  const auto context = openssl_engine().make_context();
  const test::MemorySearch search;
  search.with_secret([&](std::span<const std::uint8_t, 32> key) {
    Bytes out(64);
    context->seal(key, Nonce{}, {}, Bytes(48), out);
    context->encrypt_blocks(key, Bytes(32), MutableBytes(out).first(32));
  });
  CHECK(search.occurrences() > 0);  // a live context holds it, so the search does find things
  context->forget();
  CHECK(search.occurrences() == 0);
}
