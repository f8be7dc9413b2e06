// The certificate of one scope: of an erasure of its own, or drawn out of an erasure of many.
#include <quietus/vault.hpp>

#include <charconv>

#include "keys/batch_rows.hpp"
#include "names.hpp"
#include "scope_paths.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// 16 hex digits.
std::optional<ScopeId> parse_scope_id(std::string_view text) {
  ScopeId id = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  const bool whole = text.size() == 16 && end == text.data() + text.size();
  return whole && failed == std::errc() ? std::optional(id) : std::nullopt;
}

// An erased scope is still found by its path while its parent lives.
Result<ScopeId> find_erased(ControlReader& reader, ScopeTable& scopes, std::string_view scope) {
  if (const auto id = parse_scope_id(scope)) {
    QUIETUS_TRY_AS(const auto row, rows::key_row(reader, scopes.seal(), *id));
    if (row) return *id;
  }
  QUIETUS_TRY_AS(const auto elements, parse_scope_path(scope));
  ScopeId found = kVaultScope;
  for (const std::string_view element : elements) {
    QUIETUS_TRY_AS(const auto child, scopes.child_of_any_state(reader, found, element));
    if (!child) return Error(ErrorCode::kNotFound, "no such scope");
    found = *child;
  }
  return found;
}

}  // namespace

Result<std::string> Vault::certificate_of(std::string_view scope) {
  if (!core_) return Error(ErrorCode::kUnavailable, "the vault is closed");
  ScopeId id = 0;
  std::optional<ErasureId> batch;
  std::optional<std::string> document;
  QUIETUS_TRY(core_->read([&](ControlReader& reader, ScopeTable& scopes,
                              const RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    batch.reset();
    document.reset();
    QUIETUS_TRY_AS(id, find_erased(reader, scopes, scope));
    QUIETUS_TRY_AS(const auto tombstone, rows::tombstone(reader, seal, id));
    if (!tombstone)
      return Error(ErrorCode::kNotFound,
                   "no certificate: the scope was not erased itself, though perhaps with another");
    QUIETUS_TRY_AS(const auto of_many, rows::batch(reader, seal, tombstone->erasure));
    if (of_many) {
      batch = tombstone->erasure;
      return {};
    }
    QUIETUS_TRY_AS(const auto found, rows::certificate_of(reader, seal, tombstone->erasure));
    if (!found) return {};
    QUIETUS_TRY_AS(document, rows::certificate(reader, seal, *found));
    return {};
  }));
  if (batch) {
    QUIETUS_TRY_AS(WrittenCertificate drawn, core_->keys->certificate_of(*batch, id));
    return std::move(drawn.document);
  }
  if (!document) return Error(ErrorCode::kErasureIncomplete, "the erasure is not finished yet");
  return std::move(*document);
}

}  // namespace quietus
