#include "crypto/hash.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "support/child_process.hpp"
#include "support/vector_files.hpp"

using namespace quietus;

namespace {

std::string hex_of(const Sha256& digest) {
  return to_hex(digest);
}

}  // namespace

// FIPS 180-4 examples, as published with the standard.
TEST_CASE("SHA-256 agrees with the published examples") {
  CHECK(hex_of(sha256(ByteView{})) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex_of(sha256(as_bytes("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex_of(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex_of(sha256(as_bytes(std::string(1'000'000, 'a')))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("parts and pieces hash as their concatenation") {
  const std::string text = "the quick brown fox jumps over the lazy dog and then over the next one";
  const Sha256 whole = sha256(as_bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const ByteView left = as_bytes(text).first(cut);
    const ByteView right = as_bytes(text).subspan(cut);
    CHECK(sha256({left, right}) == whole);
    Sha256Stream stream;
    stream.update(left);
    Sha256Stream moved = std::move(stream);
    moved.update(right);
    CHECK(moved.finish() == whole);
  }
  CHECK(sha256(std::initializer_list<ByteView>{}) == sha256(ByteView{}));
}

TEST_CASE("a finished stream takes nothing more") {
  CHECK(test::aborts([] {
    Sha256Stream stream;
    static_cast<void>(stream.finish());
    stream.update(as_bytes("more"));
  }));
}
