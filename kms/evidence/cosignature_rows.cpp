#include "evidence/cosignature_rows.hpp"

#include <algorithm>
#include <optional>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/row_seal.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxField = 1024;  // bytes of a name or signature

Bytes row_key(std::uint64_t size) {
  return ByteWriter().u8('W').u64(size).take();
}

Bytes encode(const std::vector<NoteSignature>& cosignatures) {
  ByteWriter row;
  row.u8(kVersion).u32(static_cast<std::uint32_t>(cosignatures.size()));
  for (const NoteSignature& cosignature : cosignatures)
    row.text(cosignature.name).raw(cosignature.key_id).field(cosignature.signature);
  return row.take();
}

std::optional<std::vector<NoteSignature>> decode(ByteView content) {
  ByteReader row(content);
  const std::uint8_t version = row.u8();
  const std::uint32_t count = row.u32();
  if (version != kVersion || count > kMaxCosignatures) return std::nullopt;
  std::vector<NoteSignature> found(count);
  for (NoteSignature& cosignature : found) {
    cosignature.name = row.text(kMaxField);
    cosignature.key_id = row.array<sizeof(NoteKeyId)>();
    const ByteView signature = row.field(kMaxField);
    cosignature.signature.assign(signature.begin(), signature.end());
  }
  if (!row.done()) return std::nullopt;
  return found;
}

}  // namespace

Result<std::vector<NoteSignature>> stored_cosignatures(ControlReader& reader, const LogSeal& seal,
                                                       std::uint64_t size) {
  const Bytes key = row_key(size);
  QUIETUS_TRY_AS(const std::optional<ByteView> row, reader.get(key));
  if (!row) return std::vector<NoteSignature>();
  const Result<Bytes> content = open_row(seal.context, seal.key, seal.vault, key, *row);
  auto found = content ? decode(*content) : std::nullopt;
  if (!found)
    return Error(ErrorCode::kCorrupt,
                 "cosignatures of log size " + std::to_string(size) + " are damaged");
  return std::move(*found);
}

Result<void> store_cosignatures(ControlWriter& writer, const LogSeal& seal, std::uint64_t size,
                                const std::vector<NoteSignature>& cosignatures) {
  QUIETUS_TRY_AS(std::vector<NoteSignature> all, stored_cosignatures(writer, seal, size));
  for (const NoteSignature& added : cosignatures) {
    if (added.name.size() > kMaxField || added.signature.size() > kMaxField)
      return Error(ErrorCode::kInvalidArgument, "cosignature is too large to be kept");
    std::erase_if(all, [&](const NoteSignature& stored) {
      return stored.name == added.name && stored.key_id == added.key_id;
    });
    all.push_back(added);
  }
  if (all.size() > kMaxCosignatures)
    return Error(ErrorCode::kFull, "no more than 32 cosignatures of one checkpoint are kept");
  const Bytes key = row_key(size);
  return writer.put(key, seal_row(seal.context, seal.key, seal.vault, key, encode(all)));
}

}  // namespace quietus
