// Tokens: data sealed under a scope's lasting line, to be kept elsewhere.
//
//   head     = "QTOKEN" 00 01 || vault id 16 || scope id u64 || generation of the lasting line u32
//   token    = head 36 || C2SP chunked encryption (crypto/cobblestone.hpp): header 56 || chunks
//   context  = label "quietus/v1/token" || 00 || head
//
// Worked on piece by piece, with the keys for one piece at a time, so that an erasure never waits
// for a stream.
#pragma once

#include <optional>

#include "crypto/cobblestone.hpp"
#include "keys/key_store.hpp"

namespace quietus {

struct TokenHead {
  static constexpr std::size_t kSize = 36;

  VaultId vault{};
  ScopeId scope = 0;
  std::uint32_t generation = 0;

  std::array<std::uint8_t, kSize> bytes() const;
  // From the first bytes of a token. kInvalidArgument when they are none.
  static Result<TokenHead> parse(ByteView begin);
};

inline constexpr std::size_t kTokenPrefix = TokenHead::kSize + cobblestone::kHeaderSize;
inline constexpr std::size_t kTokenPieceChunks = 64;

class TokenWriter {
 public:
  // Bytes of data in each piece but the last, which is shorter and may be empty.
  static constexpr std::size_t kPieceSize = kTokenPieceChunks * cobblestone::kChunkSize;

  TokenWriter(KeyStore& keys, const ScopeAccess& access) : keys_(keys), access_(access) {}

  // Appends the next part of the token to `out`. Errors of KeyStore::with_lasting; kBusy when the
  // key was destroyed meanwhile.
  Result<void> seal(ByteView piece, Bytes& out);

 private:
  Result<cobblestone::Object> begin_piece(const LastingKeys& keys);

  KeyStore& keys_;
  ScopeAccess access_;
  std::optional<TokenHead> head_;
  cobblestone::Header header_{};
  std::uint64_t next_chunk_ = 0;
};

class TokenReader {
 public:
  // Bytes of chunks in each piece but the last, which is shorter.
  static constexpr std::size_t kPieceSize = kTokenPieceChunks * cobblestone::kSealedChunkSize;

  // From the first kTokenPrefix bytes. kInvalidArgument when they are no token's; kRefused when it
  // is of another vault or scope.
  static Result<TokenReader> begin(KeyStore& keys, const ScopeAccess& access, ByteView prefix);

  // The size of what a piece holds. kCorrupt when no piece has that size; only the last one is
  // shorter than kPieceSize.
  static Result<std::size_t> size_of(std::size_t piece);
  // Requires: out has the size_of() the piece. It is zero after an error: kCorrupt and those of
  // KeyStore::with_lasting.
  Result<void> open(ByteView piece, MutableBytes out);

 private:
  TokenReader(KeyStore& keys, const ScopeAccess& access, const TokenHead& head, ByteView header);

  KeyStore& keys_;
  ScopeAccess access_;
  TokenHead head_;
  cobblestone::Header header_{};
  std::uint64_t next_chunk_ = 0;
};

}  // namespace quietus
