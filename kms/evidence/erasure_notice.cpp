#include "evidence/erasure_notice.hpp"

#include <algorithm>

#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::string_view kNoticeFamily = "quietus-erasure-notice/v";
constexpr std::string_view kErasureWord = "erasure ";
constexpr std::string_view kKeyWord = "key ";
constexpr std::size_t kErasureWords = 3;  // after the first

Error malformed() {
  return unverified("erasure notice: malformed");
}

std::string key_line(KeyId key) {
  return std::string(kKeyWord).append(hex_id(key)).append("\n");
}

std::string head_text(const TreeHead& head) {
  return std::to_string(head.size) + " " + to_hex(head.root);
}

std::optional<TreeHead> parse_head(std::string_view line, std::string_view first) {
  const auto words = ring_text::words_of<2>(line, first);
  if (!words) return std::nullopt;
  const auto size = parse_decimal((*words)[0]);
  const auto root = ring_text::hex_of<Hash>((*words)[1]);
  return size && root ? std::optional(TreeHead{*size, *root}) : std::nullopt;
}

std::optional<KeyId> parse_key(std::string_view line) {
  if (!line.starts_with(kKeyWord)) return std::nullopt;
  return parse_hex_id(line.substr(kKeyWord.size()));
}

std::optional<NoticedErasure> parse_erasure(std::string_view line) {
  const auto words = ring_text::words_of<kErasureWords>(line, kErasureWord);
  if (!words) return std::nullopt;
  const auto index = parse_decimal((*words)[0]);
  const auto erasure = ring_text::hex_of<ErasureId>((*words)[1]);
  const auto time = parse_utc((*words)[2]);
  if (!index || !erasure || !time) return std::nullopt;
  return NoticedErasure{*index, *erasure, *time, {}};
}

Result<void> check_order(const ErasureNotice& notice) {
  std::uint64_t next = notice.from.size;
  for (const NoticedErasure& erasure : notice.erasures) {
    if (erasure.index < next || erasure.index >= notice.to.size)
      return unverified("erasure notice: an erasure is not where it says");
    next = erasure.index + 1;
    if (std::ranges::adjacent_find(erasure.keys, std::ranges::greater_equal()) !=
        erasure.keys.end())
      return unverified("erasure notice: its keys are not in order");
  }
  if (notice.from.size >= notice.to.size) return unverified("erasure notice: it tells nothing");
  return {};
}

Result<void> parse_erasures(LineReader& lines, ErasureNotice& notice) {
  while (const auto line = lines.next()) {
    if (auto erasure = parse_erasure(*line)) {
      notice.erasures.push_back(*std::move(erasure));
      continue;
    }
    const auto key = parse_key(*line);
    if (!key || notice.erasures.empty()) return malformed();
    notice.erasures.back().keys.push_back(*key);
  }
  return {};
}

}  // namespace

Result<std::optional<NoticedErasure>> erasure_in(const LogEntry& entry, std::uint64_t index) {
  const bool one = entry.kind() == entry_kinds::kKeysUnreachable;
  if (!one && entry.kind() != entry_kinds::kBatchUnreachable)
    return std::optional<NoticedErasure>();
  const auto unreadable = [] { return unverified("log: an erasure that cannot be read"); };
  const std::string* text = entry.text("erasure");
  const auto id = text == nullptr ? std::nullopt : ring_text::hex_of<ErasureId>(*text);
  const std::vector<std::string>* keys = entry.list("keys");
  if (!id || (one && keys == nullptr)) return unreadable();
  NoticedErasure erasure{index, *id, entry.head().time, {}};
  if (!one) return std::optional(std::move(erasure));
  for (const std::string& key : *keys) {
    const auto number = parse_hex_id(key);
    if (!number) return unreadable();
    erasure.keys.push_back(*number);
  }
  std::ranges::sort(erasure.keys);
  erasure.keys.erase(std::unique(erasure.keys.begin(), erasure.keys.end()), erasure.keys.end());
  return std::optional(std::move(erasure));
}

std::string encode_erasure_notice(const ErasureNotice& notice) {
  std::string text(kNoticeFamily);
  text.append("1\nvault ")
      .append(to_hex(notice.vault))
      .append("\nlog ")
      .append(notice.origin)
      .append("\nfrom ")
      .append(head_text(notice.from))
      .append("\nto ")
      .append(head_text(notice.to))
      .append("\n");
  for (const NoticedErasure& erasure : notice.erasures) {
    text.append(kErasureWord)
        .append(std::to_string(erasure.index))
        .append(" ")
        .append(to_hex(erasure.erasure))
        .append(" ")
        .append(format_utc(erasure.time))
        .append("\n");
    for (const KeyId key : erasure.keys) text.append(key_line(key));
  }
  return text;
}

Result<ErasureNotice> parse_erasure_notice(std::string_view text) {
  if (text.size() > kMaxErasureNotice) return unverified("erasure notice: too long");
  LineReader lines(text);
  QUIETUS_TRY(ring_text::check_first_line(lines.next(), kNoticeFamily, "erasure notice"));
  const auto vault = ring_text::hex_of<VaultId>(ring_text::value_of(lines, "vault "));
  ErasureNotice notice;
  notice.origin = ring_text::value_of(lines, "log ");
  const auto from = parse_head(lines.next().value_or(""), "from ");
  const auto to = parse_head(lines.next().value_or(""), "to ");
  if (!vault || notice.origin.empty() || !from || !to) return malformed();
  notice.vault = *vault;
  notice.from = *from;
  notice.to = *to;
  QUIETUS_TRY(parse_erasures(lines, notice));
  QUIETUS_TRY(check_order(notice));
  if (encode_erasure_notice(notice) != text)
    return unverified("erasure notice: not in the one form of its content");
  return notice;
}

Result<std::string> sign_erasure_notice(const ErasureNotice& notice, const SigningKey& key) {
  return sign_note(encode_erasure_notice(notice), notice.origin, key);
}

Result<ErasureNotice> open_erasure_notice(std::string_view note, std::span<const NoteKey> logs) {
  if (note.size() > kMaxErasureNotice) return unverified("erasure notice: too long");
  QUIETUS_TRY_AS(const SignedNote parsed, parse_note(note));
  QUIETUS_TRY_AS(ErasureNotice notice, parse_erasure_notice(parsed.text));
  std::vector<NoteKey> own;
  std::ranges::copy_if(logs, std::back_inserter(own),
                       [&](const NoteKey& log) { return log.name == notice.origin; });
  if (!open_note(note, own))
    return unverified("erasure notice: not signed by a log that is trusted");
  return notice;
}

}  // namespace quietus
