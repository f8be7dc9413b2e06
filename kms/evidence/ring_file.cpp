#include "evidence/ring_file.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::string_view kRingFamily = "quietus-ring/v";
constexpr std::string_view kEpochWord = "epoch ";
constexpr std::size_t kEpochWords = 6;  // after the first

std::optional<RingEpoch> parse_epoch(std::string_view line) {
  const auto words = ring_text::words_of<kEpochWords>(line, kEpochWord);
  if (!words) return std::nullopt;
  const auto id = ring_text::hex_of<EpochId>((*words)[0]);
  const auto scope = parse_hex_id((*words)[1]);
  const auto opens = parse_utc((*words)[2]);
  const auto closes = parse_utc((*words)[3]);
  const auto expires = parse_utc((*words)[4]);
  const auto key = ring_text::exactly<sizeof(X25519PublicKey)>(from_base64((*words)[5]));
  if (!id || !scope || !opens || !closes || !expires || !key) return std::nullopt;
  return RingEpoch{{*id, *key}, *scope, *opens, *closes, *expires};
}

std::string encode_epoch(const RingEpoch& epoch) {
  std::string line(kEpochWord);
  return line.append(to_hex(epoch.public_key.id))
      .append(" ")
      .append(hex_id(epoch.scope))
      .append(" ")
      .append(format_utc(epoch.opens))
      .append(" ")
      .append(format_utc(epoch.closes))
      .append(" ")
      .append(format_utc(epoch.expires))
      .append(" ")
      .append(to_base64(epoch.public_key.key))
      .append("\n");
}

Error wrong_epoch(const RingEpoch& epoch, const char* what) {
  return unverified("ring: epoch " + to_hex(epoch.public_key.id) + " " + what);
}

Result<void> check_epoch(const RingEpoch& epoch) {
  if (epoch.scope == 0 || epoch.scope >> 63 != 0) return wrong_epoch(epoch, "has no scope");
  if (epoch.opens >= epoch.closes) return wrong_epoch(epoch, "is never open");
  if (epoch.expires < epoch.closes) return wrong_epoch(epoch, "expires before it closes");
  if (!is_x25519_public_key(epoch.public_key.key))
    return wrong_epoch(epoch, "has a key that cannot be sealed to");
  return {};
}

Result<void> check_epochs(const std::vector<RingEpoch>& epochs) {
  if (epochs.empty()) return unverified("ring: no epochs");
  std::set<EpochId> ids;
  std::set<X25519PublicKey> keys;
  const RingEpoch* before = nullptr;
  for (const RingEpoch& epoch : epochs) {
    QUIETUS_TRY(check_epoch(epoch));
    if (before != nullptr && epoch.opens < before->closes)
      return wrong_epoch(epoch, "opens before the one above it closes");
    if (!ids.insert(epoch.public_key.id).second) return wrong_epoch(epoch, "stands there twice");
    if (!keys.insert(epoch.public_key.key).second)
      return wrong_epoch(epoch, "has the key of another");
    before = &epoch;
  }
  return {};
}

// One epoch of an older file and what a newer one, issued at `issued`, has in its place.
Result<void> check_kept(const RingEpoch& was, const RingEpoch& is, UnixMillis issued) {
  if (is.public_key != was.public_key || is.scope != was.scope || is.opens != was.opens)
    return wrong_epoch(was, "was changed");
  if (is.expires > was.expires) return wrong_epoch(was, "would expire later than promised");
  const bool ended_early =
      is.closes < was.closes && is.expires == is.closes && is.expires <= issued;
  if (is.closes != was.closes && !ended_early)
    return wrong_epoch(was, "would close at another time than promised");
  return {};
}

}  // namespace

std::string encode_ring(const RingFile& ring) {
  std::string text(kRingFamily);
  text.append("1\nsite ")
      .append(to_hex(ring.site))
      .append("\nring ")
      .append(to_hex(ring.ring))
      .append("\nissued ")
      .append(format_utc(ring.issued))
      .append("\n");
  for (const RingEpoch& epoch : ring.epochs) text.append(encode_epoch(epoch));
  return text;
}

Result<RingFile> parse_ring(std::string_view text) {
  if (text.size() > kMaxRingNote) return unverified("ring: file is too long");
  LineReader lines(text);
  QUIETUS_TRY(ring_text::check_first_line(lines.next(), kRingFamily, "ring file"));
  const auto site = ring_text::hex_of<VaultId>(ring_text::value_of(lines, "site "));
  const auto id = ring_text::hex_of<RingId>(ring_text::value_of(lines, "ring "));
  const auto issued = parse_utc(ring_text::value_of(lines, "issued "));
  if (!site || !id || !issued) return unverified("ring: malformed head");

  RingFile ring{*site, *id, *issued, {}};
  while (const auto line = lines.next()) {
    const auto epoch = parse_epoch(*line);
    if (!epoch) return unverified("ring: malformed line");
    if (ring.epochs.size() == kMaxRingEpochs) return unverified("ring: too many epochs");
    ring.epochs.push_back(*epoch);
  }
  QUIETUS_TRY(check_epochs(ring.epochs));
  // Writing it again finds every form that is not the one form.
  if (encode_ring(ring) != text) return unverified("ring: not in the one form of its content");
  return ring;
}

Result<std::string> sign_ring(const RingFile& ring, std::string_view key_name,
                              const SigningKey& key) {
  const std::string text = encode_ring(ring);
  const Result<RingFile> read = parse_ring(text);
  if (!read) return Error(ErrorCode::kInvalidArgument, read.error().context());
  if (*read != ring) return Error(ErrorCode::kInvalidArgument, "ring: a time is not whole seconds");
  return sign_note(text, key_name, key);
}

Result<RingFile> open_ring(std::string_view note, const NoteKey& site_key) {
  if (note.size() > kMaxRingNote) return unverified("ring: file is too long");
  QUIETUS_TRY_AS(const std::string text, open_note(note, std::span(&site_key, 1)));
  return parse_ring(text);
}

const RingEpoch* epoch_for_sealing(const RingFile& ring, UnixMillis now) noexcept {
  const auto found = std::find_if(
      ring.epochs.begin(), ring.epochs.end(),
      [&](const RingEpoch& epoch) { return epoch.opens <= now && now < epoch.closes; });
  return found == ring.epochs.end() ? nullptr : &*found;
}

Result<void> follows(const RingFile& next, const RingFile& before) {
  if (next.site != before.site || next.ring != before.ring)
    return unverified("ring: file is of another ring");
  if (next.issued <= before.issued) return unverified("ring: file is not a newer one");

  std::map<EpochId, const RingEpoch*> by_id;
  std::map<X25519PublicKey, const RingEpoch*> by_key;
  for (const RingEpoch& epoch : next.epochs) {
    by_id.emplace(epoch.public_key.id, &epoch);
    by_key.emplace(epoch.public_key.key, &epoch);
  }
  for (const RingEpoch& was : before.epochs) {
    const auto same_key = by_key.find(was.public_key.key);
    if (same_key != by_key.end() && same_key->second->public_key.id != was.public_key.id)
      return wrong_epoch(*same_key->second, "has the key of an older epoch");
    const auto is = by_id.find(was.public_key.id);
    if (is != by_id.end()) {
      QUIETUS_TRY(check_kept(was, *is->second, next.issued));
    } else if (was.expires > next.issued) {
      return wrong_epoch(was, "is missing before it has expired");
    }
  }
  return {};
}

}  // namespace quietus
