#include "restore.hpp"

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "check.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/instances.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/log_change.hpp"
#include "record_loader.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

struct PublicKeys {
  Ed25519PublicKey log{};
  Ed25519PublicKey issuing{};
};

Result<PublicKeys> public_keys(VaultCore& core) {
  PublicKeys keys;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const SigningKey log, rows::signing_key(reader, seal, kLogKey));
        QUIETUS_TRY_AS(const SigningKey issuing, rows::signing_key(reader, seal, kIssuingKey));
        keys = {ed25519_public_key(log), ed25519_public_key(issuing)};
        return {};
      }));
  return keys;
}

class Restore {
 public:
  Restore(VaultCore& live, const ByteSource& backup, const RestoreOptions& options,
          const Trial* trial = nullptr)
      : live_(live),
        options_(options),
        trial_(trial),
        counted_([this, &backup](MutableBytes to) {
          auto got = backup(to);
          if (!got) return got;
          read_ += *got;
          if (options_.progress && !options_.progress(read_, 0))
            return Result<std::size_t>(Error(ErrorCode::kRefused, "stopped by the caller"));
          return got;
        }),
        reader_(options.base, counted_) {}

  Result<RestoreReport> run(const std::filesystem::path& folder, const Unlock& unlock) {
    QUIETUS_TRY(check_apart(live_, folder, options_));
    QUIETUS_TRY_AS(head_, reader_.head());
    if (head_.vault != live_.header.vault)
      return Error(ErrorCode::kRefused, "the backup is of another vault");
    QUIETUS_TRY(
        live_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(log_key_,
                         accepted_log_key(reader, scopes.seal(), live_.header, head_.log_vkey));
          return {};
        }));
    QUIETUS_TRY(forget_unfinished(folder));
    random_bytes(instance_.id);
    instance_.backup = head_.backup;
    VaultHeader header;
    header.vault = live_.header.vault;
    header.instance = instance_.id;
    if (trial_ != nullptr) QUIETUS_TRY(trial_->begun(instance_.id, head_.backup));
    auto made =
        VaultCore::make(folder, unlock,
                        {options_.create, header, [this](VaultCore& fresh) { return fill(fresh); },
                         trial_ != nullptr},
                        live_.environment);
    if (made && trial_ != nullptr) {
      made->reset();  // and with it the only root key
      QUIETUS_TRY(forget_instance(live_, instance_.id));
    }
    if (made) return report_;
    QUIETUS_TRY(give_up(folder).within("after: " + made.error().context()));
    return made.error();
  }

 private:
  Result<void> fill(VaultCore& fresh) {
    made_ = fresh.header;
    QUIETUS_TRY(register_copy());
    QUIETUS_FAILPOINT("restore/registered");
    QUIETUS_TRY_AS(const std::uint64_t copied, live_.keys->copy_into(*fresh.keys, instance_));
    QUIETUS_TRY(name_instance(fresh, copied));
    QUIETUS_FAILPOINT("restore/keys-copied");
    report_.instance_id = to_hex(instance_.id);
    report_.backup_id = to_hex(head_.backup);
    report_.as_of_unix_ms = head_.begun;
    QUIETUS_TRY_AS(const BackupManifest manifest,
                   restore_records(fresh, reader_, log_key_, report_));
    QUIETUS_TRY(
        live_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          return check_log_goes_on(reader, scopes.seal(), live_.header, manifest);
        }));
    QUIETUS_TRY(log_restored(fresh, head_.backup, report_));
    return trial_ == nullptr ? Result<void>() : trial_->inspect(fresh);
  }

  // Before anything is copied: from now on certificates name the instance (attacks C8).
  Result<void> register_copy() {
    const UnixMillis now = live_.environment.clock.now();
    QUIETUS_TRY(
        live_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const TreeHead head, log_head(writer));
          QUIETUS_TRY(rows::put_instance(writer, seal, {instance_.id, now, UINT64_MAX, {}, {}}));
          return log_change(writer, seal,
                            entry_text(new_entry(now), CopyMade{instance_.id, head.size}));
        }));
    registered_ = true;
    return {};
  }

  // Keys that were made after the copy are not in it.
  Result<void> name_instance(VaultCore& fresh, std::uint64_t copied) {
    const UnixMillis now = live_.environment.clock.now();
    QUIETUS_TRY_AS(const PublicKeys keys, public_keys(fresh));
    return live_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
      return rows::put_instance(writer, scopes.seal(),
                                {instance_.id, now, copied, keys.log, keys.issuing});
    });
  }

  // What an earlier attempt left in that folder when it was killed.
  Result<void> forget_unfinished(const std::filesystem::path& folder) {
    const auto left = read_header(live_.environment.files, VaultFiles(folder).unfinished_header());
    if (!left || left->vault != live_.header.vault || left->instance == InstanceId{}) return {};
    const auto gone = VaultCore::take_away_unfinished(folder, *left, live_.environment);
    if (!gone || !*gone) return {};  // making says what is in the way
    return forget_instance(live_, left->instance);
  }

  // What was made is taken away, its root slot as every one is destroyed. Only when that was seen
  // is the instance forgotten again.
  Result<void> give_up(const std::filesystem::path& folder) {
    if (!registered_) return {};
    // Its root key was in memory, and that is wiped.
    if (trial_ != nullptr) return forget_instance(live_, instance_.id);
    const auto gone = VaultCore::take_away_unfinished(folder, made_, live_.environment);
    if (!gone || !*gone)
      return Error(ErrorCode::kIo, "an unfinished copy with a root slot may be left at " +
                                       folder.string() + "; certificates will name it; remove it");
    return forget_instance(live_, instance_.id);
  }

  VaultCore& live_;
  const RestoreOptions& options_;
  const Trial* const trial_;
  ByteSource counted_;
  BackupMerge reader_;
  BackupHead head_;
  NewInstance instance_;
  VaultHeader made_;
  NoteKey log_key_;
  RestoreReport report_;
  std::uint64_t read_ = 0;
  bool registered_ = false;
};

