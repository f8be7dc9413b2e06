// Making, listing and checking of data backups.
#include <quietus/vault.hpp>

#include <array>

#include "backup_format.hpp"
#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "evidence/trust_file.hpp"
#include "governance/policy_rows.hpp"
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

BackupInfo info_of(const BackupRow& row) {
  return {to_hex(row.id), row.begun,           row.made, row.expires, row.records,
          row.bytes,      to_hex(row.manifest)};
}

class BackupRun {
 public:
  BackupRun(VaultCore& core, const ByteSink& sink, const BackupOptions& options)
      : core_(core),
        options_(options),
        counted_([this, &sink](ByteView piece) -> Result<void> {
          written_ += piece.size();
          if (options_.progress && !options_.progress(written_, expected_))
            return Error(ErrorCode::kRefused, "stopped by the caller");
          return sink(piece);
        }),
        writer_(counted_) {}

  Result<BackupInfo> run() {
    QUIETUS_TRY(begin());
    auto made = copy_and_sign();
    if (!made) {
      drop();
      return made.error();
    }
    return info_of(row_);
  }

 private:
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
      QUIETUS_TRY_AS(const SigningKey key, rows::signing_key(writer, seal, "log-key"));
      origin_ = log_origin(core_.header);
      head_.log_vkey = format_vkey({origin_, ed25519_public_key(key)});
      const std::string entry =
          entry_text(new_entry(row_.begun), BackupBegun{row_.id, row_.expires});
      QUIETUS_TRY_AS(row_.log_index,
                     append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
      return rows::put_backup(writer, seal, row_);
    });
  }

  // Records first, then their keys: so no record is copied whose key is not.
  Result<void> copy_and_sign() {
    QUIETUS_FAILPOINT("backup/begun");
    QUIETUS_TRY_AS(expected_, bytes_stored());
    QUIETUS_TRY(writer_.head(head_));
    QUIETUS_TRY(core_.record_store->all_rows(
        kCopied, [&](const RecordKeyRef& row, ByteView value) -> Result<bool> {
          QUIETUS_TRY(writer_.row(row, value));
          return true;
        }));
    QUIETUS_FAILPOINT("backup/records-copied");
    TreeHead head;
    QUIETUS_TRY(core_.control->read([&](ControlReader& reader) -> Result<void> {
      QUIETUS_TRY_AS(head, log_head(reader));
      return reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
        QUIETUS_TRY(writer_.row(key, value));
        return true;
      });
    }));
    QUIETUS_TRY_AS(const BackupContent content, writer_.end_rows());
    QUIETUS_TRY_AS(const std::string note, signed_manifest(content, head));
    signed_ = true;
    QUIETUS_TRY(writer_.manifest(note));
    QUIETUS_FAILPOINT("backup/written");
    return complete(content, sha256(as_bytes(note)));
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
    const BackupManifest manifest{head_.vault, head_.backup,    head_.begun,   head_.expires,
                                  content,     {origin_, head}, tool_version()};
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
      QUIETUS_TRY(rows::remove_backup(writer, row_.id));
      return log_change(writer, scopes.seal(), entry_text(new_entry(now), BackupDropped{row_.id}));
    });
    static_cast<void>(dropped);
  }

  static constexpr std::size_t kScopesCounted = 100'000;

  VaultCore& core_;
  const BackupOptions& options_;
  ByteSink counted_;
  BackupWriter writer_;
  BackupRow row_;
  BackupHead head_;
  std::string origin_;
  std::uint64_t written_ = 0;
  std::uint64_t expected_ = 0;
  bool signed_ = false;
};

// The key that a manifest has to be signed with: one of the trusted logs of that name, or else the
// one that the backup names.
Result<NoteKey> key_for(const BackupHead& head, const Trust* trust) {
  const auto named = parse_vkey(head.log_vkey);
  if (!named)
    return named.error().code() == ErrorCode::kUnsupported
               ? Error(ErrorCode::kUnsupported, "backup: signed by a key of a kind not known here")
               : Error(ErrorCode::kCorrupt, "backup: the key that it names is malformed");
  if (trust == nullptr) return *named;
  for (const NoteKey& log : trust->rules().logs)
    if (format_vkey(log) == head.log_vkey) return log;
  return unverified("backup: signed by a log key that the trust file does not name: " +
                    named->name);
}

}  // namespace

Backups Vault::backups() {
  return Backups(core_);
}

Result<CheckedBackup> check_backup(const ByteSource& backup, const Trust* trust) {
  std::uint64_t bytes = 0;
  const ByteSource source = [&](MutableBytes to) {
    auto got = backup(to);
    if (got) bytes += *got;
    return got;
  };
  BackupReader reader(source);
  QUIETUS_TRY_AS(const BackupHead head, reader.head());
  QUIETUS_TRY_AS(const NoteKey key, key_for(head, trust));
  for (;;) {
    QUIETUS_TRY_AS(const auto row, reader.next());
    if (!row) break;
  }
  QUIETUS_TRY_AS(const BackupManifest manifest, reader.finish(key));
  CheckedBackup checked;
  checked.info = {to_hex(manifest.backup),
                  manifest.begun,
                  0,
                  manifest.expires,
                  manifest.content.records,
                  bytes,
                  to_hex(sha256(as_bytes(reader.note())))};
  checked.vault_id = to_hex(manifest.vault);
  checked.log_origin = manifest.log.origin;
  checked.log_size = manifest.log.head.size;
  checked.log_root = to_hex(manifest.log.head.root);
  checked.log_vkey = head.log_vkey;
  checked.trusted = trust != nullptr;
  return checked;
}

Result<BackupInfo> Backups::create(const ByteSink& sink, const BackupOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  if (core->options.read_only)
    return Error(ErrorCode::kRefused, "the vault is open for reading only");
  return BackupRun(*core, sink, options).run();
}

Result<std::vector<BackupInfo>> Backups::list() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<BackupInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::backups(reader, scopes.seal()));
        for (const BackupRow& row : all) found.push_back(info_of(row));
        return {};
      }));
  return found;
}

}  // namespace quietus
