// Restoring a backup on trial: what lives comes back, what was erased does not.
#include <quietus/backup.hpp>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/jws.hpp"
#include "evidence/utc_time.hpp"
#include "governance/calendar.hpp"
#include "keys/drills.hpp"
#include "keys/key_store_steps.hpp"
#include "keys/log_change.hpp"
#include "restore.hpp"

namespace quietus {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kDrillType = "quietus-drill-report+jws";

// A folder that goes with this object.
class Scratch {
 public:
  static Result<Scratch> make(const std::filesystem::path& where) {
    std::error_code failed;
    const auto base = where.empty() ? std::filesystem::temp_directory_path(failed) : where;
    std::string name = (base / "quietus-drill-XXXXXX").string();
    if (failed || ::mkdtemp(name.data()) == nullptr)
      return Error(ErrorCode::kIo, base.string() + ": no folder can be made there for the trial");
    return Scratch(name);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// The content of a record, as its hash; none when it is not there.
Result<std::optional<Sha256>> content_of(VaultCore& core, ScopeId scope, const std::string& name) {
  Sha256Stream hash;
  QUIETUS_TRY_AS(const bool there,
                 core.records->get_stream(scope, name, [&](ByteView piece) -> Result<void> {
                   hash.update(piece);
                   return {};
                 }));
  return there ? std::optional(hash.finish()) : std::nullopt;
}

// By the state of the scope's key.
bool is_withheld(ErrorCode code) {
  return code == ErrorCode::kRestricted || code == ErrorCode::kRefused;
}

class Comparison {
 public:
  Comparison(VaultCore& live, VaultCore& fresh, DrillReport& report)
      : live_(live), fresh_(fresh), report_(report) {}

  // Every record of the restored vault with the one that the vault has, where that is still the
  // same version.
  Result<void> records() {
    std::vector<ScopeId> scopes;
    QUIETUS_TRY(fresh_.record_store->scopes(RecordTable::kRecords, [&](ScopeId scope) {
      scopes.push_back(scope);
      return Result<bool>(true);
    }));
    for (const ScopeId scope : scopes) {
      std::vector<RecordInfo> listed;
      const auto readable =
          fresh_.records->list(scope, "", [&](const RecordInfo& info) -> Result<bool> {
            listed.push_back(info);
            return true;
          });
      if (!readable && is_withheld(readable.error().code())) {
        ++report_.restricted_scopes;
        continue;
      }
      QUIETUS_TRY(readable);
      for (const RecordInfo& info : listed) QUIETUS_TRY(record(scope, info));
    }
    return {};
  }

  // No erased scope of the last days opens in it.
  Result<void> erased(UnixMillis since) {
    std::vector<ScopeId> dead;
    QUIETUS_TRY(
        live_.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          dead.clear();
          return rows::all_key_rows(
              reader, scopes.seal(),
              [&](const KeyRow& row) -> Result<void> {
                if (is_destroyed(row.state) && row.changed >= since) dead.push_back(row.id);
                return {};
              },
              [](ScopeId) {});
        }));
    for (const ScopeId scope : dead) {
      ++report_.erased_scopes;
      const auto opened = fresh_.keys->with_scope(
          scope, KeyUse::kMaintain,
          [](const ScopeKeys&, const KeyCache::Use&) { return Result<void>(); });
      std::uint64_t rows = 0;
      QUIETUS_TRY(fresh_.record_store->read([&](RecordReader& reader) {
        return reader.scan({RecordTable::kRecords, scope, {}},
                           [&](ByteView, ByteView) -> Result<bool> {
                             ++rows;
                             return true;
                           });
      }));
      if (opened || rows > 0) ++report_.erased_scopes_readable;
    }
    return {};
  }

 private:
  Result<void> record(ScopeId scope, const RecordInfo& info) {
    auto now = live_.records->stat(scope, info.name);
    if (!now && now.error().code() != ErrorCode::kErased) return now.error();
    if (!now || !*now || (*now)->version != info.version) {
      ++report_.changed;
      return {};
    }
    QUIETUS_TRY_AS(const auto restored, content_of(fresh_, scope, info.name));
    QUIETUS_TRY_AS(const auto kept, content_of(live_, scope, info.name));
    ++report_.compared;
    if (!restored || restored != kept) ++report_.differing;
    return {};
  }

