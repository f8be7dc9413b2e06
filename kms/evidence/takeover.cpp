#include "evidence/takeover.hpp"

#include <span>

#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::string_view kTakeoverFamily = "quietus-takeover/v";
constexpr std::size_t kMaxTakeover = 4096;  // bytes, signatures included

}  // namespace

std::string encode_takeover(const Takeover& takeover) {
  std::string text(kTakeoverFamily);
  return text.append("1\nsite ")
      .append(to_hex(takeover.site))
      .append("\nvault ")
      .append(to_hex(takeover.vault))
      .append("\ninstance ")
      .append(to_hex(takeover.instance))
      .append("\nlog ")
      .append(std::to_string(takeover.log.size))
      .append(" ")
      .append(to_hex(takeover.log.root))
      .append("\nissued ")
      .append(format_utc(takeover.issued))
      .append("\n");
}

Result<Takeover> parse_takeover(std::string_view text) {
  if (text.size() > kMaxTakeover) return unverified("takeover: too long");
  LineReader lines(text);
  QUIETUS_TRY(ring_text::check_first_line(lines.next(), kTakeoverFamily, "takeover"));
  const auto site = ring_text::hex_of<VaultId>(ring_text::value_of(lines, "site "));
  const auto vault = ring_text::hex_of<VaultId>(ring_text::value_of(lines, "vault "));
  const auto instance = ring_text::hex_of<InstanceId>(ring_text::value_of(lines, "instance "));
  const auto log = ring_text::words_of<2>(lines.next().value_or(""), "log ");
  const auto issued = parse_utc(ring_text::value_of(lines, "issued "));
  if (!site || !vault || !instance || !log || !issued) return unverified("takeover: malformed");
  const auto size = parse_decimal((*log)[0]);
  const auto root = ring_text::hex_of<Hash>((*log)[1]);
  if (!size || !root) return unverified("takeover: malformed");
  const Takeover takeover{*site, *vault, *instance, {*size, *root}, *issued};
  if (encode_takeover(takeover) != text)
    return unverified("takeover: not in the one form of its content");
  return takeover;
}

Result<std::string> sign_takeover(const Takeover& takeover, std::string_view key_name,
                                  const SigningKey& key) {
  return sign_note(encode_takeover(takeover), key_name, key);
}

Result<Takeover> open_takeover(std::string_view note, const NoteKey& site_key) {
  if (note.size() > kMaxTakeover) return unverified("takeover: too long");
  QUIETUS_TRY_AS(const std::string text, open_note(note, std::span(&site_key, 1)));
  return parse_takeover(text);
}

}  // namespace quietus
