// Tokens and pseudonyms: for data that is kept elsewhere.
#include "token.hpp"

#include <quietus/vault.hpp>

#include <algorithm>

#include "support/streams.hpp"
#include "support/temp_vault.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test
using enum ErrorCode;

namespace {

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return bytes;
}

struct TokenTenants {
  TempVault place;
  Vault vault = place.vault();
  Scope user = place.scope("acme/customer-data/user-7");
  Scope other = place.scope("acme/customer-data/user-8");
};

// In pieces of an odd size.
}  // namespace

TEST_CASE("a token of every size around the limits opens, in one piece and as a stream",
          "[token]") {
  const TokenTenants t;
  constexpr std::size_t kPiece = TokenWriter::kPieceSize;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{16'383}, std::size_t{16'384},
        std::size_t{16'385}, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece, 3 * kPiece + 16'384}) {
    INFO(size);
    const Bytes data = pattern(size);
    const Bytes token = must(t.user.seal(data));
    CHECK(token.size() == 92 + size + 16 * (size / 16'384 + 1));
    CHECK(must(t.user.open(token)) == data);
    Bytes streamed;
    must(t.user.seal_stream(source_of(data), sink_into(streamed)));
    CHECK(streamed.size() == token.size());
    CHECK(must(t.user.open(streamed)) == data);
    Bytes opened;
    must(t.user.open_stream(source_of(token), sink_into(opened)));
    CHECK(opened == data);
  }
}

TEST_CASE("no two tokens are the same, and none shows what is in it", "[token]") {
  const TokenTenants t;
  const Bytes data(200, 'x');
  const Bytes first = must(t.user.seal(data));
  CHECK(first != must(t.user.seal(data)));
  CHECK(std::search(first.begin(), first.end(), data.begin(), data.begin() + 8) == first.end());
}

TEST_CASE("a token that was changed anywhere, cut anywhere or added to is refused", "[token]") {
  const TokenTenants t;
  const Bytes data = pattern(40);
  const Bytes token = must(t.user.seal(data));
  for (std::size_t i = 0; i < token.size(); ++i) {
    INFO(i);
    Bytes changed = token;
    changed[i] ^= 1;
    CHECK_FALSE(t.user.open(changed).ok());
    Bytes got;
    CHECK_FALSE(t.user.open_stream(source_of(changed), sink_into(got)).ok());
    CHECK(got.empty());
    const Bytes cut(token.begin(), token.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK_FALSE(t.user.open(cut).ok());
    CHECK_FALSE(t.user.open_stream(source_of(cut), sink_into(got)).ok());
    CHECK(got.empty());
  }
  Bytes longer = token;
  longer.push_back(0);
  CHECK_FAILS_WITH(t.user.open(longer), kCorrupt);
}

TEST_CASE("a large token that ends at the end of a chunk or of a piece is known to be cut",
          "[token]") {
  const TokenTenants t;
  const Bytes token = must(t.user.seal(pattern(2 * TokenWriter::kPieceSize + 20'000)));
  for (const std::size_t size :
       {kTokenPrefix, kTokenPrefix + cobblestone::kSealedChunkSize,
        kTokenPrefix + TokenReader::kPieceSize, kTokenPrefix + 2 * TokenReader::kPieceSize,
        kTokenPrefix + 2 * TokenReader::kPieceSize + cobblestone::kSealedChunkSize}) {
    INFO(size);
    const Bytes cut(token.begin(), token.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FAILS_WITH(t.user.open(cut), kCorrupt);
    Bytes got;
    CHECK_FAILS_WITH(t.user.open_stream(source_of(cut), sink_into(got)), kCorrupt);
  }
}

TEST_CASE("a token opens in its scope and vault only, which are found from it", "[token]") {
  TokenTenants t;
  const Bytes token = must(t.user.seal(pattern(10)));
  CHECK_FAILS_WITH(t.other.open(token), kRefused);
  CHECK(must(t.vault.scope_of(token)).id() == t.user.id());
  CHECK(must(must(t.vault.scope_of(ByteView(token).first(36))).open(token)) == pattern(10));
  CHECK_FAILS_WITH(t.vault.scope_of(ByteView(token).first(35)), kInvalidArgument);
  CHECK_FAILS_WITH(t.vault.scope_of(pattern(100)), kInvalidArgument);
  CHECK_FAILS_WITH(t.user.open(pattern(100)), kInvalidArgument);
  // Bound to its scope by more than what its head says.
  Bytes moved = token;
  const Bytes theirs = must(t.other.seal(pattern(10)));
  std::copy_n(theirs.begin(), 36, moved.begin());
  CHECK_FAILS_WITH(t.other.open(moved), kCorrupt);

  TokenTenants elsewhere;
  CHECK_FAILS_WITH(elsewhere.vault.scope_of(token), kRefused);
  CHECK_FAILS_WITH(elsewhere.user.open(token), kRefused);
}

TEST_CASE("I-2: an erased scope's tokens and pseudonyms end with it", "[token]") {
  for (const char* erased : {"acme", "acme/customer-data", "acme/customer-data/user-7"}) {
    INFO(erased);
    TokenTenants t;
    const Bytes token = must(t.user.seal(pattern(10)));
    must(t.user.pseudonym(pattern(3)));
    t.place.erase(erased);
    CHECK_FAILS_WITH(t.user.open(token), kErased);
    CHECK_FAILS_WITH(t.user.seal(token), kErased);
    CHECK_FAILS_WITH(t.user.pseudonym(token), kErased);
    CHECK_FAILS_WITH(t.vault.scope_of(token), kErased);
  }
}

TEST_CASE("C5: tokens and pseudonyms survive rotations, purges and a compromise", "[token]") {
  TokenTenants t;
  const std::string path = "acme/customer-data/user-7";
  std::vector<Bytes> tokens{must(t.user.seal(pattern(10)))};
  const Pseudonym pseudonym = must(t.user.pseudonym(as_bytes("a@example.com")));
  const auto check = [&] {
    for (const Bytes& token : tokens) CHECK(must(t.user.open(token)) == pattern(10));
    CHECK(must(t.user.pseudonym(as_bytes("a@example.com"))) == pseudonym);
  };
  must(t.vault.lifecycle().rotate(path, "test"));
  check();
  must(t.vault.lifecycle().purge(path, "test"));
  check();
  must(t.vault.lifecycle().rotate("acme", "test"));
  check();
  tokens.push_back(must(t.user.seal(pattern(10))));
  CHECK(must(TokenHead::parse(tokens.back())).generation == 1);
  must(t.vault.lifecycle().compromise(path, "incident"));
  must(t.vault.lifecycle().purge(path, "test"));
  tokens.push_back(must(t.user.seal(pattern(10))));
  // What was sealed under a key that others may know stays readable; nothing new is sealed so.
  CHECK(must(TokenHead::parse(tokens.back())).generation == 2);
  check();
  { const Vault closed = std::move(t.vault); }
  t.place.reopen();
  t.user = must(t.place.vault().scope(path));
  check();
  tokens.front()[35] = 3;
  CHECK_FAILS_WITH(t.user.open(tokens.front()), kCorrupt);
}

TEST_CASE("a token obeys the state of its scope", "[token]") {
  TokenTenants t;
  const std::string path = "acme/customer-data/user-7";
  const Bytes token = must(t.user.seal(pattern(10)));
  must(t.vault.lifecycle().suspend("acme", "objection"));
  CHECK_FAILS_WITH(t.user.open(token), kRestricted);
  CHECK_FAILS_WITH(t.user.seal(token), kRestricted);
  CHECK_FAILS_WITH(t.user.pseudonym(token), kRestricted);
  CHECK_FAILS_WITH(must(t.vault.scope_of(token)).open(token), kRestricted);
  const std::uint64_t logged = must(t.vault.log_head()).size;
  Scope lawful = must(t.vault.scope_of(token, RestrictedUse::kLegalClaims));
  CHECK(must(t.vault.log_head()).size == logged + 1);
  CHECK(must(lawful.open(token)) == pattern(10));
  must(t.vault.lifecycle().resume("acme", "resolved"));
  must(t.vault.lifecycle().deactivate(path, "contract-ended"));
  CHECK(must(t.user.open(token)) == pattern(10));
  CHECK_FAILS_WITH(t.user.seal(token), kRefused);
}

TEST_CASE("a pseudonym is the same for the same value, and in no other scope", "[token]") {
  const TokenTenants t;
  const Pseudonym first = must(t.user.pseudonym(as_bytes("a@example.com")));
  CHECK(first == must(t.user.pseudonym(as_bytes("a@example.com"))));
  CHECK(first != must(t.user.pseudonym(as_bytes("b@example.com"))));
  CHECK(first != must(t.other.pseudonym(as_bytes("a@example.com"))));
  CHECK(must(t.user.pseudonym({})) != first);
}

TEST_CASE("what a stream's source or sink says ends it", "[token]") {
  const TokenTenants t;
  const Bytes token = must(t.user.seal(pattern(10)));
  const Error full(kFull, "no room");
  const ByteSource bad_source = [&](MutableBytes) -> Result<std::size_t> { return full; };
  const ByteSink bad_sink = [&](ByteView) -> Result<void> { return full; };
  Bytes out;
  CHECK_FAILS_WITH(t.user.seal_stream(bad_source, sink_into(out)), kFull);
  CHECK_FAILS_WITH(t.user.open_stream(bad_source, sink_into(out)), kFull);
  CHECK_FAILS_WITH(t.user.seal_stream(source_of(token), bad_sink), kFull);
  CHECK_FAILS_WITH(t.user.open_stream(source_of(token), bad_sink), kFull);
}

TEST_CASE("an erasure ends a stream of tokens in the middle", "[token]") {
  const TokenTenants t;
  const Bytes token = must(t.user.seal(pattern(3 * TokenWriter::kPieceSize)));
  std::size_t pieces = 0;
  const ByteSink erasing = [&](ByteView) -> Result<void> {
    if (++pieces == 1) t.place.erase("acme/customer-data/user-7");
    return {};
  };
  CHECK_FAILS_WITH(t.user.open_stream(source_of(token), erasing), kErased);
  CHECK(pieces == 1);
}