  VaultCore& live_;
  VaultCore& fresh_;
  DrillReport& report_;
};

std::string report_text(const VaultCore& live, const DrillReport& report) {
  Json json;
  json["version"] = 1;
  json["type"] = "quietus-drill-report";
  json["vault_id"] = to_hex(live.header.vault);
  json["tool"] = tool_version();
  json["backup_id"] = report.restore.backup_id;
  json["backup_as_of"] = format_utc(report.restore.as_of_unix_ms);
  json["done_at"] = format_utc(report.done_unix_ms);
  json["passed"] = report.passed();
  json["key_memory_locked"] = report.key_memory_locked;
  json["milliseconds"] = report.milliseconds;
  json["restored"] = report.restore.restored;
  json["bytes"] = report.restore.bytes;
  json["erased"] = report.restore.erased;
  json["purged"] = report.restore.purged;
  json["missing"] = report.restore.missing;
  json["damaged"] = report.restore.damages.size();
  json["compared"] = report.compared;
  json["differing"] = report.differing;
  json["changed_since"] = report.changed;
  json["restricted_scopes"] = report.restricted_scopes;
  json["erased_scopes_tried"] = report.erased_scopes;
  json["erased_scopes_readable"] = report.erased_scopes_readable;
  return json.dump();
}

Result<void> note_drill(VaultCore& live, const DrillRow& row) {
  return live.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_drill(writer, scopes.seal(), row);
  });
}

// Held for as long as one is under way, in whichever process or thread.
Result<LockFile> lock_against_drills(VaultCore& live) {
  QUIETUS_TRY_AS(LockFile lock, LockFile::make(live.files.drill()));
  QUIETUS_TRY_AS(const bool alone, lock.try_lock(0, LockFile::Mode::kExclusive));
  if (!alone) return Error(ErrorCode::kBusy, "another drill is under way; try again when it ended");
  return lock;
}

// One whose process was killed: its root key is gone with it.
Result<void> forget_killed(VaultCore& live) {
  std::optional<DrillRow> row;
  QUIETUS_TRY(
      live.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(row, rows::drill(reader, scopes.seal()));
        return {};
      }));
  if (!row || row->done) return {};
  return forget_instance(live, row->instance);
}

Result<void> sign_and_log(VaultCore& live, const BackupId& backup, DrillRow row,
                          DrillReport& report) {
  report.done_unix_ms = live.environment.clock.now();
  report.key_memory_locked = guarded_memory_status().all_locked();
  const std::string text = report_text(live, report);
  row.done = true;
  row.time = report.done_unix_ms;
  row.passed = report.passed();
  row.report = sha256(as_bytes(text));
  return live.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const SigningKey issuer, rows::signing_key(writer, seal, kIssuingKey));
    report.signed_report = sign_jws(as_bytes(text), kDrillType, issuer);
    QUIETUS_TRY(rows::put_drill(writer, seal, row));
    const DrillDone entry{backup,          report.restore.restored,
                          report.compared, report.erased_scopes,
                          row.passed,      row.report};
    return log_change(writer, seal, entry_text(new_entry(row.time), entry));
  });
}

}  // namespace

Result<DrillReport> Backups::drill(const ByteSource& backup, const DrillOptions& options) {
  QUIETUS_TRY_AS(const auto live, writable_core(core_));
  QUIETUS_TRY_AS(const LockFile alone, lock_against_drills(*live));
  QUIETUS_TRY(forget_killed(*live));
  QUIETUS_TRY_AS(const Scratch scratch, Scratch::make(options.scratch));
  DrillReport report;
  const UnixMillis now = live->environment.clock.now();
  const auto begun = std::chrono::steady_clock::now();
  BackupId of{};
  DrillRow row;
  Trial trial;
  trial.begun = [&](const InstanceId& instance, const BackupId& id) {
    of = id;
    row = {false, instance, now, id, false, {}};
    return note_drill(*live, row);
  };
  trial.inspect = [&](VaultCore& fresh) -> Result<void> {
    const auto recovered = std::chrono::steady_clock::now() - begun;
    report.milliseconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(recovered).count());
    Comparison comparison(*live, fresh, report);
    QUIETUS_TRY(comparison.records());
    return comparison.erased(now - static_cast<UnixMillis>(options.days) * kDayMillis);
  };
  RestoreOptions how;
  how.base = options.base;
  how.progress = options.progress;
  how.create.root_folder = scratch.path() / "roots";
  how.create.accept_unknown_medium = true;
  auto restored = restore_on_trial(*live, backup, scratch.path() / "vault", how, trial);
  if (!restored) {
    // That it came to nothing is a result too, once certificates do not name it any more.
    row.done = true;
    if (of != BackupId{} && forget_instance(*live, row.instance))
      static_cast<void>(note_drill(*live, row));
    return std::move(restored).error();
  }
  report.restore = std::move(restored).value();
  QUIETUS_TRY(sign_and_log(*live, of, row, report));
  return report;
}

}  // namespace quietus
