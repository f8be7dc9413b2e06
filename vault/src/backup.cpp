// Making, listing and forgetting of data backups.
#include <quietus/vault.hpp>

#include <algorithm>
#include <array>

#include "backup_changes.hpp"
#include "backup_format.hpp"
#include "backup_run.hpp"
#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "governance/policy_rows.hpp"
#include "key_snapshot.hpp"
#include "keys/backups.hpp"
#include "keys/log_change.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr Period kDefaultKeep{30, Period::Unit::kDays};  // without a policy
// What a copy of a record store needs: the garbage table tells of objects whose writers had not
// finished, the fence of keys that nothing may be written with any more.
constexpr std::array kCopied = {RecordTable::kRecords, RecordTable::kChunks, RecordTable::kGarbage,
                                RecordTable::kFence};

UnixMillis whole_seconds(UnixMillis time) {
  return time - time % 1000;
}

BackupInfo info_of(const KeptBackup& kept) {
  const BackupRow& row = kept.row;
  BackupInfo info;
  info.id = to_hex(row.id);
  info.begun_unix_ms = row.begun;
  info.made_unix_ms = row.made;
  info.expires_unix_ms = row.expires;
  info.needed_until_unix_ms = kept.needed_until;
  info.records = row.records;
  info.bytes = row.bytes;
  info.manifest_sha256 = to_hex(row.manifest);
  if (row.is_incremental()) info.base_id = to_hex(row.base);
  return info;
}

void note_snapshot(const SnapshotRow& row, BackupInfo& info) {
  info.epoch_id = to_hex(row.epoch);
  info.epoch_expires_unix_ms = row.expires;
}

class BackupRun {
 public:
  BackupRun(VaultCore& core, const ByteSink& sink, const BackupOptions& options, BackupParts parts)
      : core_(core),
        options_(options),
        parts_(parts),
        counted_([this, &sink](ByteView piece) -> Result<void> {
          written_ += piece.size();
          QUIETUS_TRY(tell_progress());
          return sink(piece);
        }),
        base_source_([this](MutableBytes to) -> Result<std::size_t> {
          QUIETUS_TRY(tell_progress());
          return options_.base(to);
        }),
        writer_(counted_) {}

  Result<BackupInfo> run() {
    if (options_.base) QUIETUS_TRY(begin_base());
    QUIETUS_TRY(begin());
    auto made = copy_and_sign();
    if (!made) {
      drop();
      return made.error();
    }
    BackupInfo info = info_of({row_, row_.expires});
    if (snapshot_) note_snapshot(snapshot_->row(), info);
    return info;
  }

 private:
  Result<void> tell_progress() const {
    if (options_.progress && !options_.progress(written_, expected_))
      return Error(ErrorCode::kRefused, "stopped by the caller");
    return {};
  }

  Result<void> begin_base() {
    QUIETUS_TRY_AS(base_head_, changes_.emplace(base_source_, writer_).begin());
    if (base_head_.vault != core_.header.vault)
      return Error(ErrorCode::kRefused, "base: a backup of another vault");
    if (base_head_.is_incremental())
      return Error(ErrorCode::kRefused, "base: it holds only changes itself, those since " +
                                            to_hex(base_head_.base) +
                                            "; name that one, which is complete");
    row_.base = base_head_.backup;
    return {};
  }

  // The inventory has it, so that it is known to be needed as long as this one.
  Result<void> check_base(ControlReader& reader, const RowSeal& seal) const {
    if (base_head_.log_vkey != head_.log_vkey)
      return Error(ErrorCode::kRefused, "base: a backup of another instance of the vault");
    QUIETUS_TRY_AS(const auto all, rows::backups(reader, seal));
    const auto kept = std::ranges::find(all, base_head_.backup,
                                        [](const KeptBackup& each) { return each.row.id; });
    if (kept == all.end())
      return Error(ErrorCode::kRefused, "base: the vault's inventory does not have that backup");
    if (kept->needed_until <= row_.begun)
      return Error(ErrorCode::kRefused, "base: it has expired; make a complete backup");
    return {};
  }

  Result<Period> wanted_period(ControlReader& reader, const RowSeal& seal) const {
    if (!options_.keep.empty()) {
      const auto period = parse_period(options_.keep);
      if (period && period->count > 0) return *period;
      return Error(
          ErrorCode::kInvalidArgument,
          "how long a backup is kept is a number of days, weeks, months or years: 30d, 6m, 1y");
    }
    QUIETUS_TRY_AS(const auto versions, rows::policies(reader, seal));
    const PolicyVersion* version = in_force(versions, row_.begun);
    if (version == nullptr) return kDefaultKeep;
    QUIETUS_TRY_AS(const Policy policy, parse_policy(version->text));
    return policy.backup_retention;
  }