// Every log that this one is, or comes from, with how much of it is shared.
struct SharedLog {
  NoteKey key;
  std::uint64_t size = 0;
};
Result<std::vector<SharedLog>> shared_logs(ControlReader& reader, const RowSeal& seal,
                                           const VaultHeader& header) {
  QUIETUS_TRY_AS(const SigningKey own, rows::signing_key(reader, seal, kLogKey));
  QUIETUS_TRY_AS(const TreeHead head, log_head(reader));
  std::vector<SharedLog> logs = {{{log_origin(header), ed25519_public_key(own)}, head.size}};
  QUIETUS_TRY_AS(const auto others, rows::instances(reader, seal, [] {}));
  for (const InstanceRow& other : others)
    if (other.log_key != Ed25519PublicKey{} && other.log_size <= head.size)
      logs.push_back({{log_origin(header.vault, other.instance), other.log_key}, other.log_size});
  return logs;
}

}  // namespace

Result<NoteKey> accepted_log_key(ControlReader& reader, const RowSeal& seal,
                                 const VaultHeader& header, const std::string& log_vkey) {
  QUIETUS_TRY_AS(const auto logs, shared_logs(reader, seal, header));
  for (const SharedLog& log : logs)
    if (format_vkey(log.key) == log_vkey) return log.key;
  return Error(ErrorCode::kRefused,
               "the backup was made by another vault, or by an instance that this one does not "
               "come from");
}

