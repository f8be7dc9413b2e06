#include "token.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/precondition.hpp"

namespace quietus {
namespace {

using cobblestone::kChunkSize;
using cobblestone::kSealedChunkSize;

constexpr std::string_view kMagic{"QTOKEN\0\1", 8};

Bytes context_of(const TokenHead& head) {
  return ByteWriter().raw(as_bytes(labels::kToken)).u8(0).raw(head.bytes()).take();
}

}  // namespace

std::array<std::uint8_t, TokenHead::kSize> TokenHead::bytes() const {
  const Bytes text =
      ByteWriter().raw(as_bytes(kMagic)).raw(vault).u64(scope).u32(generation).take();
  std::array<std::uint8_t, kSize> out{};
  require(text.size() == kSize);
  std::ranges::copy(text, out.begin());
  return out;
}

Result<TokenHead> TokenHead::parse(ByteView begin) {
  ByteReader reader(begin.first(std::min(begin.size(), kSize)));
  const ByteView magic = reader.raw(kMagic.size());
  TokenHead head;
  head.vault = reader.array<std::tuple_size_v<VaultId>>();
  head.scope = reader.u64();
  head.generation = reader.u32();
  if (!reader.done() || as_text(magic.first(6)) != kMagic.substr(0, 6))
    return Error(ErrorCode::kInvalidArgument, "these bytes are no token");
  if (as_text(magic) != kMagic) return Error(ErrorCode::kUnsupported, "a token of a newer format");
  return head;
}

// May be run again for the same piece; the first piece begins a new token.
Result<cobblestone::Object> TokenWriter::begin_piece(const LastingKeys& keys) {
  if (next_chunk_ == 0) {
    const LastingKeys::Envelope& newest = keys.envelopes.front();
    head_ = TokenHead{keys_.vault_id(), access_.scope, newest.generation};
    return cobblestone::Object::create(newest.key, context_of(*head_));
  }
  const EnvelopeKey* key = keys.of_generation(head_->generation);
  if (key == nullptr)
    return Error(ErrorCode::kBusy, "the scope's key was replaced while data was sealed; try again");
  return key->expose([&](ByteView bytes) {
    return cobblestone::Object::open(bytes, context_of(*head_), header_);
  });
}

Result<void> TokenWriter::seal(ByteView piece, Bytes& out) {
  require(piece.size() <= kPieceSize);
  const bool last = piece.size() < kPieceSize;
  const std::size_t chunks = piece.size() / kChunkSize + (last ? 1 : 0);
  const std::size_t before = out.size();
  const std::size_t prefix = next_chunk_ == 0 ? kTokenPrefix : 0;
  out.resize(before + prefix + piece.size() + chunks * kTagSize);
  const auto seal_all = [&](const LastingKeys& keys, const KeyCache::Use& use) -> Result<void> {
    QUIETUS_TRY_AS(const cobblestone::Object object, begin_piece(keys));
    header_ = object.header();
    MutableBytes to = MutableBytes(out).subspan(before);
    if (prefix != 0) {
      std::ranges::copy(head_->bytes(), to.begin());
      std::ranges::copy(header_, to.subspan(TokenHead::kSize).begin());
      to = to.subspan(prefix);
    }
    ByteView from = piece;
    for (std::size_t i = 0; i < chunks; ++i) {
      const ByteView plaintext = from.first(std::min(from.size(), kChunkSize));
      const std::size_t sealed = plaintext.size() + kTagSize;
      object.seal_chunk(use.context(), next_chunk_ + i, plaintext, to.first(sealed));
      from = from.subspan(plaintext.size());
      to = to.subspan(sealed);
    }
    return {};
  };
  QUIETUS_TRY(keys_.with_lasting(access_, KeyUse::kProtect, seal_all));
  next_chunk_ += chunks;
  return {};
}

TokenReader::TokenReader(KeyStore& keys, const ScopeAccess& access, const TokenHead& head,
                         ByteView header)
    : keys_(keys), access_(access), head_(head) {
  std::ranges::copy(header, header_.begin());
}

Result<TokenReader> TokenReader::begin(KeyStore& keys, const ScopeAccess& access, ByteView prefix) {
  QUIETUS_TRY_AS(const TokenHead head, TokenHead::parse(prefix));
  if (prefix.size() < kTokenPrefix) return Error(ErrorCode::kCorrupt, "token: truncated");
  if (head.vault != keys.vault_id())
    return Error(ErrorCode::kRefused, "the token is of another vault");
  if (head.scope != access.scope)
    return Error(ErrorCode::kRefused, "the token is of another scope");
  return TokenReader(keys, access, head,
                     prefix.subspan(TokenHead::kSize, cobblestone::kHeaderSize));
}

Result<std::size_t> TokenReader::size_of(std::size_t piece) {
  require(piece <= kPieceSize);
  if (piece == kPieceSize) return TokenWriter::kPieceSize;
  const std::size_t last = piece % kSealedChunkSize;
  if (last < kTagSize) return Error(ErrorCode::kCorrupt, "token: truncated");
  return piece / kSealedChunkSize * kChunkSize + last - kTagSize;
}

Result<void> TokenReader::open(ByteView piece, MutableBytes out) {
  const auto open_all = [&](const LastingKeys& keys, const KeyCache::Use& use) -> Result<void> {
    const EnvelopeKey* key = keys.of_generation(head_.generation);
    if (key == nullptr) {
      use.set_outdated();
      return Error(ErrorCode::kCorrupt, "token: of a key generation that the scope does not have");
    }
    QUIETUS_TRY_AS(const cobblestone::Object object, key->expose([&](ByteView bytes) {
      return cobblestone::Object::open(bytes, context_of(head_), header_);
    }));
    ByteView from = piece;
    MutableBytes to = out;
    for (std::uint64_t index = next_chunk_; !from.empty(); ++index) {
      const ByteView sealed = from.first(std::min(from.size(), kSealedChunkSize));
      const MutableBytes plaintext = to.first(sealed.size() - kTagSize);
      QUIETUS_TRY(object.open_chunk(use.context(), index, sealed, plaintext));
      from = from.subspan(sealed.size());
      to = to.subspan(plaintext.size());
    }
    return {};
  };
  Result<void> opened = keys_.with_lasting(access_, KeyUse::kProcess, open_all);
  if (opened)
    next_chunk_ += (piece.size() + kSealedChunkSize - 1) / kSealedChunkSize;
  else
    wipe(out);
  return opened;
}

}  // namespace quietus
