// The public file of an escrow ring: which epochs there are, what to seal to, and when each epoch's
// private key is destroyed. It is the text of a signed note by the log key of the recovery site.
//
//   quietus-ring/v1
//   site <vault id of the site, 32 hex>
//   ring <ring id, 32 hex>
//   issued <time>
//   epoch <epoch id, 32 hex> <scope id at the site, 16 hex> <opens> <closes> <expires> <public key>
//   …
//
// One epoch at least, at most kMaxRingEpochs, ascending and not overlapping: opens < closes <=
// expires, and no epoch opens before the last one has closed. Ids and public keys are unique. Times
// are RFC 3339 in UTC with whole seconds, public keys base64 of X25519 keys that can be sealed to.
// One content has one text.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/epoch_seal.hpp"
#include "evidence/signed_note.hpp"

namespace quietus {

inline constexpr std::size_t kMaxRingEpochs = 4096;
inline constexpr std::size_t kMaxRingNote = std::size_t{1} << 20;  // bytes, signatures included

struct RingEpoch {
  EpochPublicKey public_key;
  ScopeId scope = 0;       // holds the private key at the site
  UnixMillis opens = 0;    // sealing to it from here
  UnixMillis closes = 0;   // … to here, not included
  UnixMillis expires = 0;  // the private key is destroyed by then

  bool operator==(const RingEpoch&) const = default;
};

struct RingFile {
  VaultId site{};
  RingId ring{};
  UnixMillis issued = 0;
  std::vector<RingEpoch> epochs;

  bool operator==(const RingFile&) const = default;
};

// The text to be signed. parse_ring() reads it again if it keeps the rules above.
std::string encode_ring(const RingFile& ring);
// kUnverified; kUnsupported for a ring file of a newer version.
Result<RingFile> parse_ring(std::string_view text);

// The signed note of a ring. kInvalidArgument for one that nobody could read, or a name that no key
// can have.
Result<std::string> sign_ring(const RingFile& ring, std::string_view key_name,
                              const SigningKey& key);
// The ring in a note that the site's key signed. Whether it is the site and the ring that are meant
// is for the caller, who knows them, or for follows(). kUnverified; kUnsupported as above.
Result<RingFile> open_ring(std::string_view note, const NoteKey& site_key);

// The epoch with opens <= now < closes; nullptr when there is none.
const RingEpoch* epoch_for_sealing(const RingFile& ring, UnixMillis now) noexcept;

// May `next` take the place of `before`? Both as open_ring() gave them. It must be of the same site
// and ring and issued later, and no promise of `before` may be broken:
//
//   * an epoch is left out only when it had expired by the time `next` was issued;
//   * an epoch that is still there has the same key, scope and beginning, and expires no later;
//   * it closes at the same time, unless it was ended early: then it closes when it expires, and it
//     had expired by the time `next` was issued, so that what is sealed later opens nowhere;
//   * a key is not used again under another id.
//
// kUnverified.
Result<void> follows(const RingFile& next, const RingFile& before);

}  // namespace quietus