  // In the inventory before anything is read: whoever destroys keys from now on knows of it.
  Result<void> begin() {
    row_.begun = whole_seconds(core_.environment.clock.now());
    random_bytes(row_.id);
    return core_.update([&](ControlWriter& writer, ScopeTable& scopes,
                            RootRow& root) -> Result<void> {
      const RowSeal seal = scopes.seal();
      QUIETUS_TRY_AS(const Period period, wanted_period(writer, seal));
      row_.expires = after(row_.begun, period);
      head_.vault = root.vault;
      head_.backup = row_.id;
      head_.begun = row_.begun;
      head_.expires = row_.expires;
      head_.base = row_.base;
      QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(writer, seal, "log-key"));
      origin_ = log_origin(core_.header);
      log_key_ = {origin_, ed25519_public_key(key)};
      head_.log_vkey = format_vkey(log_key_);
      if (changes_) QUIETUS_TRY(check_base(writer, seal));
      QUIETUS_TRY_AS(snapshot_, KeySnapshot::begin(writer, seal, row_.id, row_.begun));
      if (parts_ == BackupParts::kKeys) return only_keys();
      const std::string entry =
          entry_text(new_entry(row_.begun), BackupBegun{row_.id, row_.expires, row_.base});
      QUIETUS_TRY_AS(row_.log_index,
                     append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
      return rows::put_backup(writer, seal, row_);
    });
  }

  // It holds no records, so nothing is kept for its sake: it is of use as long as its epoch lives.
  Result<void> only_keys() {
    if (!snapshot_)
      return Error(
          ErrorCode::kRefused,
          "the vault has no escrow ring to seal a key snapshot to; import the ring file of "
          "a recovery site (`quietus escrow import-ring`)");
    row_.expires = snapshot_->row().expires;
    head_.expires = row_.expires;
    return {};
  }

  // Records first, then their keys: so no record is copied whose key is not.
  Result<void> copy_and_sign() {
    QUIETUS_FAILPOINT("backup/begun");
    if (!changes_ && parts_ == BackupParts::kRecordsAndKeys) {
      QUIETUS_TRY_AS(expected_, bytes_stored());
    }
    QUIETUS_TRY(writer_.head(head_));
    if (parts_ == BackupParts::kRecordsAndKeys) QUIETUS_TRY(copy_records());
    QUIETUS_FAILPOINT("backup/records-copied");
    TreeHead head;
    if (snapshot_) {
      QUIETUS_TRY_AS(head, snapshot_->copy(core_, head_, writer_));
    } else {
      QUIETUS_TRY_AS(head, copy_control_rows());
    }
    QUIETUS_TRY_AS(const BackupContent content, writer_.end_rows());
    QUIETUS_TRY_AS(const std::string note, signed_manifest(content, head));
    signed_ = true;
    QUIETUS_TRY(writer_.manifest(note));
    QUIETUS_FAILPOINT("backup/written");
    return complete(content, sha256(as_bytes(note)));
  }

  Result<void> copy_records() {
    QUIETUS_TRY(core_.record_store->all_rows(
        kCopied, [&](const RecordKeyRef& row, ByteView value) -> Result<bool> {
          QUIETUS_TRY(changes_ ? changes_->row(row, value) : writer_.row(row, value));
          return true;
        }));
    if (changes_) {
      QUIETUS_TRY_AS(base_, changes_->finish(log_key_));
    }
    return {};
  }

