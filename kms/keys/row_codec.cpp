#include "keys/row_codec.hpp"

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace quietus::codec {
namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxRowReason = 64;
constexpr std::size_t kMaxKeys = 4096;
constexpr std::size_t kMaxTargets = 1024;
constexpr std::size_t kMaxSlots = 16;  // of one root row

std::int64_t time_of(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
std::uint64_t from_time(UnixMillis value) {
  return static_cast<std::uint64_t>(value);
}

// Reads a count and then so many items; fails the reader when there are more than `limit`.
template <class ReadItem>
auto list_of(ByteReader& in, std::size_t limit, ReadItem read) {
  std::vector<decltype(read())> items;
  const std::size_t count = in.u32();
  if (count > limit) in.fail();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) items.push_back(read());
  return items;
}

void put_key(ByteWriter& out, const KeyRecord& key) {
  out.u64(key.id).u8(key.line == KeyLine::kData ? 0 : 1).u32(key.generation);
  out.u8(static_cast<std::uint8_t>(key.state)).u64(from_time(key.created));
  out.u64(from_time(key.changed)).u64(key.leaf).u32(key.parent_generation);
  out.u8(static_cast<std::uint8_t>(key.source_generations.size()));
  for (const std::uint32_t generation : key.source_generations) out.u32(generation);
  out.u64(key.log_index).raw(key.commitment).field(key.wrapped);
}

KeyState state_from(ByteReader& in) {
  const std::uint8_t value = in.u8();
  if (value < static_cast<std::uint8_t>(kAllKeyStates.front()) ||
      value > static_cast<std::uint8_t>(kAllKeyStates.back()))
    in.fail();
  return static_cast<KeyState>(value);
}

KeyRecord get_key(ByteReader& in) {
  KeyRecord key;
  key.id = in.u64();
  const std::uint8_t line = in.u8();
  if (line > 1) in.fail();
  key.line = line == 0 ? KeyLine::kData : KeyLine::kLasting;
  key.generation = in.u32();
  key.state = state_from(in);
  key.created = time_of(in.u64());
  key.changed = time_of(in.u64());
  key.leaf = in.u64();
  key.parent_generation = in.u32();
  const std::size_t sources = in.u8();
  if (sources > kMaxSources) in.fail();
  for (std::size_t i = 0; i < sources && !in.failed(); ++i)
    key.source_generations.push_back(in.u32());
  key.log_index = in.u64();
  key.commitment = in.array<32>();
  const ByteView wrapped = in.field(kWrappedKeySize);
  key.wrapped.assign(wrapped.begin(), wrapped.end());
  return key;
}

void put_slot(ByteWriter& out, const SlotName& slot) {
  out.u64(slot.generation).raw(slot.id);
}
SlotName get_slot(ByteReader& in) {
  SlotName slot;
  slot.generation = in.u64();
  slot.id = in.array<16>();
  return slot;
}

void put_destruction(ByteWriter& out, const SlotDestruction& slot) {
  put_slot(out, slot.slot);
  out.u32(slot.mirrors).u8(slot.overwritten ? 1 : 0).u8(slot.read_back ? 1 : 0);
  out.u8(slot.gone ? 1 : 0);
}
SlotDestruction get_destruction(ByteReader& in) {
  SlotDestruction slot;
  slot.slot = get_slot(in);
  slot.mirrors = in.u32();
  slot.overwritten = in.flag();
  slot.read_back = in.flag();
  slot.gone = in.flag();
  return slot;
}

bool begins(ByteReader& in) {
  return in.u8() == kRowVersion;
}

}  // namespace

Bytes encode(const KeyRow& row) {
  ByteWriter out;
  out.u8(kRowVersion).u64(row.parent).u8(static_cast<std::uint8_t>(row.state));
  out.u64(from_time(row.changed)).text(row.reason);
  out.u32(static_cast<std::uint32_t>(row.sources.size()));
  for (const ScopeId source : row.sources) out.u64(source);
  out.u32(static_cast<std::uint32_t>(row.keys.size()));
  for (const KeyRecord& key : row.keys) put_key(out, key);
  return out.take();
}

std::optional<KeyRow> decode_key_row(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  KeyRow row;
  row.parent = in.u64();
  row.state = state_from(in);
  row.changed = time_of(in.u64());
  row.reason = in.text(kMaxRowReason);
  row.sources = list_of(in, kMaxSources, [&] { return in.u64(); });
  row.keys = list_of(in, kMaxKeys, [&] { return get_key(in); });
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const InfoRow& row) {
  ByteWriter out;
  return out.u8(kRowVersion).text(row.name).text(row.data_class).u64(from_time(row.created)).take();
}

