#include "keys/control_rows.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "crypto/key_wrap.hpp"
#include "keys/batch_rows.hpp"
#include "keys/row_codec.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {

const KeyRecord* KeyRow::newest(KeyLine line) const noexcept {
  const KeyRecord* found = nullptr;
  for (const KeyRecord& key : keys)
    if (key.line == line && !is_destroyed(key.state) &&
        (found == nullptr || key.generation > found->generation))
      found = &key;
  return found;
}

namespace rows {
namespace {

constexpr std::size_t kIdSize = 8;
constexpr int kMaxSuperseding = 1000;  // certificates of one erasure
constexpr std::size_t kPieceSize = 32768;

Bytes piece_key(const CertificateId& id, std::uint16_t piece) {
  return ByteWriter().u8('Y').raw(id).u16(piece).take();
}

std::optional<LeafOwner> decode_leaf_owner(ByteView content) {
  ByteReader in(content);
  LeafOwner owner;
  owner.index = in.u64();
  owner.scope = in.u64();
  return in.done() ? std::optional(owner) : std::nullopt;
}

std::optional<ScopeId> decode_id(ByteView content) {
  ByteReader in(content);
  const ScopeId id = in.u64();
  return in.done() ? std::optional(id) : std::nullopt;
}

}  // namespace

Result<std::optional<KeyRow>> key_row(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('K', scope), codec::decode_key_row));
  if (!row) return row;
  row->id = scope;
  // Of a batch that was decided and whose rows are not all cleaned yet: as it will be.
  if (!is_destroyed(row->state)) {
    QUIETUS_TRY_AS(const auto buried, burial_in_batch(reader, seal, scope));
    if (buried) mark_destroyed(*row, *buried);
  }
  return row;
}
void mark_destroyed(KeyRow& row, const Tombstone& burial) {
  row.state = destroyed_from(row.state);
  row.changed = burial.erased;
  row.reason = burial.reason;
  for (KeyRecord& key : row.keys) {
    if (!is_destroyed(key.state)) key.changed = burial.erased;
    key.state = destroyed_from(key.state);
    key.wrapped.clear();
  }
}
Result<void> put_key_row(ControlWriter& writer, const RowSeal& seal, const KeyRow& row) {
  return put_sealed(writer, seal, row_key('K', row.id), codec::encode(row));
}

Result<void> all_key_rows(ControlReader& reader, const RowSeal& seal,
                          FunctionRef<Result<void>(const KeyRow&)> visit,
                          FunctionRef<void(ScopeId)> damaged) {
  // Rows are collected first: visiting one may read others in the same transaction.
  std::vector<ScopeId> ids;
  QUIETUS_TRY(reader.scan(Bytes{'K'}, {}, [&](ByteView key, ByteView) -> Result<bool> {
    ids.push_back(ByteReader(key.subspan(1)).u64());
    return true;
  }));
  for (const ScopeId id : ids) {
    const auto row = key_row(reader, seal, id);
    if (row.ok() && row.value())
      QUIETUS_TRY(visit(*row.value()));
    else
      damaged(id);
  }
  return {};
}

Result<std::vector<char>> damaged_tables(ControlReader& reader, const RowSeal& seal) {
  std::vector<char> found;
  for (const char table : std::string_view("LFCDTJXYPVWOodBGpSAcQqblawersuygmvx")) {
    const Bytes prefix{static_cast<std::uint8_t>(table)};
    QUIETUS_TRY(reader.scan(prefix, {}, [&](ByteView key, ByteView value) -> Result<bool> {
      if (!open_row(seal.context, seal.key, seal.vault, key, value)) found.push_back(table);
      return true;
    }));
  }
  return found;
}

Result<std::optional<LeafOwner>> leaf_owner(ControlReader& reader, const RowSeal& seal, KeyId key) {
  return get_row(reader, seal, row_key('L', key), decode_leaf_owner);
}
Result<void> put_leaf_owner(ControlWriter& writer, const RowSeal& seal, KeyId key,
                            const LeafOwner& owner) {
  const Bytes content = ByteWriter().u64(owner.index).u64(owner.scope).take();
  return put_sealed(writer, seal, row_key('L', key), content);
}
Result<void> remove_leaf_owner(ControlWriter& writer, KeyId key) {
  return writer.remove(row_key('L', key));
}