  Result<TreeHead> copy_control_rows() {
    TreeHead head;
    QUIETUS_TRY(core_.control->read([&](ControlReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(head, log_head(reader));
      return reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
        QUIETUS_TRY(writer_.row(key, value));
        return true;
      });
    }));
    return head;
  }

  Result<std::uint64_t> bytes_stored() {
    std::vector<ScopeId> scopes;
    QUIETUS_TRY(core_.record_store->scopes(RecordTable::kRecords, [&](ScopeId scope) {
      scopes.push_back(scope);
      return Result<bool>(scopes.size() < kScopesCounted);
    }));
    if (scopes.size() == kScopesCounted) return 0;  // counting would take longer than it is worth
    std::uint64_t bytes = 0;
    for (const ScopeId scope : scopes) {
      QUIETUS_TRY_AS(const ScopeUsage usage, core_.record_store->usage(scope));
      bytes += usage.bytes;
    }
    return bytes;
  }

  Result<std::string> signed_manifest(const BackupContent& content, const TreeHead& head) {
    const BackupManifest manifest{head_.vault, head_.backup, head_.begun,     head_.expires,
                                  base_,       content,      {origin_, head}, tool_version()};
    std::string note;
    QUIETUS_TRY(
        core_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(reader, scopes.seal(), "log-key"));
          QUIETUS_TRY_AS(note, sign_note(format_manifest(manifest), origin_, key));
          return {};
        }));
    return note;
  }

  Result<void> complete(const BackupContent& content, const Sha256& manifest) {
    const UnixMillis now = core_.environment.clock.now();
    BackupRow made = row_;
    made.made = std::max(now, made.begun);
    made.records = content.records;
    made.bytes = written_;
    made.manifest = manifest;
    QUIETUS_TRY(
        core_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          if (snapshot_) QUIETUS_TRY(snapshot_->complete(writer, seal));
          if (parts_ == BackupParts::kRecordsAndKeys)
            QUIETUS_TRY(rows::put_backup(writer, seal, made));
          return log_change(
              writer, seal,
              entry_text(new_entry(now), BackupMade{made.id, made.records, made.manifest}));
        }));
    row_ = made;
    return {};
  }

  // One whose manifest was handed out may be kept by somebody: it stays in the inventory. So does
  // one that cannot be taken out: keys that it would need stay until it expires.
  void drop() {
    if (signed_) return;
    const UnixMillis now = core_.environment.clock.now();
    const auto dropped = core_.update([&](ControlWriter& writer, ScopeTable& scopes,
                                          RootRow&) -> Result<void> {
      if (snapshot_) QUIETUS_TRY(snapshot_->drop(writer, scopes.seal(), now));
      if (parts_ == BackupParts::kKeys) return {};
      QUIETUS_TRY(rows::remove_backup(writer, row_.id));
      return log_change(writer, scopes.seal(), entry_text(new_entry(now), BackupDropped{row_.id}));
    });
    static_cast<void>(dropped);
  }

  static constexpr std::size_t kScopesCounted = 100'000;

  VaultCore& core_;
  const BackupOptions& options_;
  const BackupParts parts_;
  ByteSink counted_;
  ByteSource base_source_;
  BackupWriter writer_;
  std::optional<BackupChanges> changes_;  // of an incremental one
  BackupHead base_head_;
  std::optional<BackupBase> base_;  // once it was verified
  std::optional<KeySnapshot> snapshot_;
  BackupRow row_;
  BackupHead head_;
  std::string origin_;
  NoteKey log_key_;
  std::uint64_t written_ = 0;
  std::uint64_t expected_ = 0;
  bool signed_ = false;
};

Result<BackupId> parse_backup_id(std::string_view text) {
  BackupId id{};
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != id.size())
    return Error(ErrorCode::kInvalidArgument, "a backup's id is 32 hexadecimal digits");
  std::ranges::copy(*bytes, id.begin());
  return id;
}

Result<KeptBackup> forget_in(ControlWriter& writer, const RowSeal& seal, const BackupId& id,
                             UnixMillis now) {
  QUIETUS_TRY_AS(const auto all, rows::backups(writer, seal));
  const auto found = std::ranges::find(all, id, [](const KeptBackup& kept) { return kept.row.id; });
  if (found == all.end()) return Error(ErrorCode::kNotFound, "no such backup in the inventory");
  for (const KeptBackup& other : all)
    if (other.row.base == id && other.row.expires > now)
      return Error(ErrorCode::kRefused, "the backup " + to_hex(other.row.id) +
                                            " holds changes since it; forget that one first");
  QUIETUS_TRY(rows::remove_backup(writer, id));
  QUIETUS_TRY(log_change(writer, seal, entry_text(new_entry(now), BackupDropped{id})));
  return *found;
}

}  // namespace

Result<BackupInfo> make_backup(VaultCore& core, const ByteSink& sink, const BackupOptions& options,
                               BackupParts parts) {
  if (core.options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return BackupRun(core, sink, options, parts).run();
}

Backups Vault::backups() {
  return Backups(core_);
}

Result<BackupInfo> Backups::create(const ByteSink& sink, const BackupOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  return make_backup(*core, sink, options, BackupParts::kRecordsAndKeys);
}

Result<std::vector<BackupInfo>> Backups::list() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<BackupInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::backups(reader, scopes.seal()));
        QUIETUS_TRY_AS(const auto snapshots, rows::snapshots(reader, scopes.seal()));
        for (const KeptBackup& kept : all) {
          found.push_back(info_of(kept));
          for (const SnapshotRow& snapshot : snapshots)
            if (snapshot.id == kept.row.id) note_snapshot(snapshot, found.back());
        }
        return {};
      }));
  return found;
}

Result<BackupInfo> Backups::forget(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const BackupId wanted, parse_backup_id(id));
  const UnixMillis now = core->environment.clock.now();
  KeptBackup forgotten;
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(forgotten, forget_in(writer, scopes.seal(), wanted, now));
        return {};
      }));
  return info_of(forgotten);
}

}  // namespace quietus
