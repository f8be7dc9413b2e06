#include "evidence/certificate.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/hash.hpp"
#include "evidence/jws.hpp"
#include "evidence/log_evidence.hpp"

namespace quietus {
namespace {

constexpr std::string_view kNoSnapshots =
    "This vault made no key snapshot and no escrow copy of the listed keys.";
constexpr std::string_view kSnapshots =
    "The key snapshots that held the listed keys are those listed; each is unreadable from its "
    "clear "
    "date on, as the recovery site attested where that is said, and as it scheduled elsewhere.";

constexpr std::string_view kEveryCopy =
    "Every copy of the listed keys that this vault and the systems listed here made was destroyed "
    "by the method and at the times stated.";

// The same where other instances of the vault have copies, or had or may have some.
constexpr std::string_view kNoSnapshotsHere =
    "This instance of the vault made no key snapshot and no escrow copy of the listed keys.";
constexpr std::string_view kSnapshotsHere =
    "The key snapshots of this instance of the vault that held the listed keys are those listed; "
    "each is unreadable from its clear date on, as the recovery site attested where that is said, "
    "and as it scheduled elsewhere.";
constexpr std::string_view kEveryCopyHere =
    "Every copy of the listed keys that this instance of the vault made for its own use was "
    "destroyed by the method and at the times stated.";
constexpr std::string_view kElsewhere =
    "Other instances of this vault may still hold the listed keys, and read data with them: those "
    "that are known are listed under instances, and none of them is covered but by the receipt "
    "that "
    "is listed with it.";
constexpr std::string_view kReceipted =
    "The other instances of this vault that held the listed keys are those listed under instances; "
    "each destroyed what it held of them, as its own certificate states that is listed as receipt.";

constexpr std::array<std::string_view, 3> kClaims = {
    "All data under the listed keys was encrypted before it was stored; its ciphertext may remain "
    "and "
    "cannot be decrypted without these keys.",
    "This is the issuer's signed statement; the log entries it rests on were fixed under the "
    "enclosed "
    "checkpoint no later than the time of issue.",
    "It does not prove destruction by itself.",
};

constexpr std::array<std::string_view, 8> kExclusions = {
    "Copies of the data that an application keeps or made outside the vault.",
    "Exports of these scopes: those known are listed under exports, what became of them is not "
    "known "
    "here.",
    "Images of the memory of a process or machine taken before the slot was destroyed.",
    "Copies of a root slot that were made, by any means, before it was destroyed.",
    "What encryption does not hide: sizes, times and structure of the stored records.",
    "Other data on the same medium: this is a partial sanitization.",
    "Keys of the same scopes that are not listed here.",
    "What approvals do not stop: who has the unlock secret and a program of their own is bound by "
    "none.",
};

constexpr std::size_t kMaxAssurance = 1024;
constexpr std::size_t kMaxVersion = 32;

// The program's name and a version.
bool is_tool(std::string_view text) noexcept {
  static constexpr std::string_view kName = "quietus ";
  if (!text.starts_with(kName)) return false;
  text.remove_prefix(kName.size());
  return !text.empty() && text.size() <= kMaxVersion &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
                  c == '+';
         });
}

