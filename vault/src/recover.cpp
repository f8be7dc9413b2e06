// An instance of a vault that is lost: its keys come from a key snapshot that the recovery site
// opens, its records from a backup, and what was erased since from the newest log at hand.
#include <quietus/escrow.hpp>

#include "backup_merge.hpp"
#include "backup_run.hpp"
#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/random.hpp"
#include "escrow_site.hpp"
#include "evidence/ring_text.hpp"
#include "evidence/takeover.hpp"
#include "evidence/utc_time.hpp"
#include "keys/instances.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/log_change.hpp"
#include "keys/ring_rows.hpp"
#include "keys/row_loader.hpp"
#include "keys/snapshots.hpp"
#include "replay.hpp"
#include "restore.hpp"

namespace quietus {
namespace {

template <class Id>
std::optional<Id> id_in(const LogEntry& entry, std::string_view name) {
  const std::string* text = entry.text(name);
  return text == nullptr ? std::nullopt : ring_text::hex_of<Id>(*text);
}

// An instance or a key snapshot that the snapshot does not know of: how far it reaches is not
// known, so that it counts as holding whatever is erased.
Result<void> note_copy(ControlWriter& writer, const RowSeal& seal, const LogEntry& entry) {
  if (entry.kind() == entry_kinds::kCopyMade) {
    const auto instance = id_in<InstanceId>(entry, "instance");
    if (!instance) return unverified("log: a copy that cannot be read");
    return rows::put_instance(writer, seal, {*instance, entry.head().time, UINT64_MAX, {}, {}});
  }
  const auto snapshot = id_in<BackupId>(entry, "snapshot");
  const auto ring = id_in<RingId>(entry, "ring");
  const auto epoch = id_in<EpochId>(entry, "epoch");
  const std::string* expires = entry.text("expires");
  const auto time = expires == nullptr ? std::nullopt : parse_utc(*expires);
  if (!snapshot || !ring || !epoch || !time)
    return unverified("log: a snapshot that cannot be read");
  return rows::put_snapshot(writer, seal,
                            {*snapshot, *ring, *epoch, entry.head().time, *time, 0, UINT64_MAX, 0});
}

class Recovery {
 public:
  Recovery(VaultCore& site, const EscrowRecovery& from, const RestoreOptions& options)
      : site_(site), from_(from), options_(options), keys_(from_.keys) {}

  Result<RestoreReport> run(const std::filesystem::path& folder, const Unlock& unlock) {
    if (from_.trust == nullptr)
      return Error(
          ErrorCode::kInvalidArgument,
          "name the log of the lost vault in a trust file: anybody can seal a made-up vault "
          "to a public ring");
    QUIETUS_TRY(check_apart(site_, folder, options_));
    QUIETUS_TRY_AS(head_, keys_.head());
    if (head_.vault == site_.header.vault)
      return Error(ErrorCode::kRefused, "that is a backup of the recovery site itself");
    QUIETUS_TRY_AS(log_key_, backup_key(head_, from_.trust));
    random_bytes(instance_.id);
    instance_.backup = head_.backup;
    VaultHeader header;
    header.vault = head_.vault;
    header.instance = instance_.id;
    VaultHeader begun;
    const auto made = VaultCore::make(folder, unlock,
                                      {options_.create, header,
                                       [&](VaultCore& fresh) {
                                         begun = fresh.header;
                                         return fill(fresh);
                                       }},
                                      site_.environment);
    if (made) return report_;
    if (begun.vault != VaultId{}) give_up(folder, begun);
    return made.error();
  }

 private:
  Result<void> fill(VaultCore& fresh) {
    QUIETUS_TRY(load_keys(fresh));
    // What can be refused is refused before anything is opened.
    QUIETUS_TRY_AS(Gate gate, replay_erasures(site_, from_,
                                              {head_.vault, manifest_.log.origin, keys_.seal()->log,
                                               manifest_.begun}));
    instance_.replayed = std::move(gate.erasures);
    QUIETUS_TRY(open_keys(fresh));
    QUIETUS_TRY(check_origin(fresh));
    QUIETUS_FAILPOINT("recover/keys-loaded");
    QUIETUS_TRY(
        fresh.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          for (const LogEntry& copy : gate.copies) QUIETUS_TRY(note_copy(writer, seal, copy));
          return log_change(writer, seal,
                            entry_text(new_entry(fresh.environment.clock.now()), gate.entry));
        }));
    report_.instance_id = to_hex(instance_.id);
    report_.backup_id = to_hex(head_.backup);
    report_.as_of_unix_ms = head_.begun;
    if (from_.backup) QUIETUS_TRY(load_records(fresh));
    QUIETUS_TRY(state_takeover());
    return log_restored(fresh, instance_.backup, report_);
  }

  // No key of the snapshot is kept beyond this.
  Result<void> open_keys(VaultCore& fresh) {
    QUIETUS_TRY_AS(const RootKey sealed, open_seal());
    QUIETUS_TRY_AS(const RootKey root, fresh.keys->renew_copy(sealed));
    return fresh.keys->become_instance(root, instance_);
  }