Result<void> check_log_goes_on(ControlReader& reader, const RowSeal& seal,
                               const VaultHeader& header, const BackupManifest& manifest) {
  QUIETUS_TRY_AS(const auto logs, shared_logs(reader, seal, header));
  const TreeHead& made = manifest.log.head;
  for (const SharedLog& log : logs) {
    if (log.key.name != manifest.log.origin) continue;
    if (made.size > log.size)
      return Error(ErrorCode::kRolledBack,
                   log.key.name == log_origin(header)
                       ? "the backup knows more log entries than the control store at hand has: "
                         "that is an older copy; nothing is restored with its keys"
                       : "the backup was made by another instance after this one parted from it");
    QUIETUS_TRY_AS(const Hash root, root_at(reader, made.size));
    if (root != made.root)
      return Error(ErrorCode::kRolledBack,
                   "the log of the backup is not a beginning of the log at hand; they parted");
    return {};
  }
  return Error(ErrorCode::kRefused, "the backup is of another log");
}

Result<BackupManifest> restore_records(VaultCore& fresh, BackupMerge& reader, const NoteKey& log,
                                       RestoreReport& report) {
  RecordLoader loader(fresh, report);
  while (true) {
    QUIETUS_TRY_AS(const auto row, reader.next());
    if (!row) break;
    if (row->table) QUIETUS_TRY(loader.add(*row));
  }
  QUIETUS_TRY(loader.flush());
  QUIETUS_TRY_AS(BackupManifest manifest, reader.finish(log));
  QUIETUS_FAILPOINT("restore/records-loaded");
  CheckReport checked;
  QUIETUS_TRY(check_records(*fresh.keys, *fresh.record_store, {}, checked));
  report.restored = checked.records;
  report.bytes = checked.bytes;
  report.damages = std::move(checked.damages);
  return manifest;
}

Result<void> log_restored(VaultCore& fresh, const BackupId& backup, const RestoreReport& report) {
  const UnixMillis now = fresh.environment.clock.now();
  return fresh.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RecordsRestored entry{backup,        report.restored, report.erased,
                                report.purged, report.missing,  report.damages.size()};
    return log_change(writer, scopes.seal(), entry_text(new_entry(now), entry));
  });
}

Result<void> check_apart(const VaultCore& live, const std::filesystem::path& folder,
                         const RestoreOptions& options) {
  std::error_code unknown;
  for (const auto& path : {folder, options.create.root_folder}) {
    if (path.empty()) continue;
    const auto place = std::filesystem::weakly_canonical(path, unknown);
    if (!unknown && (lies_inside(place, live.files.folder) ||
                     (path == folder && lies_inside(place, live.header.root_folder))))
      return Error(ErrorCode::kRefused,
                   path.string() +
                       " lies inside the vault that is in use; nothing is restored "
                       "over or into it");
  }
  return {};
}

Result<void> forget_instance(VaultCore& live, const InstanceId& instance) {
  const UnixMillis now = live.environment.clock.now();
  return live.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const auto known, rows::instances(writer, scopes.seal(), [] {}));
    if (std::ranges::find(known, instance, &InstanceRow::instance) == known.end()) return {};
    QUIETUS_TRY(rows::remove_instance(writer, instance));
    return log_change(writer, scopes.seal(), entry_text(new_entry(now), CopyDropped{instance}));
  });
}

Result<RestoreReport> restore_on_trial(VaultCore& live, const ByteSource& backup,
                                       const std::filesystem::path& folder,
                                       const RestoreOptions& options, const Trial& trial) {
  return Restore(live, backup, options, &trial).run(folder, Unlock::key_file({}));
}

Result<RestoreReport> restore_backup(VaultCore& live, const ByteSource& backup,
                                     const std::filesystem::path& folder, const Unlock& unlock,
                                     const RestoreOptions& options) {
  if (live.options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return Restore(live, backup, options).run(folder, unlock);
}

Result<RestoreReport> Backups::restore(const ByteSource& backup,
                                       const std::filesystem::path& folder, const Unlock& unlock,
                                       const RestoreOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return restore_backup(*core, backup, folder, unlock, options);
}

}  // namespace quietus