std::optional<InfoRow> decode_info_row(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  InfoRow row;
  row.name = in.text(kMaxName);
  row.data_class = in.text(kMaxName);
  row.created = time_of(in.u64());
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const Tombstone& row) {
  ByteWriter out;
  return out.u8(kRowVersion).raw(row.erasure).u64(from_time(row.erased)).text(row.reason).take();
}

std::optional<Tombstone> decode_tombstone(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  Tombstone row;
  row.erasure = in.array<16>();
  row.erased = time_of(in.u64());
  row.reason = in.text(kMaxRowReason);
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const Intent& row) {
  ByteWriter out;
  out.u8(kRowVersion).u8(static_cast<std::uint8_t>(row.kind));
  out.u8(static_cast<std::uint8_t>(row.state)).u64(from_time(row.begun));
  out.u64(from_time(row.committed)).text(row.reason);
  out.u32(static_cast<std::uint32_t>(row.targets.size()));
  for (const IntentTarget& target : row.targets) {
    out.u64(target.scope).u8(target.level).u8(target.subject ? 1 : 0);
    if (target.subject) out.raw(*target.subject);
    out.u32(static_cast<std::uint32_t>(target.keys.size()));
    for (const KeyId key : target.keys) out.u64(key);
  }
  out.u8(row.guarded ? 1 : 0).u8(row.governed ? 1 : 0).u8(row.batch ? 1 : 0);
  if (row.batch) out.u64(row.batch->scopes).u64(row.batch->keys).raw(row.batch->statements);
  out.u64(row.unreadable.scopes_below).u64(row.unreadable.keys_below);
  out.u64(row.unreadable.records).u64(row.unreadable.bytes).u8(row.unreadable.counted ? 1 : 0);
  put_slot(out, row.slot);
  out.u64(row.generation_before).u32(static_cast<std::uint32_t>(row.old_slots.size()));
  for (const SlotName& slot : row.old_slots) put_slot(out, slot);
  out.u64(row.log_index).u32(static_cast<std::uint32_t>(row.destroyed.size()));
  for (const SlotDestruction& slot : row.destroyed) put_destruction(out, slot);
  return out.take();
}

std::optional<Intent> decode_intent(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  Intent row;
  const std::uint8_t kind = in.u8();
  const std::uint8_t state = in.u8();
  if (kind < 1 || kind > 4 || state < 1 || state > 3) return std::nullopt;
  row.kind = static_cast<ChangeKind>(kind);
  row.state = static_cast<IntentState>(state);
  row.begun = time_of(in.u64());
  row.committed = time_of(in.u64());
  row.reason = in.text(kMaxRowReason);
  row.targets = list_of(in, kMaxTargets, [&] {
    IntentTarget target;
    target.scope = in.u64();
    target.level = in.u8();
    if (in.flag()) target.subject = in.array<32>();
    target.keys = list_of(in, kMaxKeys, [&] { return in.u64(); });
    return target;
  });
  row.guarded = in.flag();
  row.governed = in.flag();
  if (in.flag()) row.batch = BatchHead{in.u64(), in.u64(), in.array<32>()};
  row.unreadable = {in.u64(), in.u64(), in.u64(), in.u64(), in.flag()};
  row.slot = get_slot(in);
  row.generation_before = in.u64();
  row.old_slots = list_of(in, kMaxSlots, [&] { return get_slot(in); });
  row.log_index = in.u64();
  row.destroyed = list_of(in, kMaxDestroyedSlots, [&] { return get_destruction(in); });
  return in.done() ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const CertificateRow& row) {
  ByteWriter out;
  out.u8(kRowVersion).raw(row.erasure).u64(from_time(row.issued));
  out.u8(static_cast<std::uint8_t>(row.status));
  return out.u16(row.pieces).raw(row.superseded_by).take();
}

std::optional<CertificateRow> decode_certificate_row(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  CertificateRow row;
  row.erasure = in.array<16>();
  row.issued = time_of(in.u64());
  const std::uint8_t status = in.u8();
  if (status > static_cast<std::uint8_t>(CertificateStatus::kPendingSnapshots)) in.fail();
  row.status = static_cast<CertificateStatus>(status);
  row.pieces = in.u16();
  row.superseded_by = in.array<16>();
  return in.done() ? std::optional(row) : std::nullopt;
}

Bytes encode(const ExportRow& row) {
  ByteWriter out;
  return out.u8(kRowVersion).u64(from_time(row.time)).u64(row.records).u64(row.bytes).take();
}

std::optional<ExportRow> decode_export_row(ByteView content) {
  ByteReader in(content);
  if (!begins(in)) return std::nullopt;
  ExportRow row;
  row.time = time_of(in.u64());
  row.records = in.u64();
  row.bytes = in.u64();
  return in.done() ? std::optional(row) : std::nullopt;
}

}  // namespace quietus::codec
