// A new instance of the vault with the records of a backup: rows come from the backup, keys from
// the control state of now, never the other way round.
#include "restore.hpp"

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "check.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "keys/instances.hpp"
#include "keys/log_change.hpp"
#include "record_loader.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

class Restore {
 public:
  Restore(VaultCore& live, const ByteSource& backup, const RestoreOptions& options)
      : live_(live),
        options_(options),
        counted_([this, &backup](MutableBytes to) {
          auto got = backup(to);
          if (!got) return got;
          read_ += *got;
          if (options_.progress && !options_.progress(read_, 0))
            return Result<std::size_t>(Error(ErrorCode::kRefused, "stopped by the caller"));
          return got;
        }),
        reader_(counted_) {}

  Result<RestoreReport> run(const std::filesystem::path& folder, const Unlock& unlock) {
    QUIETUS_TRY_AS(head_, reader_.head());
    if (head_.vault != live_.header.vault)
      return Error(ErrorCode::kRefused, "the backup is of another vault");
    QUIETUS_TRY(find_log_key());
    random_bytes(instance_.id);
    instance_.origin = live_.header.instance;
    instance_.backup = head_.backup;
    VaultHeader header;
    header.vault = live_.header.vault;
    header.instance = instance_.id;
    const auto made = VaultCore::make(
        folder, unlock, {options_.create, header, [this](VaultCore& fresh) { return fill(fresh); }},
        live_.environment);
    if (made) return report_;
    QUIETUS_TRY(give_up(folder).within("after: " + made.error().context()));
    return made.error();
  }

 private:
  Result<void> find_log_key() {
    return live_.read(
        [&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), "log-key"));
          log_key_ = {log_origin(live_.header), ed25519_public_key(key)};
          return {};
        });
  }

  Result<void> fill(VaultCore& fresh) {
    made_ = fresh.header;
    QUIETUS_TRY(register_copy());
    QUIETUS_FAILPOINT("restore/registered");
    QUIETUS_TRY_AS(const std::uint64_t copied, live_.keys->copy_into(*fresh.keys, instance_));
    QUIETUS_TRY(name_instance(copied));
    QUIETUS_FAILPOINT("restore/keys-copied");
    report_.instance_id = to_hex(instance_.id);
    report_.backup_id = to_hex(head_.backup);
    report_.as_of_unix_ms = head_.begun;
    RecordLoader loader(fresh, report_);
    while (true) {
      QUIETUS_TRY_AS(const auto row, reader_.next());
      if (!row) break;
      if (row->table) QUIETUS_TRY(loader.add(*row));
    }
    QUIETUS_TRY(loader.flush());
    QUIETUS_TRY(reader_.finish(log_key_));
    QUIETUS_FAILPOINT("restore/records-loaded");
    QUIETUS_TRY(check(fresh));
    return tell_outcome(fresh);
  }

  // Before anything is copied: from now on certificates name the instance (attacks C8).
  Result<void> register_copy() {
    const UnixMillis now = live_.environment.clock.now();
    QUIETUS_TRY(
        live_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const TreeHead head, log_head(writer));
          QUIETUS_TRY(rows::put_instance(writer, seal, {instance_.id, now, UINT64_MAX}));
          return log_change(writer, seal,
                            entry_text(new_entry(now), CopyMade{instance_.id, head.size}));
        }));
    registered_ = true;
    return {};
  }

  // Keys that were made after the copy are not in it.
  Result<void> name_instance(std::uint64_t copied) {
    const UnixMillis now = live_.environment.clock.now();
    return live_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
      return rows::put_instance(writer, scopes.seal(), {instance_.id, now, copied});
    });
  }

  Result<void> check(VaultCore& fresh) {
    CheckReport checked;
    QUIETUS_TRY(check_records(*fresh.keys, *fresh.record_store, {}, checked));
    report_.restored = checked.records;
    report_.bytes = checked.bytes;
    report_.damages = std::move(checked.damages);
    return {};
  }

  Result<void> tell_outcome(VaultCore& fresh) {
    const UnixMillis now = fresh.environment.clock.now();
    return fresh.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
      const RecordsRestored entry{head_.backup,   report_.restored, report_.erased,
                                  report_.purged, report_.missing,  report_.damages.size()};
      return log_change(writer, scopes.seal(), entry_text(new_entry(now), entry));
    });
  }

  // What was made is taken away, its root slot as every one is destroyed. Only when that was seen
  // is the instance forgotten again.
  Result<void> give_up(const std::filesystem::path& folder) {
    if (!registered_) return {};
    const auto gone = VaultCore::take_away_unfinished(folder, made_, live_.environment);
    if (!gone || !*gone)
      return Error(ErrorCode::kIo, "an unfinished copy with a root slot may be left at " +
                                       folder.string() + "; certificates will name it; remove it");
    const UnixMillis now = live_.environment.clock.now();
    return live_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
      QUIETUS_TRY(rows::remove_instance(writer, instance_.id));
      return log_change(writer, scopes.seal(),
                        entry_text(new_entry(now), CopyDropped{instance_.id}));
    });
  }

  VaultCore& live_;
  const RestoreOptions& options_;
  ByteSource counted_;
  BackupReader reader_;
  BackupHead head_;
  NewInstance instance_;
  VaultHeader made_;
  NoteKey log_key_;
  RestoreReport report_;
  std::uint64_t read_ = 0;
  bool registered_ = false;
};

}  // namespace

Result<RestoreReport> restore_backup(VaultCore& live, const ByteSource& backup,
                                     const std::filesystem::path& folder, const Unlock& unlock,
                                     const RestoreOptions& options) {
  if (live.options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return Restore(live, backup, options).run(folder, unlock);
}

}  // namespace quietus
