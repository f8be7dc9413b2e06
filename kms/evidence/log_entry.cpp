#include "evidence/log_entry.hpp"

#include <algorithm>
#include <optional>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/random.hpp"
#include "evidence/entry_builder.hpp"

namespace quietus {
namespace {

std::optional<std::vector<std::string>> text_list(const Json& json) {
  std::vector<std::string> texts;
  for (const Json& item : json) {
    if (!item.is_string()) return std::nullopt;
    texts.push_back(item.get_ref<const std::string&>());
  }
  return texts;
}

// Entries begin with these three, in this order.
bool begins_as_entry(const Json& json) {
  static constexpr std::array<std::string_view, 3> kFirst = {"entry", "kind", "time"};
  if (!json.is_object() || json.size() < kFirst.size()) return false;
  auto member = json.begin();
  return std::all_of(kFirst.begin(), kFirst.end(),
                     [&](std::string_view name) { return (member++).key() == name; });
}

}  // namespace

std::string_view name_of(KeyLine line) noexcept {
  return line == KeyLine::kData ? "data" : "lasting";
}

EntryHead new_entry(UnixMillis now) {
  EntryHead head;
  random_bytes(head.id);
  head.time = now;
  return head;
}

std::string entry_text(const EntryHead& head, const VaultCreated& entry) {
  return EntryBuilder(head, entry_kinds::kVaultCreated).bytes("vault", entry.vault).text();
}

std::string entry_text(const EntryHead& head, const KeyCreated& entry) {
  return EntryBuilder(head, entry_kinds::kKeyCreated)
      .id("scope", entry.scope)
      .id("key", entry.key)
      .code("line", entry.line == KeyLine::kData ? Code("data") : Code("lasting"))
      .number("generation", entry.generation)
      .bytes("commitment", entry.commitment)
      .text();
}

std::string entry_text(const EntryHead& head, const KeysUnreachable& entry) {
  return EntryBuilder(head, entry_kinds::kKeysUnreachable)
      .bytes("erasure", entry.erasure)
      .number("generation_before", entry.generation_before)
      .number("generation_after", entry.generation_after)
      .list("keys", entry.keys, hex_id)
      .text();
}

std::string entry_text(const EntryHead& head, const BatchUnreachable& entry) {
  return EntryBuilder(head, entry_kinds::kBatchUnreachable)
      .bytes("erasure", entry.erasure)
      .number("generation_before", entry.generation_before)
      .number("generation_after", entry.generation_after)
      .number("scopes", entry.scopes)
      .bytes("statements", entry.statements)
      .text();
}

std::string entry_text(const EntryHead& head, const SlotDestroyed& entry) {
  return EntryBuilder(head, entry_kinds::kSlotDestroyed)
      .bytes("erasure", entry.erasure)
      .list("slots", entry.slots, [](const SlotId& slot) { return to_hex(slot); })
      .code("method", entry.method)
      .number("acknowledged", entry.acknowledged)
      .number("ended", entry.ended)
      .text();
}

std::string entry_text(const EntryHead& head, const ErasureAborted& entry) {
  return EntryBuilder(head, entry_kinds::kErasureAborted)
      .bytes("erasure", entry.erasure)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const UnlockChanged& entry) {
  return EntryBuilder(head, entry_kinds::kUnlockChanged)
      .number("generation_before", entry.generation_before)
      .number("generation_after", entry.generation_after)
      .text();
}

std::string entry_text(const EntryHead& head, const CertificateIssued& entry) {
  return EntryBuilder(head, entry_kinds::kCertificateIssued)
      .bytes("certificate", entry.certificate)
      .bytes("payload_sha256", entry.payload)
      .text();
}

std::string entry_text(const EntryHead& head, const AnchorRewritten& entry) {
  return EntryBuilder(head, entry_kinds::kAnchorRewritten)
      .number("generation", entry.generation)
      .text();
}

std::string entry_text(const EntryHead& head, const ExportMade& entry) {
  return EntryBuilder(head, entry_kinds::kExportMade)
      .id("scope", entry.scope)
      .number("records", entry.records)
      .number("bytes", entry.bytes)
      .text();
}

std::string entry_text(const EntryHead& head, const StateChanged& entry) {
  return EntryBuilder(head, entry_kinds::kStateChanged)
      .id("scope", entry.scope)
      .code("from", entry.from)
      .code("to", entry.to)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const RestrictedUseMade& entry) {
  return EntryBuilder(head, entry_kinds::kRestrictedUseMade)
      .id("scope", entry.scope)
      .code("use", entry.use)
      .text();
}

std::string entry_text(const EntryHead& head, const HoldPlaced& entry) {
  return EntryBuilder(head, entry_kinds::kHoldPlaced)
      .id("scope", entry.scope)
      .bytes("hold", entry.hold)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const HoldReleased& entry) {
  return EntryBuilder(head, entry_kinds::kHoldReleased)
      .id("scope", entry.scope)
      .bytes("hold", entry.hold)
      .text();
}

std::string entry_text(const EntryHead& head, const RotationBegun& entry) {
  return EntryBuilder(head, entry_kinds::kRotationBegun)
      .id("scope", entry.scope)
      .number("generation", entry.generation)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const RotationDone& entry) {
  return EntryBuilder(head, entry_kinds::kRotationDone)
      .id("scope", entry.scope)
      .number("generation", entry.generation)
      .text();
}

std::string entry_text(const EntryHead& head, const RecordsGivenUp& entry) {
  return EntryBuilder(head, entry_kinds::kRecordsGivenUp)
      .id("scope", entry.scope)
      .number("generation", entry.generation)
      .number("records", entry.records)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const PolicyApplied& entry) {
  return EntryBuilder(head, entry_kinds::kPolicyApplied)
      .number("version", entry.version)
      .time("effective", entry.effective)
      .bytes("text_sha256", entry.text)
      .text();
}

std::string entry_text(const EntryHead& head, const ScheduleChanged& entry) {
  return EntryBuilder(head, entry_kinds::kScheduleChanged)
      .id("scope", entry.scope)
      .code("change", entry.change)
      .time("when", entry.when)
      .code("reason", entry.reason)
      .text();
}

std::string entry_text(const EntryHead& head, const ClockAccepted& entry) {
  return EntryBuilder(head, entry_kinds::kClockAccepted).time("before", entry.before).text();
}

std::string entry_text(const EntryHead& head, const AttemptRefused& entry) {
  return EntryBuilder(head, entry_kinds::kAttemptRefused)
      .id("scope", entry.scope)
      .code("attempt", entry.attempt)
      .code("reason", entry.reason)
      .text();
}

Result<LogEntry> LogEntry::parse(ByteView text) {
  QUIETUS_TRY_AS(const Json json, parse_strict_json(as_text(text)));
  if (!begins_as_entry(json)) return unverified("log entry does not begin with id, kind and time");
  if (canonical_text(json) != as_text(text))
    return unverified("log entry is not in canonical form");

  LogEntry entry;
  std::string fault;
  JsonFields fields(json, fault);
  entry.head_.id = fields.hex<sizeof(EntryId)>("entry");
  entry.head_.time = fields.time("time");
  entry.kind_ = fields.code("kind").text();
  if (!fault.empty()) return unverified("log entry has a malformed id, kind or time");

  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) {
      entry.members_.emplace(name, value.get_ref<const std::string&>());
    } else if (value.is_number_unsigned()) {
      entry.members_.emplace(name, value.get<std::uint64_t>());
    } else {
      auto texts = value.is_array() ? text_list(value) : std::nullopt;
      if (!texts) return unverified("log entry has a member of an unknown form");
      entry.members_.emplace(name, *std::move(texts));
    }
  }
  return entry;
}

template <class T>
const T* LogEntry::find(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : std::get_if<T>(&found->second);
}

const std::string* LogEntry::text(std::string_view name) const {
  return find<std::string>(name);
}
const std::uint64_t* LogEntry::number(std::string_view name) const {
  return find<std::uint64_t>(name);
}
const std::vector<std::string>* LogEntry::list(std::string_view name) const {
  return find<std::vector<std::string>>(name);
}

}  // namespace quietus