bool is_printable_ascii(std::string_view text, std::size_t limit) noexcept {
  return !text.empty() && text.size() <= limit &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

Result<void> check_targets(const std::vector<ClaimedTarget>& targets) {
  if (targets.empty()) return unverified("certificate names no scope");
  std::set<ScopeId> scopes;
  std::set<KeyId> keys;
  for (const ClaimedTarget& target : targets) {
    if (!scopes.insert(target.scope).second) return unverified("certificate names a scope twice");
    if (target.subject && target.level == 0)
      return unverified("certificate names a subject that lies nowhere");
    if (target.keys.empty()) return unverified("certificate names a scope without keys");
    for (const ClaimedKey& key : target.keys)
      if (!keys.insert(key.id).second) return unverified("certificate names a key twice");
  }
  return {};
}

Result<void> check_batch(const ErasureClaims& claims) {
  if (!claims.batch) return {};
  if (claims.targets.size() != 1) return unverified("certificate of a batch is of one scope");
  if (claims.batch->scopes > kMaxTreeSize) return unverified("batch is larger than any can be");
  return {};
}

Result<void> check_root(const ClaimedRoot& root) {
  if (!is_printable_ascii(root.assurance, kMaxAssurance))
    return unverified("certificate has a malformed assurance");
  if (root.generation_after <= root.generation_before)
    return unverified("root generation did not grow");
  std::set<SlotId> slots;
  for (const ClaimedSlot& slot : root.slots) {
    if (!slots.insert(slot.id).second) return unverified("certificate names a root slot twice");
    if (slot.generation >= root.generation_after)
      return unverified(
          "certificate names a root slot as destroyed that is newer than the erasure");
  }
  const bool names_old_slot = std::any_of(
      root.slots.begin(), root.slots.end(),
      [&](const ClaimedSlot& slot) { return slot.generation == root.generation_before; });
  if (!names_old_slot)
    return unverified("certificate does not name the root slot that was destroyed");
  return {};
}

Result<void> check_status(const ErasureClaims& claims) {
  const bool live = claims.phase == CertificatePhase::kLive;
  const bool age_out =
      std::any_of(claims.snapshots.begin(), claims.snapshots.end(),
                  [](const ClaimedSnapshot& snapshot) { return !snapshot.attested; });
  if (live && !age_out)
    return unverified("a certificate without key snapshots that still age out is final");
  if (!live && age_out)
    return unverified("a certificate with key snapshots that still age out is not final");
  if (claims.status == CertificateStatus::kPartial) return {};
  const bool pending = claims.status == CertificateStatus::kPendingSnapshots;
  if (pending != live)
    return unverified("status and phase do not agree on whether key snapshots are left");
  if (!claims.root.assurance_known)
    return unverified("status is not partial, but the assurance is unknown");
  if (!claims.exports_known)
    return unverified("status is not partial, but the exports are not all known");
  if (!claims.instances_known)
    return unverified("status is not partial, but the other instances are not all known");
  if (may_live_elsewhere(claims))
    return unverified("status is not partial, but another instance may hold the keys");
  if (!slots_are_destroyed(claims.root))
    return unverified("status is not partial, but not every root slot was seen destroyed");
  return {};
}

Result<void> check_snapshots(const ErasureClaims& claims) {
  std::set<std::array<std::uint8_t, 16>> epochs;
  for (const ClaimedSnapshot& snapshot : claims.snapshots) {
    if (!epochs.insert(snapshot.epoch).second)
      return unverified("certificate names a key snapshot's epoch twice");
    if (snapshot.clear_date < claims.times.keys_unreachable)
      return unverified("a key snapshot is clear before the erasure");
  }
  return {};
}

// A certificate is that of one instance.
Result<void> check_receipts(const ErasureClaims& claims) {
  std::set<CertificateId> seen{claims.certificate};
  seen.insert(claims.supersedes.begin(), claims.supersedes.end());
  for (const ClaimedInstance& other : claims.instances)
    if (other.receipt && !seen.insert(*other.receipt).second)
      return unverified("the receipt of another instance is a certificate of this one, or of two");
  return {};
}

Result<void> check_instances(const std::vector<ClaimedInstance>& instances) {
  const auto later = std::adjacent_find(
      instances.begin(), instances.end(),
      [](const ClaimedInstance& a, const ClaimedInstance& b) { return a.instance >= b.instance; });
  if (later == instances.end()) return {};
  if (later->instance == std::next(later)->instance)
    return unverified("certificate names another instance twice");
  return unverified("other instances are not in ascending order");
}

Result<void> check_unreadable(const ClaimedUnreadable& unreadable) {
  const bool numbers = unreadable.scopes_below != 0 || unreadable.keys_below != 0 ||
                       unreadable.records != 0 || unreadable.bytes != 0;
  if (numbers && !unreadable.counted)
    return unverified("certificate states numbers that were not counted");
  return {};
}

Result<void> check_superseded(const ErasureClaims& claims) {
  std::set<CertificateId> seen{claims.certificate};
  for (const CertificateId& id : claims.supersedes)
    if (!seen.insert(id).second)
      return unverified("certificate supersedes itself, or another one twice");
  return {};
}

Result<void> check_times(const ErasureClaims& claims) {
  const ClaimedTimes& times = claims.times;
  if (times.begun > times.keys_unreachable || times.keys_unreachable > times.slot_destroyed ||
      times.slot_destroyed > claims.issued_at)
    return unverified("times are not in order");
  return {};
}

}  // namespace

