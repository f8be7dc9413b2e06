#include "crypto/row_seal.hpp"

#include <catch2/catch.hpp>

#include "base/byte_writer.hpp"
#include "crypto/random.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::must;

namespace {

struct RowFixture {
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  RowKey key = random_key<RowRole>();
  VaultId vault{1, 2, 3};
  Bytes row_key = {'s', 0, 9};
  Bytes plaintext = {5, 6, 7, 8};
};

}  // namespace

TEST_CASE_METHOD(RowFixture, "a sealed row opens again") {
  for (const std::size_t size : {0U, 1U, 4U, 2000U}) {
    const Bytes row(size, 0x42);
    const Bytes sealed = seal_row(*context, key, vault, row_key, row);
    CHECK(sealed.size() == size + kSealOverhead);
    CHECK(must(open_row(*context, key, vault, row_key, sealed)) == row);
  }
}

TEST_CASE_METHOD(RowFixture, "the layout of a sealed row is frozen") {
  const Bytes sealed = seal_row(*context, key, vault, row_key, plaintext);
  const Bytes associated =
      ByteWriter().raw(as_bytes("quietus/v1/ad/row")).u8(0).raw(vault).field(row_key).take();
  key.expose([&](std::span<const std::uint8_t, kKeySize> bytes) {
    CHECK(must(xaes_open_random(*context, bytes, associated, sealed)) == plaintext);
  });
}

TEST_CASE_METHOD(RowFixture, "a row cannot be moved") {
  const Bytes sealed = seal_row(*context, key, vault, row_key, plaintext);
  CHECK_FAILS_WITH(open_row(*context, key, VaultId{1, 2, 4}, row_key, sealed), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_row(*context, key, vault, Bytes{'s', 0, 8}, sealed), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_row(*context, key, vault, Bytes{'s', 0}, sealed), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_row(*context, key, vault, {}, sealed), ErrorCode::kCorrupt);
  CHECK_FAILS_WITH(open_row(*context, random_key<RowRole>(), vault, row_key, sealed),
                   ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(RowFixture, "a damaged row does not open") {
  const Bytes sealed = seal_row(*context, key, vault, row_key, plaintext);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes damaged = sealed;
    damaged[i] ^= 0x10;
    CHECK_FAILS_WITH(open_row(*context, key, vault, row_key, damaged), ErrorCode::kCorrupt);
    CHECK_FAILS_WITH(open_row(*context, key, vault, row_key, ByteView(sealed).first(i)),
                     ErrorCode::kCorrupt);
  }
}

TEST_CASE_METHOD(RowFixture, "sealing the same row twice gives different bytes") {
  CHECK(seal_row(*context, key, vault, row_key, plaintext) !=
        seal_row(*context, key, vault, row_key, plaintext));
}