Result<void> all_leaf_owners(ControlReader& reader, const RowSeal& seal,
                             FunctionRef<Result<void>(KeyId, const LeafOwner&)> visit) {
  return reader.scan(Bytes{'L'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto owner = content ? decode_leaf_owner(*content) : std::nullopt;
    if (owner) QUIETUS_TRY(visit(ByteReader(key.subspan(1)).u64(), *owner));
    return true;
  });
}

Result<std::vector<KeyId>> keys_of(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
  std::vector<KeyId> keys;
  QUIETUS_TRY(all_leaf_owners(reader, seal, [&](KeyId key, const LeafOwner& owner) -> Result<void> {
    if (owner.scope == scope) keys.push_back(key);
    return {};
  }));
  return keys;
}

Result<std::optional<std::uint64_t>> take_freed_leaf(ControlWriter& writer, const RowSeal& seal) {
  std::optional<std::uint64_t> index;
  const Bytes prefix{'F'};
  QUIETUS_TRY(writer.scan(prefix, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    index = decode_id(key.subspan(1));
    if (!index || !open_row(seal.context, seal.key, seal.vault, key, value)) return damaged('F');
    return false;
  }));
  if (index) QUIETUS_TRY(writer.remove(row_key('F', *index)));
  return index;
}
Result<void> put_freed_leaf(ControlWriter& writer, const RowSeal& seal, std::uint64_t index) {
  return put_sealed(writer, seal, row_key('F', index), {});
}

namespace {

struct Child {
  ScopeId id = 0;
  std::uint32_t generation = 0;
};

Bytes child_key(ScopeId parent, const Prf128& name) {
  return ByteWriter().u8('C').u64(parent).raw(name).take();
}

std::optional<Child> decode_child(ByteView content) {
  ByteReader in(content);
  const Child child{in.u64(), in.u32()};
  return in.done() ? std::optional(child) : std::nullopt;
}

}  // namespace

Result<std::optional<ScopeId>> child(ControlReader& reader, const RowSeal& seal, ScopeId parent,
                                     const Prf128& name) {
  QUIETUS_TRY_AS(const auto found, get_row(reader, seal, child_key(parent, name), decode_child));
  return found ? std::optional(found->id) : std::nullopt;
}
Result<void> put_child(ControlWriter& writer, const RowSeal& seal, const ChildName& name,
                       ScopeId child) {
  return put_sealed(writer, seal, child_key(name.parent, name.name),
                    ByteWriter().u64(child).u32(name.generation).view());
}
Result<void> remove_child(ControlWriter& writer, const ChildName& name) {
  return writer.remove(child_key(name.parent, name.name));
}
Result<void> child_names(ControlReader& reader, const RowSeal& seal, const ChildName& from,
                         FunctionRef<Result<bool>(const ChildName&, ScopeId)> visit) {
  const Bytes prefix = row_key('C', from.parent);
  const Bytes start = child_key(from.parent, from.name);
  return reader.scan(prefix, start, [&](ByteView key, ByteView value) -> Result<bool> {
    ChildName name{from.parent, 0, {}};
    ByteReader in(key.subspan(prefix.size()));
    name.name = in.array<sizeof(Prf128)>();
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto child = content && in.done() ? decode_child(*content) : std::nullopt;
    if (!child) return damaged('C');
    name.generation = child->generation;
    return visit(name, child->id);
  });
}
Result<ReadableChildren> readable_children(ControlReader& reader, const RowSeal& seal,
                                           ScopeId parent) {
  ReadableChildren found;
  QUIETUS_TRY(
      reader.scan(row_key('C', parent), {}, [&](ByteView key, ByteView value) -> Result<bool> {
        const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
        const auto child = content ? decode_child(*content) : std::nullopt;
        if (child)
          found.ids.push_back(child->id);
        else
          ++found.damaged;
        return true;
      }));
  return found;
}
Result<std::vector<ScopeId>> children(ControlReader& reader, const RowSeal& seal, ScopeId parent) {
  std::vector<ScopeId> ids;
  QUIETUS_TRY(
      child_names(reader, seal, {parent, 0, {}}, [&](const ChildName&, ScopeId id) -> Result<bool> {
        ids.push_back(id);
        return true;
      }));
  return ids;
}