  Result<void> load_keys(VaultCore& fresh) {
    RowLoader loader(*fresh.control);
    while (true) {
      QUIETUS_TRY_AS(const auto row, keys_.next());
      if (!row) break;
      if (options_.progress && !options_.progress(0, 0))
        return Error(ErrorCode::kRefused, "stopped by the caller");
      if (!row->copied) continue;
      QUIETUS_TRY(check_copied(row->key));
      QUIETUS_TRY(loader.add(row->key, row->value));
    }
    QUIETUS_TRY_AS(manifest_, keys_.finish(log_key_));
    if (!keys_.seal())
      return Error(ErrorCode::kRefused,
                   "that backup has no key snapshot: its vault had no escrow ring then");
    return loader.flush();
  }

  // The root row is the first, and of tables that no copy has there is nothing.
  Result<void> check_copied(ByteView key) {
    const char table = static_cast<char>(key[0]);
    const bool root = table == 'R';
    if (root == rows_begun_ || std::string_view("VWn").find(table) != std::string_view::npos)
      return Error(ErrorCode::kCorrupt, "backup: a row that no key snapshot has");
    rows_begun_ = true;
    return {};
  }

  Result<RootKey> open_seal() {
    const KeySeal& seal = *keys_.seal();
    QUIETUS_TRY_AS(const RingFile ring, site_ring_file(site_));
    if (ring.ring != seal.ring)
      return Error(ErrorCode::kRefused,
                   "the snapshot is sealed to the ring of another site: " + to_hex(seal.ring));
    QUIETUS_TRY(log_at_site(seal.epoch));
    QUIETUS_TRY_AS(const EpochPrivateKey key, epoch_private_key(site_, seal.epoch));
    const auto context = openssl_engine().make_context();
    return open_with_epoch(*context, seal.epoch, key, key_seal_data(head_, seal.ring, seal.log),
                           seal.sealed);
  }

  // Nothing half recovered is left; what cannot be taken away now, the next attempt does. Only when
  // its root slot was seen to be gone do receipts not name it.
  void give_up(const std::filesystem::path& folder, const VaultHeader& begun) {
    const auto gone = VaultCore::take_away_unfinished(folder, begun, site_.environment);
    if (!gone || !*gone || !opened_) return;
    const UnixMillis now = site_.environment.clock.now();
    const auto forgotten =
        site_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          QUIETUS_TRY(rows::remove_opening(writer, *opened_, instance_.id));
          return log_change(writer, scopes.seal(),
                            entry_text(new_entry(now), CopyDropped{instance_.id}));
        });
    static_cast<void>(forgotten);  // then it goes on to be named
  }

  // Whoever signs receipts for the lost instance is named by the snapshot: it has to be of the log
  // that is trusted.
  Result<void> check_origin(VaultCore& fresh) const {
    return fresh.read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(const auto others, rows::instances(reader, scopes.seal(), [] {}));
          for (const InstanceRow& other : others)
            if (log_origin(head_.vault, other.instance) == manifest_.log.origin &&
                other.log_key == log_key_.key)
              return {};
          return unverified("the key snapshot is not of the log that the trust file names");
        });
  }

  // Whoever runs the site can see what was opened there, and when; the next receipt tells the
  // vault, whose certificates name the instance from then on.
  Result<void> log_at_site(const EpochId& epoch) {
    const UnixMillis now = site_.environment.clock.now();
    QUIETUS_TRY(
        site_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const EntryHead head = new_entry(now);
          QUIETUS_TRY(rows::put_opening(writer, scopes.seal(),
                                        {epoch, instance_.id, head_.vault, now - now % 1000}));
          return log_change(writer, scopes.seal(),
                            entry_text(head, VaultRecovered{head_.vault, instance_.id, epoch}));
        }));
    opened_ = epoch;
    return {};
  }

  // For the lost host, should it come back.
  Result<void> state_takeover() {
    const UnixMillis now = site_.environment.clock.now();
    const Takeover takeover{site_.header.vault, head_.vault, instance_.id, keys_.seal()->log,
                            now - now % 1000};
    return site_.read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), kLogKey));
          QUIETUS_TRY_AS(report_.takeover, sign_takeover(takeover, log_origin(site_.header), key));
          return {};
        });
  }

  Result<void> load_records(VaultCore& fresh) {
    BackupMerge backup(from_.base, from_.backup);
    QUIETUS_TRY_AS(const BackupHead head, backup.head());
    if (head.vault != head_.vault)
      return Error(ErrorCode::kRefused, "the backup and the key snapshot are of two vaults");
    NoteKey key;
    QUIETUS_TRY(
        fresh.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(key, accepted_log_key(reader, scopes.seal(), fresh.header, head.log_vkey));
          return {};
        }));
    report_.backup_id = to_hex(head.backup);
    report_.as_of_unix_ms = head.begun;
    instance_.backup = head.backup;
    QUIETUS_TRY_AS(const BackupManifest manifest, restore_records(fresh, backup, key, report_));
    return fresh.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return check_log_goes_on(reader, scopes.seal(), fresh.header, manifest);
    });
  }

  VaultCore& site_;
  const EscrowRecovery& from_;
  const RestoreOptions& options_;
  BackupReader keys_;
  BackupHead head_;
  BackupManifest manifest_;
  NoteKey log_key_;
  NewInstance instance_;
  RestoreReport report_;
  std::optional<EpochId> opened_;  // once the site has noted it
  bool rows_begun_ = false;
};

}  // namespace

Result<RestoreReport> Escrow::recover(const EscrowRecovery& from,
                                      const std::filesystem::path& folder, const Unlock& unlock,
                                      const RestoreOptions& options) {
  QUIETUS_TRY_AS(const auto site, open_core(core_));
  return Recovery(*site, from, options).run(folder, unlock);
}

}  // namespace quietus
