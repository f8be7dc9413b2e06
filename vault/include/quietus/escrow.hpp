// The escrow ring. A recovery site is a vault of its own, elsewhere, that makes key pairs, one for
// each epoch, publishes the public halves in a signed ring file, and destroys each private half
// when its epoch expires, with a signed receipt. What is sealed to an epoch opens at the site,
// until then. What it is good for, and what not, is in docs/escrow.md.
#pragma once

#include <quietus/scope.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quietus {

struct VaultCore;

// Periods in days or weeks: "1d", "2w".
struct RingOptions {
  std::string epoch = "1d";  // how long an epoch is open for sealing
  std::string life = "14d";  // from its opening to the destruction of its private key
};

// Whether a ring can be made so. kInvalidArgument: not days, or more than 512 epochs to a life.
QUIETUS_EXPORT Result<void> check_ring_options(const RingOptions& options);

enum class EpochState {
  kUpcoming,   // not open yet
  kOpen,       // is sealed to now
  kClosed,     // not sealed to any more; what was opens still
  kOverdue,    // has expired, and its key still lives: roll
  kDestroyed,  // its key is gone
};
QUIETUS_EXPORT std::string_view name_of(EpochState state) noexcept;  // "upcoming", "open", …

// Times are Unix milliseconds.
struct EpochInfo {
  std::string id;  // 32 hex digits
  std::int64_t opens_unix_ms = 0;
  std::int64_t closes_unix_ms = 0;
  std::int64_t expires_unix_ms = 0;
  EpochState state = EpochState::kUpcoming;
  std::int64_t destroyed_unix_ms = 0;  // 0: not destroyed
  std::string erasure_id;              // of that, at the site
};

// What a site publishes, and its epochs in the order in which they open.
struct RingInfo {
  std::string ring_id;    // 32 hex digits
  std::string site_id;    // of the site's vault, 32 hex digits
  std::string site_vkey;  // whose signature ring file and receipt have (C2SP)
  std::int64_t issued_unix_ms = 0;
  std::vector<EpochInfo> epochs;
  std::string ring_file;  // signed note
  std::string receipt;    // signed note: every epoch that is destroyed, with time and erasure
};

struct RollReport {
  std::vector<EpochInfo> destroyed;  // that the receipt names for the first time
  std::uint64_t made = 0;            // epochs
  bool issued = false;               // ring file and receipt are new ones
  std::vector<std::string> held;     // ids of expired epochs that a legal hold keeps
  RingInfo ring;                     // as it is now
};

// Of an open vault; valid as long as that is. Thread-safe.
class QUIETUS_EXPORT Escrow {
 public:
  // Makes the ring of a recovery site, with epochs for two lives from now on. kAlreadyExists;
  // kRefused in a vault that holds anything else, and when its clock cannot be believed;
  // kInvalidArgument as check_ring_options().
  Result<RingInfo> init(const RingOptions& options = {});

  // Destroys the keys of all expired epochs in one root change, makes new epochs, and issues a new
  // ring file and a receipt. When nothing is due they stay as they are, so it can be run at any
  // time; what an interrupted run destroyed is receipted by the next. kRefused when the clock
  // cannot be believed (as for a sweep): then nothing is destroyed. kErasureIncomplete: begun and
  // recorded, run it again. kNotFound in a vault without a ring.
  Result<RollReport> roll();
  // The same, and before its time the key of an epoch that is open or closed: every snapshot that
  // is sealed to it opens nowhere from then on. If it is the open one, another opens in its place.
  // kNotFound; kErased when that key is gone; kRefused for one that has not opened; kHeld.
  Result<RollReport> roll_now(std::string_view epoch);

  // kNotFound in a vault without a ring.
  Result<RingInfo> ring();

  explicit Escrow(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