bool slots_are_destroyed(const ClaimedRoot& root) noexcept {
  return root.assurance_known && !root.slots.empty() &&
         std::all_of(root.slots.begin(), root.slots.end(), [](const ClaimedSlot& slot) {
           return slot.overwritten && slot.read_back && slot.gone;
         });
}

bool may_live_elsewhere(const ErasureClaims& claims) noexcept {
  return !claims.instances_known ||
         std::any_of(claims.instances.begin(), claims.instances.end(),
                     [](const ClaimedInstance& other) { return !other.receipt; });
}

std::vector<std::string_view> certificate_claims(const ErasureClaims& claims) {
  const bool others = !claims.instances.empty() || !claims.instances_known;
  const std::string_view none = others ? kNoSnapshotsHere : kNoSnapshots;
  const std::string_view some = others ? kSnapshotsHere : kSnapshots;
  std::vector<std::string_view> sentences = {others ? kEveryCopyHere : kEveryCopy};
  if (others) sentences.push_back(may_live_elsewhere(claims) ? kElsewhere : kReceipted);
  sentences.push_back(kClaims[0]);
  sentences.push_back(claims.snapshots.empty() ? none : some);
  sentences.insert(sentences.end(), kClaims.begin() + 1, kClaims.end());
  return sentences;
}
std::span<const std::string_view> certificate_exclusions() noexcept {
  return kExclusions;
}

std::string log_origin(const VaultId& vault) {
  return "quietus/" + to_hex(vault);
}

Result<void> check_claims(const ErasureClaims& claims) {
  if (!is_tool(claims.tool)) return unverified("certificate has a malformed tool");
  QUIETUS_TRY(check_targets(claims.targets));
  QUIETUS_TRY(check_batch(claims));
  QUIETUS_TRY(check_root(claims.root));
  QUIETUS_TRY(check_status(claims));
  QUIETUS_TRY(check_snapshots(claims));
  QUIETUS_TRY(check_instances(claims.instances));
  QUIETUS_TRY(check_receipts(claims));
  QUIETUS_TRY(check_superseded(claims));
  QUIETUS_TRY(check_unreadable(claims.unreadable));
  return check_times(claims);
}

Result<IssuedCertificate> issue_certificate(ErasureClaims claims, const SigningKey& issuer) {
  claims.issuer_kid = jwk_thumbprint(ed25519_public_key(issuer));
  QUIETUS_TRY(check_claims(claims).within("certificate not issued"));
  const std::string payload = encode_claims(claims);
  // What is signed is what a verifier will read: seconds instead of milliseconds, for one thing.
  QUIETUS_TRY_AS(const ErasureClaims read_back,
                 decode_claims(as_bytes(payload)).within("certificate not issued"));
  QUIETUS_TRY(verify_log_evidence(read_back).within("certificate not issued"));
  return IssuedCertificate{sign_jws(as_bytes(payload), kCertificateType, issuer),
                           sha256(as_bytes(payload))};
}

}  // namespace quietus
