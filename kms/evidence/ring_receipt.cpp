#include "evidence/ring_receipt.hpp"

#include <set>
#include <span>
#include <tuple>

#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::string_view kReceiptFamily = "quietus-ring-receipt/v";
constexpr std::string_view kDestroyedWord = "destroyed ";
constexpr std::string_view kOpenedWord = "opened ";
constexpr std::size_t kDestroyedWords = 4;  // after the first

std::optional<DestroyedEpoch> parse_destroyed(std::string_view line) {
  const auto words = ring_text::words_of<kDestroyedWords>(line, kDestroyedWord);
  if (!words) return std::nullopt;
  const auto epoch = ring_text::hex_of<EpochId>((*words)[0]);
  const auto time = parse_utc((*words)[1]);
  const auto erasure = ring_text::hex_of<ErasureId>((*words)[2]);
  const bool complete = (*words)[3] == "complete";
  if (!epoch || !time || !erasure || (!complete && (*words)[3] != "partial")) return std::nullopt;
  return DestroyedEpoch{*epoch, *time, *erasure, complete};
}

std::optional<OpenedEpoch> parse_opened(std::string_view line) {
  const auto words = ring_text::words_of<4>(line, kOpenedWord);
  if (!words) return std::nullopt;
  const auto epoch = ring_text::hex_of<EpochId>((*words)[0]);
  const auto vault = ring_text::hex_of<VaultId>((*words)[1]);
  const auto instance = ring_text::hex_of<InstanceId>((*words)[2]);
  const auto time = parse_utc((*words)[3]);
  if (!epoch || !vault || !instance || !time) return std::nullopt;
  return OpenedEpoch{*epoch, *vault, *instance, *time};
}

std::string encode_opened(const OpenedEpoch& opened) {
  std::string line(kOpenedWord);
  return line.append(to_hex(opened.epoch))
      .append(" ")
      .append(to_hex(opened.vault))
      .append(" ")
      .append(to_hex(opened.instance))
      .append(" ")
      .append(format_utc(opened.opened))
      .append("\n");
}

std::string encode_destroyed(const DestroyedEpoch& epoch) {
  std::string line(kDestroyedWord);
  return line.append(to_hex(epoch.epoch))
      .append(" ")
      .append(format_utc(epoch.destroyed))
      .append(" ")
      .append(to_hex(epoch.erasure))
      .append(epoch.complete ? " complete\n" : " partial\n");
}

Result<void> check_destroyed(const RingReceipt& receipt) {
  std::set<EpochId> ids;
  const DestroyedEpoch* before = nullptr;
  for (const DestroyedEpoch& epoch : receipt.destroyed) {
    if (before != nullptr && !comes_before(*before, epoch))
      return unverified("receipt: its lines are not in order");
    if (epoch.destroyed > receipt.issued)
      return unverified("receipt: an epoch was destroyed after it was issued");
    if (!ids.insert(epoch.epoch).second) return unverified("receipt: an epoch stands there twice");
    before = &epoch;
  }
  return {};
}

Result<void> check_opened(const RingReceipt& receipt) {
  std::set<InstanceId> instances;
  const OpenedEpoch* before = nullptr;
  for (const OpenedEpoch& opened : receipt.opened) {
    if (before != nullptr && !comes_before(*before, opened))
      return unverified("receipt: its lines are not in order");
    if (opened.opened > receipt.issued)
      return unverified("receipt: an epoch was opened after it was issued");
    if (!instances.insert(opened.instance).second)
      return unverified("receipt: an instance stands there twice");
    before = &opened;
  }
  return {};
}

}  // namespace

bool comes_before(const DestroyedEpoch& a, const DestroyedEpoch& b) noexcept {
  return std::tie(a.destroyed, a.epoch) < std::tie(b.destroyed, b.epoch);
}

bool comes_before(const OpenedEpoch& a, const OpenedEpoch& b) noexcept {
  return std::tie(a.opened, a.instance) < std::tie(b.opened, b.instance);
}

std::string encode_receipt(const RingReceipt& receipt) {
  std::string text(kReceiptFamily);
  text.append("1\nsite ")
      .append(to_hex(receipt.site))
      .append("\nring ")
      .append(to_hex(receipt.ring))
      .append("\nissued ")
      .append(format_utc(receipt.issued))
      .append("\n");
  for (const DestroyedEpoch& epoch : receipt.destroyed) text.append(encode_destroyed(epoch));
  for (const OpenedEpoch& opened : receipt.opened) text.append(encode_opened(opened));
  return text;
}

Result<RingReceipt> parse_receipt(std::string_view text) {
  if (text.size() > kMaxRingNote) return unverified("receipt: too long");
  LineReader lines(text);
  QUIETUS_TRY(ring_text::check_first_line(lines.next(), kReceiptFamily, "receipt"));
  const auto site = ring_text::hex_of<VaultId>(ring_text::value_of(lines, "site "));
  const auto ring = ring_text::hex_of<RingId>(ring_text::value_of(lines, "ring "));
  const auto issued = parse_utc(ring_text::value_of(lines, "issued "));
  if (!site || !ring || !issued) return unverified("receipt: malformed head");

  RingReceipt receipt{*site, *ring, *issued, {}, {}};
  while (const auto line = lines.next()) {
    if (receipt.opened.size() == kMaxRingEpochs) return unverified("receipt: too many epochs");
    if (const auto opened = parse_opened(*line)) {
      receipt.opened.push_back(*opened);
      continue;
    }
    const auto epoch = parse_destroyed(*line);
    if (!epoch) return unverified("receipt: malformed line");
    if (receipt.destroyed.size() == kMaxRingEpochs) return unverified("receipt: too many epochs");
    receipt.destroyed.push_back(*epoch);
  }
  QUIETUS_TRY(check_destroyed(receipt));
  QUIETUS_TRY(check_opened(receipt));
  // Writing it again finds every form that is not the one form.
  if (encode_receipt(receipt) != text)
    return unverified("receipt: not in the one form of its content");
  return receipt;
}

Result<std::string> sign_receipt(const RingReceipt& receipt, std::string_view key_name,
                                 const SigningKey& key) {
  const std::string text = encode_receipt(receipt);
  const Result<RingReceipt> read = parse_receipt(text);
  if (!read) return Error(ErrorCode::kInvalidArgument, read.error().context());
  if (*read != receipt)
    return Error(ErrorCode::kInvalidArgument, "receipt: a time is not whole seconds");
  return sign_note(text, key_name, key);
}

Result<RingReceipt> open_receipt(std::string_view note, const NoteKey& site_key) {
  if (note.size() > kMaxRingNote) return unverified("receipt: too long");
  QUIETUS_TRY_AS(const std::string text, open_note(note, std::span(&site_key, 1)));
  return parse_receipt(text);
}

}  // namespace quietus
