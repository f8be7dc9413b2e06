#include "keys/root_row.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "crypto/derive.hpp"

namespace quietus {
namespace {

constexpr std::string_view kRootRowKey = "R";
constexpr std::size_t kMacSize = 32;
constexpr std::size_t kMaxSlots = 16;
constexpr std::size_t kMaxProvider = 64;

void put_slot(ByteWriter& out, const SlotName& slot) {
  out.u64(slot.generation).raw(slot.id);
}

SlotName get_slot(ByteReader& in) {
  SlotName slot;
  slot.generation = in.u64();
  slot.id = in.array<16>();
  return slot;
}

bool get_flag(ByteReader& in) {
  const std::uint8_t value = in.u8();
  if (value > 1) in.fail();
  return value == 1;
}

Mac mac_of(ByteView body, const RootKey& key) {
  const RootRowKey row_key = derive(edges::kRootRow, key);
  return row_key.expose([&](ByteView bytes) { return hmac_sha256(bytes, body); });
}

Result<RootRow> decode_root(ByteView body) {
  ByteReader in(body);
  const std::uint16_t version = in.u16();
  if (!in.failed() && version > kFormatVersion)
    return Error(ErrorCode::kUnsupported, "control store: written by a newer version of quietus");
  RootRow row;
  row.vault = in.array<16>();
  row.instance = in.array<16>();
  row.state = get_flag(in) ? VaultState::kDestroying : VaultState::kLive;
  row.generation = in.u64();
  row.next_generation = in.u64();
  row.confirmed = get_flag(in);
  row.height = in.u8();
  row.next_leaf = in.u64();
  row.overlay = in.u64();
  row.batch = in.array<16>();
  const std::size_t attempts = in.u8();
  if (attempts > kMaxAttempts) in.fail();
  for (std::size_t i = 0; i < attempts && !in.failed(); ++i) {
    const auto change = in.array<16>();
    const SlotName slot = get_slot(in);
    row.attempts.push_back({change, slot, get_flag(in)});
  }
  const std::size_t slots = in.u8();
  if (slots > kMaxSlots) in.fail();
  for (std::size_t i = 0; i < slots && !in.failed(); ++i) row.slots.push_back(get_slot(in));
  row.provider = in.text(kMaxProvider);
  row.rights = in.array<sizeof(Sha256)>();
  if (!in.done() || version == 0) return Error(ErrorCode::kCorrupt, "root row: damaged");
  return row;
}

}  // namespace

bool RootRow::attempts_slot(const SlotName& slot) const noexcept {
  return std::any_of(attempts.begin(), attempts.end(),
                     [&](const RootAttempt& attempt) { return attempt.slot == slot; });
}

bool RootRow::attempts_change(const ErasureId& change, const SlotName& slot) const noexcept {
  return std::any_of(attempts.begin(), attempts.end(), [&](const RootAttempt& attempt) {
    return attempt.change == change && attempt.slot == slot;
  });
}

Result<void> RootRow::begin_attempt(const RootAttempt& attempt) {
  end_attempt(attempt.change);
  if (attempts.size() >= kMaxAttempts)
    return Error(ErrorCode::kBusy,
                 "too many root changes were begun and could not be finished; run `quietus erase "
                 "--resume` and mend what it names");
  attempts.push_back(attempt);
  return {};
}

void RootRow::end_attempt(const ErasureId& change) noexcept {
  std::erase_if(attempts, [&](const RootAttempt& attempt) { return attempt.change == change; });
}

Bytes RootRow::encode(const RootKey& key) const {
  ByteWriter out;
  out.u16(kFormatVersion).raw(vault).raw(instance).u8(static_cast<std::uint8_t>(state));
  out.u64(generation).u64(next_generation).u8(confirmed ? 1 : 0).u8(height).u64(next_leaf);
  out.u64(overlay).raw(batch);
  out.u8(static_cast<std::uint8_t>(attempts.size()));
  for (const RootAttempt& attempt : attempts) {
    out.raw(attempt.change);
    put_slot(out, attempt.slot);
    out.u8(attempt.staged ? 1 : 0);
  }
  out.u8(static_cast<std::uint8_t>(slots.size()));
  for (const SlotName& slot : slots) put_slot(out, slot);
  out.text(provider).raw(rights);
  const Mac mac = mac_of(out.view(), key);
  out.raw(mac);
  return out.take();
}

bool SealedRootRow::authentic(const RootKey& key) const {
  return equal_constant_time(mac_of(body, key), mac);
}

Result<SealedRootRow> read_root_row(ControlReader& reader) {
  QUIETUS_TRY_AS(const auto stored, reader.get(as_bytes(kRootRowKey)));
  if (!stored) return Error(ErrorCode::kCorrupt, "control store: the root row is missing");
  if (stored->size() < kMacSize) return Error(ErrorCode::kCorrupt, "root row: truncated");
  const ByteView body = stored->first(stored->size() - kMacSize);
  const ByteView mac = stored->last(kMacSize);
  QUIETUS_TRY_AS(RootRow row, decode_root(body));
  return SealedRootRow{std::move(row), {body.begin(), body.end()}, {mac.begin(), mac.end()}};
}

Result<void> write_root_row(ControlWriter& writer, const RootRow& row, const RootKey& key) {
  return writer.put(as_bytes(kRootRowKey), row.encode(key));
}

Result<void> rewrite_root_row(ControlWriter& writer, const SealedRootRow& row) {
  return writer.put(as_bytes(kRootRowKey), ByteWriter().raw(row.body).raw(row.mac).view());
}

}  // namespace quietus