Result<void> put_derived(ControlWriter& writer, const RowSeal& seal, ScopeId source,
                         ScopeId derived) {
  return put_sealed(writer, seal, ByteWriter().u8('D').u64(source).u64(derived).view(), {});
}
Result<std::vector<ScopeId>> derived(ControlReader& reader, ScopeId source) {
  std::vector<ScopeId> ids;
  QUIETUS_TRY(reader.scan(row_key('D', source), {}, [&](ByteView key, ByteView) -> Result<bool> {
    const auto id = decode_id(key.subspan(1 + kIdSize));
    if (!id) return damaged('D');
    ids.push_back(*id);
    return true;
  }));
  return ids;
}

Result<std::optional<InfoRow>> info(ControlReader& reader, const RowSeal& scope_seal,
                                    ScopeId scope) {
  return get_row(reader, scope_seal, row_key('I', scope), codec::decode_info_row);
}
Result<void> put_info(ControlWriter& writer, const RowSeal& scope_seal, ScopeId scope,
                      const InfoRow& row) {
  return put_sealed(writer, scope_seal, row_key('I', scope), codec::encode(row));
}
Result<void> remove_info(ControlWriter& writer, ScopeId scope) {
  return writer.remove(row_key('I', scope));
}

Result<std::optional<Tombstone>> tombstone(ControlReader& reader, const RowSeal& seal,
                                           ScopeId scope) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('T', scope), codec::decode_tombstone));
  if (row) return row;
  return burial_in_batch(reader, seal, scope);
}
Result<void> put_tombstone(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                           const Tombstone& row) {
  return put_sealed(writer, seal, row_key('T', scope), codec::encode(row));
}

Result<void> put_reason_text(ControlWriter& writer, const RowSeal& parent_seal, ScopeId scope,
                             std::string_view text) {
  return put_sealed(writer, parent_seal, row_key('Z', scope), as_bytes(text));
}
Result<void> remove_reason_text(ControlWriter& writer, ScopeId scope) {
  return writer.remove(row_key('Z', scope));
}

Result<std::optional<Intent>> intent(ControlReader& reader, const RowSeal& seal,
                                     const ErasureId& id) {
  QUIETUS_TRY_AS(auto row, get_row(reader, seal, row_key('J', id), codec::decode_intent));
  if (row) row->id = id;
  return row;
}
Result<std::vector<Intent>> intents(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'J'}, codec::decode_intent));
  std::vector<Intent> all;
  for (auto& [key, row] : found) {
    if (key.size() != row.id.size()) return damaged('J');
    std::copy(key.begin(), key.end(), row.id.begin());
    all.push_back(std::move(row));
  }
  return all;
}
Result<void> put_intent(ControlWriter& writer, const RowSeal& seal, const Intent& intent) {
  return put_sealed(writer, seal, row_key('J', intent.id), codec::encode(intent));
}
Result<void> remove_intent(ControlWriter& writer, const ErasureId& id) {
  return writer.remove(row_key('J', id));
}

