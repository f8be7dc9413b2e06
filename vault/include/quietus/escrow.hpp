// The escrow ring. A recovery site is a vault of its own, elsewhere, that makes key pairs, one for
// each epoch, publishes the public halves in a signed ring file, and destroys each private half
// when its epoch expires, with a signed receipt. What is sealed to an epoch opens at the site,
// until then. What it is good for, and what not, is in docs/escrow.md.
#pragma once

#include <quietus/backup.hpp>
#include <quietus/scope.hpp>
#include <quietus/trust.hpp>

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

// How far the life of an epoch is.
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

// What a roll did.
struct RollReport {
  std::vector<EpochInfo> destroyed;  // that the receipt names for the first time
  std::uint64_t made = 0;            // epochs
  bool issued = false;               // ring file and receipt are new ones
  std::vector<std::string> held;     // ids of expired epochs that a legal hold keeps
  RingInfo ring;                     // as it is now
};

// The vault's half: what a ring file or a receipt that was imported changed.
struct RingImport {
  std::string ring_id;
  std::string site_id;
  std::string site_vkey;
  std::uint64_t epochs = 0;
  std::int64_t seals_until_unix_ms = 0;  // the last epoch closes then
};
// Of a receipt.
struct ReceiptImport {
  std::string ring_id;
  std::uint64_t epochs = 0;               // attested for the first time, that were sealed to
  std::uint64_t snapshots = 0;            // that open no more
  std::vector<std::string> certificates;  // ids of those that were issued in the place of others
};

// Where the vault tells the site of its erasures, on the way.
struct InboxInfo {
  std::string folder;         // empty: nowhere
  std::uint64_t told = 0;     // entries of the vault's log whose erasures the inbox has
  std::uint64_t waiting = 0;  // erasures and purges that are still to be told
};
// What a site found in an inbox. Logs are those that anything new was heard of.
struct InboxReceipt {
  std::uint64_t notices = 0;   // that were new
  std::uint64_t erasures = 0;  // that they tell of
  std::vector<std::string> logs;
  std::vector<std::string>
      problems;  // files that are none of these logs', or of which one is missing
};

// What a vault that is lost is recovered from. Sources are read to their end, once.
struct EscrowRecovery {
  ByteSource keys;    // the newest backup with a key snapshot that there is, or snapshot alone
  ByteSource backup;  // whose records; none: only the keys are recovered
  const ByteSource* base = nullptr;  // of an incremental `backup`
  const Trust* trust = nullptr;      // names the log of the lost vault
  std::filesystem::path log;         // a newer copy of that log, exported; empty: there is none
  std::filesystem::path inbox;       // is received first; empty: as it was received before
  // Without `log`: the day (0:00 UTC) as of which the log is accepted, which has to be that of the
  // snapshot. Erasures since are not known then, and what they erased comes back.
  std::optional<std::int64_t> accept_log_as_of_unix_ms;
};

// Of an open vault; valid as long as that is. Thread-safe.
class QUIETUS_EXPORT Escrow {
 public:
  // ---- at the recovery site

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

  // Reads the notices in an inbox, and keeps what they tell: nobody recovers less at this site from
  // then on. `logs` names the logs of the vaults that tell it. A file that cannot be believed is
  // passed over and told of; errors are those of the folder and of the site's own store. Durable on
  // return.
  Result<InboxReceipt> receive(const std::filesystem::path& inbox, const Trust& logs);

  // Makes an instance of a lost vault in `folder`, with a root slot of its own, from what the
  // site's living epoch keys open. Before anything can be read, what the log, and the inbox, say
  // was erased and purged since the snapshot is destroyed in it. kErased: the epoch of the snapshot
  // is gone; kRefused: no log and no date, or another date than the snapshot's, which the text
  // names; a log that has an erasure of many scopes since, whose keys neither it nor the inbox
  // lists; kRolledBack: the log, or the snapshot, is older than what it has to go on from, or than
  // what the site has heard of; kUnverified: not of the vault that the trust file names; errors of
  // Backups::restore().
  Result<RestoreReport> recover(const EscrowRecovery& from, const std::filesystem::path& folder,
                                const Unlock& unlock, const RestoreOptions& options = {});

  // ---- in the vault whose keys the site may open

  // From now on every backup has a key snapshot, sealed to the open epoch of this ring. The first
  // file of a ring needs `site`, which names the log of the recovery site; later ones have to be
  // signed by the same key and to follow the one before. kUnverified; kRefused. Durable on return.
  Result<RingImport> import_ring(std::string_view ring_file, const Trust* site = nullptr);
  // A key snapshot alone: a backup without records. Errors of Backups::create(); kRefused without a
  // ring, and when no epoch of it is open.
  Result<BackupInfo> snapshot(const ByteSink& sink);
  // Notes which epochs are destroyed, and issues final certificates in the place of those that
  // waited for nothing else. kUnverified: not a receipt of an imported ring. Durable on return; an
  // import that was interrupted is finished by the next.
  Result<ReceiptImport> import_receipt(std::string_view receipt);

  // From now on each erasure and purge tells the site before it is certified, by a signed file in
  // this folder, which has to be there; so does this call of all before. Empty: no more. What
  // cannot be told waits. kRefused without a ring. Durable on return.
  Result<InboxInfo> set_inbox(const std::filesystem::path& folder);
  Result<InboxInfo> inbox();  // as it is
  // Tells what waits. Errors of the folder.
  Result<InboxInfo> tell();

  // In a host that was lost and came back: what the site stated when another instance took its
  // place (RestoreReport::takeover). From then on nothing is written here, for ever; reading,
  // erasing and destroying go on, and certificates name the other instance. kUnverified: not signed
  // by the site of an imported ring, or of another log; kRefused: of another vault, or of this very
  // instance. Durable on return.
  Result<void> yield(std::string_view takeover);

  explicit Escrow(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
