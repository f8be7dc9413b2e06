// The receipt of a recovery site: which epochs of its escrow ring are destroyed. It is the text of
// a signed note by the log key of the site, and is what turns a certificate that waits for
// snapshots into a final one.
//
//   quietus-ring-receipt/v1
//   site <vault id of the site, 32 hex>
//   ring <ring id, 32 hex>
//   issued <time>
//   destroyed <epoch id, 32 hex> <time> <erasure id at the site, 32 hex> complete|partial
//   …
//   opened <epoch id, 32 hex> <vault id, 32 hex> <instance id, 32 hex> <time>
//   …
//
// Every epoch that was ever destroyed, and of more than kMaxRingEpochs the newest; none in that of
// a new ring. Ascending by time, and by id where times are equal; no epoch twice, no time after the
// receipt was issued. Times are RFC 3339 in UTC with whole seconds. One content has one text.
//
// A line says: in that second the key was gone. The site's own root change for it was finished, the
// old root slot was read back as gone, and no process of the site held the key any more. The last
// word is the status of the site's own certificate for it: `partial` attests nothing.
//
// "opened": the site used the key of that epoch to make that instance of that vault, which holds
// what was sealed to the epoch. Every one, and of more than kMaxRingEpochs the newest; ascending by
// time, and by instance where times are equal; no instance twice.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/ring_file.hpp"

namespace quietus {

struct DestroyedEpoch {
  EpochId epoch{};
  UnixMillis destroyed = 0;
  ErasureId erasure{};   // of the site, which has a certificate for it
  bool complete = true;  // says that certificate

  bool operator==(const DestroyedEpoch&) const = default;
};

struct OpenedEpoch {
  EpochId epoch{};
  VaultId vault{};
  InstanceId instance{};
  UnixMillis opened = 0;

  bool operator==(const OpenedEpoch&) const = default;
};

struct RingReceipt {
  VaultId site{};
  RingId ring{};
  UnixMillis issued = 0;
  std::vector<DestroyedEpoch> destroyed;
  std::vector<OpenedEpoch> opened;

  bool operator==(const RingReceipt&) const = default;
};

// The order of the lines.
bool comes_before(const DestroyedEpoch& a, const DestroyedEpoch& b) noexcept;
bool comes_before(const OpenedEpoch& a, const OpenedEpoch& b) noexcept;

// The text to be signed. parse_receipt() reads it again if it keeps the rules above.
std::string encode_receipt(const RingReceipt& receipt);
// kUnverified; kUnsupported for a receipt of a newer version.
Result<RingReceipt> parse_receipt(std::string_view text);

// The signed note. kInvalidArgument for a receipt that nobody could read, or a name that no key can
// have.
Result<std::string> sign_receipt(const RingReceipt& receipt, std::string_view key_name,
                                 const SigningKey& key);
// The receipt in a note that the site's key signed. Whether it is of the ring that is meant is for
// the caller. kUnverified; kUnsupported as above.
Result<RingReceipt> open_receipt(std::string_view note, const NoteKey& site_key);

}  // namespace quietus