Result<std::vector<std::pair<CertificateId, CertificateRow>>> certificates(ControlReader& reader,
                                                                           const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'X'}, codec::decode_certificate_row));
  std::vector<std::pair<CertificateId, CertificateRow>> all;
  for (auto& [key, row] : found) {
    CertificateId id{};
    if (key.size() != id.size()) return damaged('X');
    std::copy(key.begin(), key.end(), id.begin());
    all.emplace_back(id, row);
  }
  return all;
}
Result<std::optional<CertificateRow>> certificate_row(ControlReader& reader, const RowSeal& seal,
                                                      const CertificateId& id) {
  return get_row(reader, seal, row_key('X', id), codec::decode_certificate_row);
}
Result<std::optional<CertificateId>> certificate_of(ControlReader& reader, const RowSeal& seal,
                                                    const ErasureId& erasure) {
  std::optional<CertificateId> found;
  QUIETUS_TRY(reader.scan(Bytes{'X'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    const auto row = content ? codec::decode_certificate_row(*content) : std::nullopt;
    if (!row || row->erasure != erasure || row->superseded_by != CertificateId{} ||
        key.size() != 1 + std::tuple_size_v<CertificateId>)
      return true;
    std::copy(key.begin() + 1, key.end(), found.emplace().begin());
    return false;
  }));
  return found;
}
Result<std::optional<std::string>> certificate(ControlReader& reader, const RowSeal& seal,
                                               const CertificateId& id) {
  QUIETUS_TRY_AS(const auto row, certificate_row(reader, seal, id));
  if (!row) return std::optional<std::string>();
  std::string document;
  for (std::uint16_t piece = 0; piece < row->pieces; ++piece) {
    QUIETUS_TRY_AS(const auto part, get_sealed(reader, seal, piece_key(id, piece)));
    if (!part) return damaged('Y');
    document += as_text(*part);
  }
  return std::optional(std::move(document));
}
Result<CertificateId> standing_certificate(ControlReader& reader, const RowSeal& seal,
                                           const CertificateId& id) {
  CertificateId standing = id;
  for (int links = 0; links < kMaxSuperseding; ++links) {
    QUIETUS_TRY_AS(const auto row, certificate_row(reader, seal, standing));
    if (!row || row->superseded_by == CertificateId{}) return standing;
    standing = row->superseded_by;
  }
  return damaged('X');
}
Result<void> supersede_certificate(ControlWriter& writer, const RowSeal& seal,
                                   const CertificateId& id, const CertificateId& by) {
  QUIETUS_TRY_AS(auto row, certificate_row(writer, seal, id));
  if (!row) return damaged('X');
  row->superseded_by = by;
  return put_sealed(writer, seal, row_key('X', id), codec::encode(*row));
}
Result<void> put_certificate(ControlWriter& writer, const RowSeal& seal, const CertificateId& id,
                             CertificateRow row, std::string_view document) {
  row.pieces = static_cast<std::uint16_t>((document.size() + kPieceSize - 1) / kPieceSize);
  for (std::uint16_t piece = 0; piece < row.pieces; ++piece) {
    const std::string_view part = document.substr(piece * kPieceSize, kPieceSize);
    QUIETUS_TRY(put_sealed(writer, seal, piece_key(id, piece), as_bytes(part)));
  }
  return put_sealed(writer, seal, row_key('X', id), codec::encode(row));
}

Result<void> put_export(ControlWriter& writer, const RowSeal& seal, std::uint64_t log_index,
                        const ExportRow& row) {
  const Bytes key = ByteWriter().u8('P').u64(row.scope).u64(log_index).take();
  return put_sealed(writer, seal, key, codec::encode(row));
}
Result<void> all_exports(ControlReader& reader, const RowSeal& seal,
                         FunctionRef<void(const ExportRow&)> visit, FunctionRef<void()> damaged) {
  // Rows are collected first: visiting one may read others in the same transaction.
  std::vector<ExportRow> all;
  QUIETUS_TRY(reader.scan(Bytes{'P'}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
    const auto content = open_row(seal.context, seal.key, seal.vault, key, value);
    auto row = content ? codec::decode_export_row(*content) : std::nullopt;
    if (row) {
      row->scope = ByteReader(key.subspan(1)).u64();
      all.push_back(*row);
    } else {
      damaged();
    }
    return true;
  }));
  for (const ExportRow& row : all) visit(row);
  return {};
}

Result<SigningKey> signing_key(ControlReader& reader, const RowSeal& seal, std::string_view name) {
  const Bytes key = row_key('V', as_bytes(name));
  QUIETUS_TRY_AS(const auto stored, reader.get(key));
  if (!stored || stored->size() != kWrappedKeySize) return damaged('V');
  return unwrap_key<SigningRole>(seal.context, seal.key, row_associated_data(seal.vault, key),
                                 *stored);
}
Result<void> put_signing_key(ControlWriter& writer, const RowSeal& seal, std::string_view name,
                             const SigningKey& key) {
  const Bytes row = row_key('V', as_bytes(name));
  return writer.put(row,
                    wrap_key(seal.context, seal.key, row_associated_data(seal.vault, row), key));
}

}  // namespace rows
}  // namespace quietus
