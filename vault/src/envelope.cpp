// Envelope encryption and pseudonyms: what Scope offers for data that is kept elsewhere.
#include <quietus/vault.hpp>

#include <algorithm>

#include "byte_source.hpp"
#include "crypto/derive.hpp"
#include "evidence/log_store.hpp"
#include "plaintext_buffer.hpp"
#include "scope_impl.hpp"
#include "token.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

Result<void> open_all(TokenReader& reader, ByteView chunks, MutableBytes out) {
  for (bool last = false; !last;) {
    const ByteView piece = chunks.first(std::min(chunks.size(), TokenReader::kPieceSize));
    last = piece.size() < TokenReader::kPieceSize;
    QUIETUS_TRY_AS(const std::size_t size, TokenReader::size_of(piece.size()));
    QUIETUS_TRY(reader.open(piece, out.first(size)));
    chunks = chunks.subspan(piece.size());
    out = out.subspan(size);
  }
  return {};
}

Result<TokenReader> begin_reading(VaultCore& core, const ScopeAccess& access,
                                  const ByteSource& token) {
  Bytes prefix(kTokenPrefix);
  QUIETUS_TRY_AS(const std::size_t got, fill_from(token, prefix));
  return TokenReader::begin(*core.keys, access, ByteView(prefix).first(got));
}

}  // namespace

Result<Bytes> Scope::seal(ByteView data) const {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  TokenWriter writer(*core->keys, impl_->access);
  Bytes token;
  token.reserve(TokenHead::kSize + cobblestone::sealed_size(data.size()));
  for (bool last = false; !last;) {
    const ByteView piece = data.first(std::min(data.size(), TokenWriter::kPieceSize));
    last = piece.size() < TokenWriter::kPieceSize;
    QUIETUS_TRY(writer.seal(piece, token));
    data = data.subspan(piece.size());
  }
  core->activity->note(impl_->access.scope);
  return token;
}

Result<Bytes> Scope::open(ByteView token) const {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  QUIETUS_TRY_AS(TokenReader reader, TokenReader::begin(*core->keys, impl_->access, token));
  const ByteView sealed = token.subspan(TokenHead::kSize);
  QUIETUS_TRY_AS(const std::uint64_t size, cobblestone::plaintext_size(sealed.size()));
  Bytes data(static_cast<std::size_t>(size));
  if (auto opened = open_all(reader, sealed.subspan(cobblestone::kHeaderSize), data); !opened) {
    wipe(data);
    return std::move(opened).error();
  }
  core->activity->note(impl_->access.scope);
  return data;
}

Result<void> Scope::seal_stream(const ByteSource& data, const ByteSink& token) const {
  if (!data || !token) return no_callback();
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  TokenWriter writer(*core->keys, impl_->access);
  PlaintextBuffer buffer(TokenWriter::kPieceSize);
  Bytes sealed;
  for (bool last = false; !last;) {
    QUIETUS_TRY_AS(const std::size_t got, fill_from(data, buffer.bytes()));
    last = got < buffer.size();
    sealed.clear();
    QUIETUS_TRY(writer.seal(buffer.bytes().first(got), sealed));
    QUIETUS_TRY(token(sealed));
  }
  core->activity->note(impl_->access.scope);
  return {};
}

Result<void> Scope::open_stream(const ByteSource& token, const ByteSink& data) const {
  if (!data || !token) return no_callback();
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  QUIETUS_TRY_AS(TokenReader reader, begin_reading(*core, impl_->access, token));
  Bytes sealed(TokenReader::kPieceSize);
  PlaintextBuffer buffer(TokenWriter::kPieceSize);
  for (bool last = false; !last;) {
    QUIETUS_TRY_AS(const std::size_t got, fill_from(token, sealed));
    last = got < sealed.size();
    QUIETUS_TRY_AS(const std::size_t size, TokenReader::size_of(got));
    const MutableBytes piece = buffer.bytes().first(size);
    QUIETUS_TRY(reader.open(ByteView(sealed).first(got), piece));
    QUIETUS_TRY(data(piece));
  }
  core->activity->note(impl_->access.scope);
  return {};
}

Result<Pseudonym> Scope::pseudonym(ByteView value) const {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  Pseudonym made{};
  QUIETUS_TRY(
      core->keys->with_lasting(impl_->access, KeyUse::kProcess,
                               [&](const LastingKeys& keys, const KeyCache::Use&) -> Result<void> {
                                 made = prf128(keys.pseudonyms, value);
                                 return {};
                               }));
  core->activity->note(impl_->access.scope);
  return made;
}

Result<Scope> Vault::scope_of(ByteView token) {
  if (!core_) return Error(ErrorCode::kUnavailable, "the vault is closed");
  QUIETUS_TRY_AS(const TokenHead head, TokenHead::parse(token));
  if (head.vault != core_->header.vault)
    return Error(ErrorCode::kRefused, "the token is of another vault");
  if (head.scope == kVaultScope) return Error(ErrorCode::kCorrupt, "token: of no scope");
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY(scopes.keys(reader, head.scope));
        return {};
      }));
  return make_scope(core_, head.scope);
}

Result<Scope> Vault::scope_of(ByteView token, RestrictedUse use) {
  QUIETUS_TRY_AS(const Scope scope, scope_of(token));
  return for_restricted_use(core_, scope.id(), use);
}

}  // namespace quietus
