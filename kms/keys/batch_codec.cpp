// The content of the rows of batches, as bytes.
#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "keys/row_codec.hpp"

namespace quietus::codec {
namespace {

constexpr std::uint8_t kBatchVersion = 1;
constexpr std::size_t kMaxKeysOfScope = 4096;
constexpr std::size_t kMaxIntent = std::size_t{64} * 1024;
constexpr std::size_t kMaxAssurance = 1024;
constexpr std::size_t kMaxBatchReason = 64;

ClaimedKey key_from(ByteReader& in) {
  ClaimedKey key;
  key.id = in.u64();
  const std::uint8_t line = in.u8();
  if (line > 1) in.fail();
  key.line = line == 0 ? KeyLine::kData : KeyLine::kLasting;
  key.generation = in.u32();
  key.commitment = in.array<32>();
  return key;
}

}  // namespace

Bytes encode(const BatchRow& row) {
  ByteWriter out;
  out.u8(kBatchVersion).u8(static_cast<std::uint8_t>(row.state)).field(encode(row.intent));
  out.u32(row.holders.acknowledged).u32(row.holders.ended).u64(row.destroyed_index);
  out.u64(static_cast<std::uint64_t>(row.destroyed_time)).text(row.assurance.text);
  return out.u8(row.assurance.known ? 1 : 0).u64(row.next_to_clean).take();
}

std::optional<BatchRow> decode_batch_row(ByteView content) {
  ByteReader in(content);
  BatchRow row;
  const std::uint8_t version = in.u8();
  const std::uint8_t state = in.u8();
  row.state = static_cast<BatchState>(state);
  auto intent = decode_intent(in.field(kMaxIntent));
  row.holders.acknowledged = in.u32();
  row.holders.ended = in.u32();
  row.destroyed_index = in.u64();
  row.destroyed_time = static_cast<UnixMillis>(in.u64());
  row.assurance.text = in.text(kMaxAssurance);
  row.assurance.known = in.flag();
  row.next_to_clean = in.u64();
  const bool known = version == kBatchVersion && state >= 1 && state <= 3;
  if (!in.done() || !known || !intent || !intent->batch) return std::nullopt;
  row.intent = std::move(*intent);
  return row;
}

Bytes encode(const BatchStatement& row) {
  ByteWriter out;
  out.u8(kBatchVersion).raw(row.id).u8(static_cast<std::uint8_t>(row.target.level));
  out.u8(row.target.subject ? 1 : 0);
  if (row.target.subject) out.raw(*row.target.subject);
  out.u32(static_cast<std::uint32_t>(row.target.keys.size()));
  for (std::size_t i = 0; i < row.target.keys.size(); ++i) {
    const ClaimedKey& key = row.target.keys[i];
    out.u64(key.id).u8(key.line == KeyLine::kData ? 0 : 1);
    out.u32(static_cast<std::uint32_t>(key.generation)).raw(key.commitment);
    out.u64(row.log_indices[i]).u64(row.leaves[i]);
  }
  out.u64(row.unreadable.scopes_below).u64(row.unreadable.keys_below);
  out.u64(row.unreadable.records).u64(row.unreadable.bytes).u8(row.unreadable.counted ? 1 : 0);
  return out.text(row.reason).take();
}

std::optional<BatchStatement> decode_batch_statement(ByteView content) {
  ByteReader in(content);
  if (in.u8() != kBatchVersion) return std::nullopt;
  BatchStatement row;
  row.id = in.array<16>();
  row.target.level = in.u8();
  if (in.flag()) row.target.subject = in.array<32>();
  const std::size_t keys = in.u32();
  if (keys > kMaxKeysOfScope) in.fail();
  for (std::size_t i = 0; i < keys && !in.failed(); ++i) {
    row.target.keys.push_back(key_from(in));
    row.log_indices.push_back(in.u64());
    row.leaves.push_back(in.u64());
  }
  row.unreadable.scopes_below = in.u64();
  row.unreadable.keys_below = in.u64();
  row.unreadable.records = in.u64();
  row.unreadable.bytes = in.u64();
  row.unreadable.counted = in.flag();
  row.reason = in.text(kMaxBatchReason);
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const BatchBlock& row) {
  return ByteWriter().u8(kBatchVersion).u64(row.first).raw(row.hash).take();
}

std::optional<BatchBlock> decode_batch_block(ByteView content) {
  ByteReader in(content);
  if (in.u8() != kBatchVersion) return std::nullopt;
  const ScopeId first = in.u64();
  const Hash hash = in.array<sizeof(Hash)>();
  return in.done() ? std::optional(BatchBlock{first, hash}) : std::nullopt;
}

}  // namespace quietus::codec
