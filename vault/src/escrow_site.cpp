#include "escrow_site.hpp"

#include "base/text_encoding.hpp"
#include "escrow_ring.hpp"

namespace quietus {
namespace {

Error key_is_gone(const EpochId& epoch) {
  return {ErrorCode::kErased, "the key of epoch " + to_hex(epoch) +
                                  " was destroyed; what is sealed to it opens nowhere"};
}

Result<EpochPrivateKey> key_of(ControlReader& reader, ScopeTable& scopes, const RingEpoch& epoch) {
  const EpochId& id = epoch.public_key.id;
  const auto keys = scopes.keys(reader, epoch.scope);
  if (!keys && keys.error().code() == ErrorCode::kErased) return key_is_gone(id);
  QUIETUS_TRY(keys);
  QUIETUS_TRY(check_allowed(**keys, {epoch.scope}, KeyUse::kProcess));
  QUIETUS_TRY_AS(const LastingKey lasting, scopes.first_lasting_key(reader, epoch.scope));
  EpochPrivateKey key = epoch_key_of(lasting, id);
  if (epoch_public_key(key) != epoch.public_key.key)
    return Error(ErrorCode::kCorrupt, "the key of epoch " + to_hex(id) + " is not its own");
  return key;
}

}  // namespace

Result<EpochPrivateKey> epoch_private_key(VaultCore& site, const EpochId& epoch) {
  std::optional<EpochPrivateKey> found;
  QUIETUS_TRY(
      site.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.reset();
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY(load_ring(reader, seal));
        QUIETUS_TRY_AS(const auto row, rows::epoch(reader, seal, epoch));
        if (!row) return Error(ErrorCode::kNotFound, "no epoch of this ring: " + to_hex(epoch));
        if (row->destroyed != 0) return key_is_gone(epoch);
        QUIETUS_TRY_AS(found, key_of(reader, scopes, row->epoch));
        return {};
      }));
  return std::move(*found);
}

Result<RingFile> site_ring_file(VaultCore& site) {
  RingFile file;
  QUIETUS_TRY(
      site.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const SiteRing ring, load_ring(reader, scopes.seal()));
        file = ring_file_of(site.header.vault, ring);
        return {};
      }));
  return file;
}

Result<RingReceipt> site_receipt(VaultCore& site) {
  RingReceipt receipt;
  QUIETUS_TRY(
      site.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const SiteRing ring, load_ring(reader, scopes.seal()));
        receipt = receipt_of(site.header.vault, ring);
        return {};
      }));
  return receipt;
}

Result<NoteKey> site_note_key(VaultCore& site) {
  NoteKey key;
  QUIETUS_TRY(site.read([&](ControlReader& reader, ScopeTable& scopes,
                            const RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const SigningKey secret, rows::signing_key(reader, scopes.seal(), "log-key"));
    key = {log_origin(site.header), ed25519_public_key(secret)};
    return {};
  }));
  return key;
}

}  // namespace quietus
